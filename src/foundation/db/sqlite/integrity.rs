//! The integrity check of a database that is too large to be checked before the start: table by table,
//! while it is served, at a tenth of a core.
//!
//! When each table was checked stands in a file beside the database, `vestibule.db.checked`, which is there
//! only between a clean stop and the next start. After any other end, or a write while no server ran,
//! every table is checked again.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rocket::tokio::sync::Mutex;
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, SqliteConnection};

use super::Location;
use super::files::create_private;
use super::open::open_existing;
use super::refused::explain;
use super::status::faults;
use crate::foundation::clock::{DAY, Timestamp};
use crate::foundation::db::Refused;
use crate::foundation::db::failure::{DatabaseFailure, is_interrupted};

/// How long a table counts as checked.
const A_WEEK: Duration = DAY.saturating_mul(7);

/// SQLite asks each so many steps whether to go on: a step is an operation on a row or a page of a table.
const STEPS: i32 = 100;

/// So long is worked at a time, then nine times as long rested.
const WORK: Duration = Duration::from_millis(5);
const REST: u32 = 9;
const LONGEST_REST: Duration = Duration::from_secs(1);

/// The least that Linux knows: whatever else wants the core comes before.
const NICE: i32 = 19;

/// KiB, negative for SQLite: its usual 2,000 make the check no faster, and 128 make it slower by two fifths.
const PAGE_CACHE: &str = "PRAGMA cache_size = -512";

/// What is read keeps the WAL from being emptied. Above this, the table at hand is read to its end without a
/// rest.
const LONG_WAL: u64 = 128 * 1024 * 1024;

/// What is known of each table, and how to stop a check that runs.
pub(super) struct IntegrityCheck {
    location: Location,
    /// `None` before the first check. Held by a check while it runs.
    checked: Mutex<Option<Checked>>,
    stop: (Sender<()>, Receiver<()>),
}

/// When the check of each table began that found nothing.
type Checked = BTreeMap<String, i64>;

#[derive(Deserialize, Serialize)]
struct Record {
    closed: FileState,
    checked: Checked,
}

/// By what a file is recognised as the one that was closed.
#[derive(Deserialize, PartialEq, Serialize)]
struct FileState {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl IntegrityCheck {
    pub(super) fn of(location: &Location) -> Self {
        Self {
            location: location.clone(),
            checked: Mutex::default(),
            stop: bounded(1),
        }
    }

    /// Checks the tables whose time has come, and says what is wrong with the first that is damaged.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) async fn run(&self, now: Timestamp) -> Result<Option<String>, Refused> {
        let mut checked = self.checked.lock().await;
        let known = take_record(&self.location);
        let why = match known {
            Some(_) => "they have not been checked for a week",
            None => "the last stop was not clean, or the file has changed since",
        };
        let checked = checked.insert(known.unwrap_or_default());
        let mut connection = open_existing(&self.location).await?;
        let outcome = self.check_due(&mut connection, checked, now, why).await;
        // Before the others, of which the last one to be closed empties the WAL.
        let _ = connection.close().await;
        match outcome {
            Err(error) if is_interrupted(&error) => {
                tracing::info!("the integrity check was stopped; the next start goes on with it");
                Ok(None)
            }
            Err(error) if DatabaseFailure::of(&error).is_some() => Ok(Some(error.to_string())),
            outcome => outcome.map_err(|e| explain(&self.location, &e)),
        }
    }

    async fn check_due(
        &self,
        connection: &mut SqliteConnection,
        checked: &mut Checked,
        now: Timestamp,
        why: &str,
    ) -> Result<Option<String>, sqlx::Error> {
        sqlx::raw_sql(PAGE_CACHE).execute(&mut *connection).await?;
        let is_due = |table: &String| {
            let at = checked.get(table).copied().map(Timestamp::from_micros);
            !at.is_some_and(|at| at <= now && now.since(at) < A_WEEK)
        };
        let tables = tables(connection).await?;
        let all = tables.len();
        let due: Vec<String> = tables.into_iter().filter(is_due).collect();
        if due.is_empty() {
            tracing::info!(
                "no integrity check: the last stop was clean, and the last check was within a week"
            );
            return Ok(None);
        }
        tracing::info!("integrity check of {} of {all} tables: {why}", due.len());
        let began = Instant::now();
        let pace = pace(self.stop.1.clone(), self.location.beside("-wal"));
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, pace);
        for table in due {
            if let Some(fault) = faults(connection, Some(&table)).await?.into_iter().next() {
                return Ok(Some(fault));
            }
            checked.insert(table, now.unix_micros());
        }
        tracing::info!(
            "integrity check done in {:.1?}: the database is sound",
            began.elapsed()
        );
        Ok(None)
    }

    /// Ends a check that runs.
    pub(super) async fn stop(&self) {
        let _ = self.stop.0.try_send(());
        drop(self.checked.lock().await);
    }

    /// Remembers, once the database is closed, what was checked.
    pub(super) async fn remember(&self) {
        if let Some(checked) = self.checked.lock().await.take()
            && let Err(error) = write_record(&self.location, checked)
        {
            tracing::warn!("the next start will check the whole database again: {error}");
        }
    }
}

/// The table of tables, and each that it lists.
async fn tables(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT 'sqlite_schema' UNION ALL SELECT name FROM sqlite_schema WHERE type = 'table'",
    )
    .fetch_all(connection)
    .await
}

/// Called by SQLite, on the thread of the connection, amid its work: rests there. False ends the work.
fn pace(stop: Receiver<()>, wal: PathBuf) -> impl FnMut() -> bool + Send + 'static {
    let mut working_since = None;
    move || {
        let since = *working_since.get_or_insert_with(|| {
            // Refused where a system allows no change: the rests remain.
            let _ = rustix::process::nice(NICE);
            Instant::now()
        });
        // By the clock, not by what the processor did: where others work, too, the rests are longer.
        let worked = since.elapsed();
        if worked < WORK {
            return true;
        }
        let is_long = fs::metadata(&wal).is_ok_and(|wal| wal.len() > LONG_WAL);
        let rest = if is_long {
            Duration::ZERO
        } else {
            LONGEST_REST.min(worked * REST)
        };
        let told = stop.recv_timeout(rest);
        working_since = Some(Instant::now());
        told == Err(RecvTimeoutError::Timeout)
    }
}

fn record_path(location: &Location) -> PathBuf {
    location.beside(".checked")
}

/// What is known of this very file. It is known no more if the process ends in another way than by closing it.
fn take_record(location: &Location) -> Option<Checked> {
    let path = record_path(location);
    let text = fs::read(&path).ok()?;
    fs::remove_file(&path).ok()?;
    let record: Record = serde_json::from_slice(&text).ok()?;
    let is_same = file_state(location.path()).is_ok_and(|state| state == record.closed);
    is_same.then_some(record.checked)
}

fn write_record(location: &Location, checked: Checked) -> io::Result<()> {
    let closed = file_state(location.path())?;
    let file = create_private(&record_path(location))?;
    Ok(serde_json::to_writer(file, &Record { closed, checked })?)
}

fn file_state(path: &Path) -> io::Result<FileState> {
    let file = fs::metadata(path)?;
    Ok(FileState {
        inode: file.ino(),
        bytes: file.len(),
        modified: (file.mtime(), file.mtime_nsec()),
    })
}
