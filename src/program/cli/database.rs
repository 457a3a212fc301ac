use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::hardening::own_database;
use super::{Done, logging, output, runtime};
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Clock;
use crate::foundation::db::{self, Location};
use crate::foundation::settings::{Effective, Settings};
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
    /// Writes a copy to FILE, also while the server runs
    #[command(after_help = "Example: vestibule db backup /backup/vestibule-2026-11-24.db")]
    Backup { file: PathBuf },
    /// Puts a copy in the database's place; the old database is kept beside it
    #[command(after_help = "Example: vestibule db restore /backup/vestibule-2026-11-24.db")]
    Restore { file: PathBuf },
}

pub fn run(command: &Command, effective: Effective) -> Done {
    let _logging = logging::init_for_command(&effective.settings);
    let location = own_database(&effective.settings.database_url)?;
    runtime(1)?.block_on(async {
        match command {
            Command::Migrate => migrate(&location).await,
            Command::Status { json } => status(&location, *json).await,
            Command::Check => check(&location).await,
            Command::Backup { file } => backup(&location, file).await,
            Command::Restore { file } => restore(effective.settings, &location, file).await,
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
    let lines = [
        (
            "Database",
            format!("{} ({} KiB)", status.database, status.bytes / 1024),
        ),
        (
            "Migrations",
            format!(
                "{} applied, {} pending",
                status.applied.len(),
                status.pending.len()
            ),
        ),
        ("Users", status.users.to_string()),
        ("Live sessions", status.live_sessions.to_string()),
        (
            "Server",
            if status.served {
                "running"
            } else {
                "not running"
            }
            .to_owned(),
        ),
    ];
    output::fields(&lines)
}

async fn check(location: &Location) -> Done {
    let faults = db::check(location).await?;
    if faults.is_empty() {
        return output::say(&format!("{} is sound.", location.path().display()));
    }
    output::say(&faults.join("\n"))?;
    Err(format!(
        "{} is damaged; restore a backup with `vestibule db restore FILE`",
        location.path().display()
    )
    .into())
}

async fn backup(location: &Location, file: &Path) -> Done {
    with_progress(location.path(), file, db::backup(location, file)).await?;
    output::say(&format!("Wrote {}.", file.display()))
}

async fn restore(settings: Settings, location: &Location, file: &Path) -> Done {
    let stamp = Clock::system().now().to_string().replace(':', "");
    let kept = with_progress(
        file,
        &location.beside(".restoring"),
        db::restore(location, file, &stamp),
    )
    .await?;
    record_restore(settings, location, file).await?;
    output::say(&format!("Restored {}.", location.path().display()))?;
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

/// Shows how far a copy has come, on a terminal: its size against that of the original.
async fn with_progress<T>(original: &Path, copy: &Path, work: impl Future<Output = T>) -> T {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let partial = copy.with_added_extension("partial");
    let style = ProgressStyle::with_template("{bar:40} {bytes} of about {total_bytes}, {eta} left");
    let bar = ProgressBar::new(size(original))
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
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
