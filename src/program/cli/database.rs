use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::hardening::own_database;
use super::{Done, Fault, logging, output, runtime};
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Clock;
use crate::foundation::db::{self, Location, Node};
use crate::foundation::secrets;
use crate::foundation::settings::{Effective, Settings, refuse_password};
use crate::vestibule::open_app;

#[derive(Subcommand)]
pub enum Command {
    /// Creates the database or brings its schema up to date; a database with data is copied first
    #[command(after_help = "Example: vestibule db migrate")]
    Migrate,
    /// Shows which migrations are applied, and what is in the database
    #[command(after_help = "Example: vestibule db status --json")]
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Reads the whole database and says whether it is sound
    ///
    /// A file beside the database, its lock, remembers that it was made: a database that is missing
    /// though the lock remembers it is reported as gone.
    #[command(after_help = "Example: vestibule db check")]
    Check,
    /// Copies everything into an empty database, from SQLite to PostgreSQL or back, and marks the first as moved
    ///
    /// Stop all servers first. Nobody has to sign in again.
    #[command(
        after_help = "Example: vestibule db copy sqlite:vestibule.db postgres://vestibule@db.example.com/vestibule"
    )]
    Copy {
        from: String,
        to: String,
        #[arg(long)]
        json: bool,
    },
    /// Prints the SQL for a role of PostgreSQL's that serves and cannot change what tables there are
    #[command(after_help = "Example: vestibule db grants | psql --dbname vestibule")]
    Grants {
        /// The role that migrates
        #[arg(long, default_value = "vestibule_owner")]
        owner: String,
        /// The role that serves
        #[arg(long, default_value = "vestibule_app")]
        app: String,
    },
    /// Writes a copy to FILE, also while the server runs
    #[command(after_help = "Example: vestibule db backup /backup/vestibule-2026-11-24.db")]
    Backup { file: PathBuf },
    /// Puts a copy in the database's place; the old database is kept beside it
    #[command(after_help = "Example: vestibule db restore /backup/vestibule-2026-11-24.db")]
    Restore { file: PathBuf },
}

pub fn run(command: &Command, effective: Effective) -> Done {
    let _logging = logging::init_for_command(&effective.settings);
    let settings = effective.settings;
    let location = own_database(&settings);
    runtime(1)?.block_on(async {
        if let Command::Copy { from, to, json } = command {
            return copy(&settings, from, to, *json).await;
        }
        let location = location?;
        match command {
            Command::Copy { .. } => Ok(()),
            Command::Grants { owner, app } => {
                let schema = settings.database.schema.as_deref().unwrap_or("public");
                output::say(&db::grants(owner, app, schema))
            }
            Command::Migrate => migrate(&location).await,
            Command::Status { json } => status(&location, *json).await,
            Command::Check => check(&location).await,
            Command::Backup { file } => backup(&settings, &location, file).await,
            Command::Restore { file } => restore(settings, &location, file).await,
        }
    })
}

async fn migrate(location: &Location) -> Done {
    db::prepare(location).await?;
    let status = db::status(location).await?;
    output::say(&format!(
        "{} is up to date ({} migrations).",
        status.database,
        status.applied.len()
    ))
}

async fn status(location: &Location, json: bool) -> Done {
    let status = db::status(location).await?;
    if json {
        return output::json(&status);
    }
    let server = if status.served {
        "running"
    } else {
        "not running"
    };
    let migrations = format!(
        "{} applied, {} pending",
        status.applied.len(),
        status.pending.len()
    );
    let mut lines = vec![
        (
            "Database",
            format!("{} ({} KiB)", status.database, status.bytes / 1024),
        ),
        ("Migrations", migrations),
        ("Users", status.users.to_string()),
        ("Live sessions", status.live_sessions.to_string()),
        ("Server", server.to_owned()),
    ];
    if let Some(server) = &status.server {
        lines.push(("PostgreSQL", server.version.clone()));
        lines.push(("A fail-over loses", server.at_failover().to_owned()));
        lines.extend(server.nodes.iter().map(|node| ("Node", describe(node))));
    }
    output::fields(&lines)
}

fn describe(node: &Node) -> String {
    let leader = if node.leads {
        ", does the housekeeping"
    } else {
        ""
    };
    let Node {
        name,
        version,
        seen_at,
        ..
    } = node;
    format!("{name}, version {version}, seen {seen_at}{leader}")
}

async fn check(location: &Location) -> Done {
    let faults = db::check(location).await?;
    if faults.is_empty() {
        return output::say(&format!("{location} is sound."));
    }
    output::say(&faults.join("\n"))?;
    Err(format!("{location} is damaged; restore a backup with `vestibule db restore FILE`").into())
}

/// An address of a command's, with the password that the settings have.
fn named(settings: &Settings, address: &str) -> Result<Location, Fault> {
    refuse_password(address)?;
    let location = Location::parse(address)?;
    if location.path().is_some() {
        return Ok(location);
    }
    Ok(settings.at(location)?)
}

async fn copy(settings: &Settings, from: &str, to: &str, json: bool) -> Done {
    let (from, to) = (named(settings, from)?, named(settings, to)?);
    let bar = ProgressBar::new(db::copy::count(&from).await?).with_style(style(
        "{bar:40} {human_pos} of {human_len} rows, {eta} left",
    ));
    let now = Clock::system().now();
    let copied = db::copy::copy(&from, &to, now, &|rows| bar.set_position(rows)).await;
    bar.finish_and_clear();
    let copied = copied?;
    if json {
        return output::json(&copied);
    }
    let rows: u64 = copied.iter().map(|copied| copied.rows).sum();
    let tables = copied.len();
    output::say(&format!(
        "Copied {rows} rows of {tables} tables to {to}, and compared them. {from} is marked as moved.\nNow set database_url, and start."
    ))
}

async fn backup(settings: &Settings, location: &Location, file: &Path) -> Done {
    let original = location.path().map(size);
    with_progress(original, file, db::backup(location, file)).await?;
    output::say(&format!("Wrote {}.", file.display()))?;
    if let Some(key) = secrets::key_file(settings) {
        let key = key.display();
        output::err(&format!(
            "The key that secrets in it are sealed with is not in it: keep a copy of {key} elsewhere."
        ));
    }
    Ok(())
}

async fn restore(settings: Settings, location: &Location, file: &Path) -> Done {
    let stamp = Clock::system().now().to_string().replace(':', "");
    let restoring = db::restore(location, file, &stamp);
    let kept = match location.path() {
        Some(path) => {
            let incoming = path.with_added_extension("restoring");
            with_progress(Some(size(file)), &incoming, restoring).await?
        }
        None => with_progress(None, file, restoring).await?,
    };
    record_restore(settings, location, file).await?;
    output::say(&format!("Restored {location}."))?;
    kept.map_or(Ok(()), |kept| {
        output::say(&format!(
            "The database that was there is kept as {}.",
            kept.display()
        ))
    })
}

/// In the trail of the database that is in place now, which may need a migration first.
async fn record_restore(settings: Settings, location: &Location, file: &Path) -> Done {
    db::prepare(location).await?;
    let app = open_app(settings, Clock::system(), location).await?;
    let record = Record::anonymous(Event::DatabaseRestore).detail(file.to_string_lossy());
    app.clock.trust_system();
    let mut tx = app.db.begin().await?;
    app.clock.persist(&mut tx).await?;
    audit::commit(tx, app.clock.now(), &Actor::operator(), &[record]).await?;
    app.close().await;
    Ok(())
}

/// Shows how far a copy has come, on a terminal: its size, against that of the original where it will be like that.
async fn with_progress<T>(original: Option<u64>, copy: &Path, work: impl Future<Output = T>) -> T {
    let partial = copy.with_added_extension("partial");
    let bar = match original {
        Some(bytes) => ProgressBar::new(bytes)
            .with_style(style("{bar:40} {bytes} of about {total_bytes}, {eta} left")),
        None => ProgressBar::no_length().with_style(style("{spinner} {bytes}, {elapsed}")),
    };
    let mut ticks = rocket::tokio::time::interval(Duration::from_millis(100));
    rocket::tokio::pin!(work);
    loop {
        rocket::tokio::select! {
            done = &mut work => {
                bar.finish_and_clear();
                return done;
            }
            _ = ticks.tick() => bar.set_position(size(&partial)),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
