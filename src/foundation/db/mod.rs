//! The database: the one place that knows which engine runs.
//!
//! Writers take turns on one connection with `BEGIN IMMEDIATE` ([`Db::begin`]), so that none fails
//! for another's write in between; readers have connections of their own that cannot write
//! ([`Db::reader`]). What was read may be kept in memory ([`Db::cached`]).

mod ask;
mod backup;
mod cache;
mod copy;
mod failure;
mod files;
mod gather;
mod integrity;
mod invalidations;
mod lock;
mod migrate;
mod open;
mod refused;
mod schema;
mod status;
mod timings;
mod tx;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io};

use rocket::tokio::sync::{Mutex, SetOnce};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlitePool};

use crate::foundation::clock::Timestamp;
use integrity::IntegrityCheck;

pub use ask::{Bind, Builder, Connection, Executor, Pool, Query, Read};
pub use backup::{backup, restore};
pub use cache::{ACKNOWLEDGE_AFTER, Cache, Generation, Key, Row, Snapshot};
pub use failure::DatabaseFailure;
pub use files::Location;
pub use gather::Gather;
pub(crate) use gather::{for_keys, sized};
pub use lock::Lock;
pub use migrate::{migrate, open_for_serving, prepare};
pub use refused::Refused;
pub use status::{Status, check, status};
pub use timings::Timings;
pub use tx::Tx;

const READERS: u32 = 4;

/// An answer within a second or none: a person waits, a proxy's patience ends.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Pages of the file that are read straight from the system's cache.
const MMAP_BYTES: &str = "1073741824";

/// KiB, negative for SQLite: a reader's own copies of pages. They are of the WAL alone, for the file is mapped.
const READER_CACHE: &str = "-512";

/// The WAL shrinks back to this after a burst.
const WAL_BYTES: &str = "67108864";

/// An open, migrated database.
pub struct Db {
    writer: SqlitePool,
    reader: Pool,
    /// Asks for invalidations: a connection of its own, for which no write and no page is waited.
    asker: Pool,
    location: Location,
    timings: Timings,
    cache: Arc<Cache>,
    beside_a_server: AtomicBool,
    failure: Arc<SetOnce<DatabaseFailure>>,
    probed: Mutex<Option<(Instant, bool)>>,
    integrity: IntegrityCheck,
}

impl Db {
    /// Opens a database that [`prepare`] has made ready.
    ///
    /// # Errors
    /// The file cannot be opened for writing.
    pub async fn open(location: &Location, cached_sessions: usize) -> Result<Self, sqlx::Error> {
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(TIMEOUT)
            // A full disk makes SQLite roll back by itself while sqlx still counts a transaction:
            // such a connection is thrown away.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!sqlx::Connection::is_in_transaction(connection))
                })
            })
            .connect_with(options(location.path()).foreign_keys(true))
            .await?;
        let reading = options(location.path())
            .read_only(true)
            .pragma("cache_size", READER_CACHE);
        let readers = |most| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(TIMEOUT)
                .test_before_acquire(false)
        };
        let reader = readers(READERS).connect_with(reading.clone()).await?;
        let asker = readers(1).connect_with(reading).await?;
        Ok(Self {
            writer,
            reader: reader.into(),
            asker: asker.into(),
            location: location.clone(),
            timings: Timings::new(),
            cache: Arc::new(Cache::new(cached_sessions)),
            beside_a_server: AtomicBool::new(false),
            failure: Arc::default(),
            probed: Mutex::default(),
            integrity: IntegrityCheck::of(location),
        })
    }

    /// Begins to write; waits for its turn, a second at most.
    ///
    /// # Errors
    /// Another writer did not finish in time, the database cannot be written, or it is in [`DatabaseFailure`].
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        if let Some(failure) = self.failure() {
            return Err(io::Error::other(failure.to_string()).into());
        }
        let began = Instant::now();
        let inner = match self.writer.begin_with("BEGIN IMMEDIATE").await {
            Err(error) if failure::is_read_only(&error) => {
                self.renew_writer().await;
                return Err(error);
            }
            begun => begun?,
        };
        Ok(Tx::new(
            Connection::new(inner),
            began,
            self.timings.writes.clone(),
            self.cache.clone(),
            self.beside_a_server.load(Ordering::Relaxed),
            self.failure.clone(),
        ))
    }

    /// For a process that may change the database of a running server: from now on a change is
    /// acknowledged when that server cannot answer from before it any more.
    pub fn acknowledge_beside_a_server(&self) {
        self.beside_a_server.store(true, Ordering::Relaxed);
    }

    /// What was kept, if the database still says so.
    pub fn cached(&self) -> Option<Snapshot<'_>> {
        let (snapshot, due) = self.cache.current();
        if due {
            self.cache.ask(&self.asker, &self.writer);
        }
        snapshot
    }

    #[must_use]
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// Deletes the invalidations that the cache has seen.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn prune_invalidations(&self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        match self.cache.last_id() {
            Some(last_id) => invalidations::prune(tx, last_id).await,
            None => Ok(()),
        }
    }

    /// One that was opened while the file could not be written stays so, though the file may be
    /// written again.
    async fn renew_writer(&self) {
        if let Ok(connection) = self.writer.acquire().await {
            let _ = connection.close().await;
        }
    }

    #[must_use]
    pub fn reader(&self) -> &Pool {
        &self.reader
    }

    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        self.location.path()
    }

    /// What keeps anything from being written until the next start.
    #[must_use]
    pub fn failure(&self) -> Option<DatabaseFailure> {
        self.failure.get().copied()
    }

    /// Waits, for ever if all goes well, until there is [`DatabaseFailure`].
    pub async fn failed(&self) -> DatabaseFailure {
        *self.failure.wait().await
    }

    /// Takes note of an error that a query came back with, if it tells of damage.
    pub fn note(&self, error: &sqlx::Error) {
        if let Some(failure) = DatabaseFailure::of(error) {
            self.fail_with(failure);
        }
    }

    /// Said once.
    fn fail_with(&self, failure: DatabaseFailure) {
        if self.failure.set(failure).is_ok() {
            tracing::error!("{failure}");
        }
    }

    /// Checks a database that was too large to be checked before the start, as far as it is due.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn check_integrity(&self, now: Timestamp) -> Result<(), Refused> {
        if self.location.is_large()
            && let Some(fault) = self.integrity.run(now).await?
        {
            tracing::error!("{fault}");
            self.fail_with(DatabaseFailure::Damaged);
        }
        Ok(())
    }

    /// How large the write-ahead log is; 0 if there is none.
    #[must_use]
    pub fn wal_bytes(&self) -> i64 {
        fs::metadata(self.location.beside("-wal"))
            .map_or(0, |file| i64::try_from(file.len()).unwrap_or(i64::MAX))
    }

    /// Whether a change can be written. Found out once a second at most, whoever asks.
    pub async fn is_writable(&self) -> bool {
        if self.failure().is_some() {
            return false;
        }
        let mut probed = self.probed.lock().await;
        match *probed {
            Some((at, writable)) if at.elapsed() < TIMEOUT => writable,
            _ => {
                let outcome = self.probe().await;
                if let Err(error) = &outcome {
                    tracing::warn!("not ready: {error}");
                }
                *probed = Some((Instant::now(), outcome.is_ok()));
                outcome.is_ok()
            }
        }
    }

    /// Writes a row that says nothing, for SQLite skips a write that changes no byte. The sweep
    /// takes it for a bucket that is full again.
    async fn probe(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.begin().await?;
        tx.query(
            "INSERT INTO throttle (bucket, full_at) VALUES ('probe', 0)
             ON CONFLICT (bucket) DO UPDATE SET full_at = 1 - throttle.full_at",
        )
        .execute()
        .await?;
        tx.commit().await
    }

    pub async fn close(&self) {
        self.integrity.stop().await;
        self.cache.suspend();
        self.reader.close().await;
        self.asker.close().await;
        self.writer.close().await;
        if self.failure().is_none() {
            self.integrity.remember().await;
        }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: what was answered survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(TIMEOUT)
        .pragma("mmap_size", MMAP_BYTES)
        .pragma("journal_size_limit", WAL_BYTES)
        // What is deleted is overwritten.
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
}
