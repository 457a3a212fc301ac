use std::net::IpAddr;

use clap::builder::PossibleValue;
use clap::{Subcommand, ValueEnum};

use super::{Done, Fault, output, with_app, zone};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Event, Filter};
use crate::foundation::clock::Timestamp;
use crate::foundation::settings::Effective;
use crate::people::users::{self, Former};

#[derive(Subcommand)]
pub enum Command {
    /// Lists audit records, newest first
    #[command(
        after_help = "Example: vestibule audit list --user alice --event sign_in --since 2026-11-01"
    )]
    List {
        /// Part of a user name, an actor or a detail, or the beginning of an address
        #[arg(long, value_name = "TEXT", value_parser = audit::search)]
        search: Option<String>,
        /// Records that concern this user, by name or id
        #[arg(long, value_name = "NAME|ID")]
        user: Option<String>,
        #[arg(long)]
        event: Option<Event>,
        #[arg(long, value_name = "IP", value_parser = audit::address)]
        address: Option<IpAddr>,
        /// From then on: 2026-11-01 or 2026-11-01T18:30 in the time zone of TZ (UTC if not set), or RFC 3339
        #[arg(long, value_name = "TIME", value_parser = zone::moment)]
        since: Option<Timestamp>,
        /// Before then; a date is meant with all of its day
        #[arg(long, value_name = "TIME", value_parser = zone::until)]
        until: Option<Timestamp>,
        /// At most this many, the newest
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[arg(long)]
        json: bool,
    },
}

impl ValueEnum for Event {
    fn value_variants<'a>() -> &'a [Self] {
        Self::all()
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

pub fn run(command: &Command, effective: Effective) -> Done {
    let Command::List {
        search,
        user,
        event,
        address,
        since,
        until,
        limit,
        json,
    } = command;
    let filter = Filter {
        q: search.clone(),
        event: *event,
        subject: None,
        address: *address,
        since: *since,
        until: *until,
        after: None,
        limit: *limit,
    };
    with_app(effective, async |app| {
        let filter = Filter {
            subject: match user {
                Some(user) => Some(users::audit_subject(app.db.reader(), user).await?),
                None => None,
            },
            ..filter
        };
        let entries = audit::list(app.db.reader(), &filter).await?;
        for former in former(app, user.as_deref()).await? {
            output::err(&format!(
                "A user {} was deleted {}; for that one alone: --user {}",
                former.username, former.deleted_at, former.id
            ));
        }
        if *json {
            return output::json(&entries);
        }
        let rows: Vec<[String; 7]> = entries
            .into_iter()
            .map(|entry| {
                let text = Option::unwrap_or_default;
                [
                    zone::local(entry.at),
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
        )
    })
}

/// Others who had the name that was asked for.
async fn former(app: &App, user: Option<&str>) -> Result<Vec<Former>, Fault> {
    match user {
        Some(user) => Ok(users::former_by_name(app.db.reader(), user).await?),
        None => Ok(Vec::new()),
    }
}
