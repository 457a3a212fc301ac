use clap::Subcommand;

use super::{Done, output, with_app};
use crate::audit::{self, Event, Filter};
use crate::clock::Timestamp;
use crate::settings::Effective;

#[derive(Subcommand)]
pub enum Command {
    /// Lists audit records, newest first
    #[command(
        after_help = "Example: vestibule audit list --user alice --event sign_in --since 2026-11-01T00:00:00Z"
    )]
    List {
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        #[arg(long)]
        event: Option<Event>,
        /// RFC 3339, like 2026-11-01T00:00:00Z
        #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
        since: Option<Timestamp>,
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[arg(long)]
        json: bool,
    },
}

pub fn run(command: &Command, effective: Effective) -> Done {
    let Command::List {
        user,
        event,
        since,
        limit,
        json,
    } = command;
    let filter = Filter {
        username: user.as_ref().map(|name| name.to_ascii_lowercase()),
        event: *event,
        since: *since,
        limit: *limit,
    };
    with_app(effective, async |app| {
        let entries = audit::list(app.db.reader(), &filter).await?;
        if *json {
            return output::json(&entries);
        }
        let rows: Vec<[String; 7]> = entries
            .into_iter()
            .map(|entry| {
                let text = Option::unwrap_or_default;
                [
                    entry.at.to_string(),
                    entry.event,
                    entry.result,
                    text(entry.username),
                    text(entry.actor),
                    text(entry.address),
                    text(entry.detail),
                ]
            })
            .collect();
        output::table(
            ["TIME", "EVENT", "RESULT", "USER", "BY", "ADDRESS", "DETAIL"],
            &rows,
            "There are no such records.",
        );
        Ok(())
    })
}
