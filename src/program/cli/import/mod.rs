//! Users and applications of another program, out of its file.

mod authelia;
mod authelia_client;
mod authelia_clients;
mod authelia_policy;
mod htpasswd;
mod json;
mod read;
mod table;
mod yaml;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::output::{self, counted};
use super::{Done, with_app};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::oidc::imported;
use crate::people::users::{self, Added, Entry, Fault};

pub use json::Exported;
use read::{Read, all_right};

#[derive(Subcommand)]
pub enum Command {
    /// Users of an htpasswd file, NAME:HASH a line
    #[command(after_help = "Example: vestibule import htpasswd /etc/nginx/htpasswd --dry-run")]
    Htpasswd(From),
    /// Users of a table whose first line names the columns: username, email, display_name, groups (with ; between them),
    /// password_hash, disabled, admin, email_verified
    #[command(after_help = "Example: vestibule import csv users.csv")]
    Csv(From),
    /// Users of Authelia's users file
    #[command(after_help = "Example: vestibule import authelia users_database.yml")]
    Authelia(From),
    /// Applications of Authelia's configuration, with their client_id and secret, all or none
    #[command(
        after_help = "Example: vestibule import authelia-clients configuration.yml --dry-run"
    )]
    AutheliaClients(FromClients),
    /// Users as `export users` writes them
    #[command(after_help = "Example: vestibule import json users.json --trust")]
    Json(From),
}

#[derive(Args)]
pub struct From {
    file: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Take it from the file who is an admin, and whose address is confirmed
    #[arg(long)]
    trust: bool,
}

#[derive(Args)]
pub struct FromClients {
    file: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// More than this is nobody's list of users.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

pub fn run(command: &Command, effective: Effective) -> Done {
    let (from, read): (&From, fn(&str) -> Read) = match command {
        Command::Htpasswd(from) => (from, htpasswd::read),
        Command::Csv(from) => (from, table::read),
        Command::Authelia(from) => (from, authelia::read),
        Command::Json(from) => (from, json::read),
        Command::AutheliaClients(from) => return run_clients(from, effective),
    };
    let read = read(&text(&from.file)?).or_nothing(&from.file, "user")?;
    with_app(effective, async |app| import(app, from, read).await)
}

fn run_clients(from: &FromClients, effective: Effective) -> Done {
    let file = &from.file;
    let read = authelia_clients::read(&text(file)?).or_nothing(file, "client")?;
    let count = counted(read.entries.len(), "application");
    with_app(effective, async |app| {
        let dry_run = from.dry_run || !read.faults.is_empty();
        let done = imported::import(app, &Actor::operator(), read.entries, dry_run).await?;
        all_right(file, read.faults, done)?;
        for Fault { line, text } in read.left_out {
            output::err(&format!("{}:{line}: {text}", file.display()));
        }
        output::say(&match from.dry_run {
            true => format!("{count} would be added. Nothing was changed."),
            false => format!("Added {count}."),
        })
    })
}

fn text(file: &Path) -> Result<String, String> {
    let failed = |why: String| format!("{}: {why}", file.display());
    let size = fs::metadata(file)
        .map_err(|error| failed(error.to_string()))?
        .len();
    if size > MOST_BYTES {
        return Err(failed("has more than 256 MiB".to_owned()));
    }
    let text = fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

async fn import(app: &App, from: &From, read: Read) -> Done {
    let mut entries = read.entries;
    let untrusted = if from.trust {
        0
    } else {
        distrust(&mut entries)
    };
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} users, {eta} left")?;
    let bar = ProgressBar::new(entries.len() as u64).with_style(style);
    let (actor, progress) = (Actor::operator(), |done| bar.set_position(done));
    let dry_run = from.dry_run || !read.faults.is_empty();
    let imported = users::import(app, &actor, entries, dry_run, &progress).await;
    bar.finish_and_clear();
    let added = all_right(&from.file, read.faults, imported?)?;
    report(&added, from.dry_run)?;
    if untrusted > 0 {
        output::err(&format!(
            "Of {} it is not taken who is an admin or has a confirmed address: that needs --trust.",
            counted(untrusted, "user")
        ));
    }
    if !from.dry_run && added.iter().any(|user| user.is_dear) {
        output::err(
            "Restart the server if it runs: at its start it learns how long hashes of other programs take.",
        );
    }
    Ok(())
}

/// Rights and confirmed addresses are this service's own to give; how many users have lost some.
fn distrust(entries: &mut [Entry]) -> usize {
    let mut untrusted = 0;
    for entry in entries {
        untrusted += usize::from(entry.new.admin || entry.email_verified);
        entry.new.admin = false;
        entry.email_verified = false;
    }
    untrusted
}

fn report(added: &[Added], dry_run: bool) -> Done {
    for user in added {
        let Added {
            line,
            username,
            link,
            ..
        } = user;
        if let Some(link) = link {
            let how = if dry_run {
                "would get a link to choose a password".to_owned()
            } else {
                format!("chooses a password by this link, within a week: {link}")
            };
            output::say(&format!(
                "line {line}: {username} has no hash that can be verified here, and {how}"
            ))?;
        }
    }
    let count = counted(added.len(), "user");
    output::say(&match dry_run {
        true => format!("{count} would be added. Nothing was changed."),
        false => format!("Added {count}."),
    })
}
