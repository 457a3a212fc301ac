//! Users and applications of another program, out of its file.

mod authelia;
mod authelia_clients;
mod authelia_policy;
mod htpasswd;
mod json;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Done, output, with_app};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::oidc::imported;
use crate::people::users::{self, Added, Entry, Fault};

pub use json::Exported;

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

/// The users of a file, or what is wrong with its lines.
type Read = Result<Vec<Entry>, Vec<Fault>>;

/// More than this is nobody's list of users.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Lines that are told of; whoever has more wrong mends these first.
const MOST_FAULTS: usize = 50;

pub fn run(command: &Command, effective: Effective) -> Done {
    let (from, read): (&From, fn(&str) -> Read) = match command {
        Command::Htpasswd(from) => (from, htpasswd::read),
        Command::Csv(from) => (from, table::read),
        Command::Authelia(from) => (from, authelia::read),
        Command::Json(from) => (from, json::read),
        Command::AutheliaClients(from) => return run_clients(from, effective),
    };
    let file = &from.file;
    let text = text(file)?;
    let entries =
        read(text.trim_start_matches('\u{feff}')).map_err(|faults| told(file, &faults))?;
    if entries.is_empty() {
        return Err(format!("{}: there is no user in it", file.display()).into());
    }
    with_app(effective, async |app| import(app, from, entries).await)
}

fn run_clients(from: &FromClients, effective: Effective) -> Done {
    let file = &from.file;
    let text = text(file)?;
    let read = authelia_clients::read(text.trim_start_matches('\u{feff}'));
    let (entries, left_out) = read.map_err(|faults| told(file, &faults))?;
    let count = entries.len();
    if count == 0 {
        return Err(format!("{}: there is no client in it", file.display()).into());
    }
    with_app(effective, async |app| {
        let added = imported::import(app, &Actor::operator(), entries, from.dry_run).await?;
        added.map_err(|faults| told(file, &faults))?;
        for Fault { line, text } in left_out {
            output::err(&format!("{}:{line}: {text} is not taken", file.display()));
        }
        output::say(&match from.dry_run {
            true => format!("{count} applications would be added. Nothing was changed."),
            false => format!("Added {count} applications."),
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
    fs::read_to_string(file).map_err(|error| failed(error.to_string()))
}

async fn import(app: &App, from: &From, mut entries: Vec<Entry>) -> Done {
    let untrusted = if from.trust {
        0
    } else {
        distrust(&mut entries)
    };
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} users, {eta} left")?;
    let bar = ProgressBar::new(entries.len() as u64).with_style(style);
    let (actor, progress) = (Actor::operator(), |done| bar.set_position(done));
    let imported = users::import(app, &actor, entries, from.dry_run, &progress).await;
    bar.finish_and_clear();
    let added = imported?.map_err(|faults| told(&from.file, &faults))?;
    report(&added, from.dry_run)?;
    if untrusted > 0 {
        output::err(&format!(
            "{untrusted} users are admins or have confirmed addresses in the file; that is taken with --trust alone."
        ));
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
    let count = added.len();
    output::say(&match dry_run {
        true => format!("{count} users would be added. Nothing was changed."),
        false => format!("Added {count} users."),
    })
}

/// Each line that is wrong, as far as a person reads on.
fn told(file: &Path, faults: &[Fault]) -> String {
    let lines = faults.iter().take(MOST_FAULTS);
    let mut text: String = lines
        .map(|Fault { line, text }| format!("{}:{line}: {text}\n", file.display()))
        .collect();
    if faults.len() > MOST_FAULTS {
        text += &format!("and {} more\n", faults.len() - MOST_FAULTS);
    }
    text + "nothing was imported"
}

/// The users, unless some line is wrong.
fn all_or_none(lines: impl Iterator<Item = Result<Entry, Fault>>) -> Read {
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    for line in lines {
        match line {
            Ok(entry) => entries.push(entry),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(entries)
    } else {
        Err(faults)
    }
}
