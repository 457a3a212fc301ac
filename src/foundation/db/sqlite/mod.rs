//! SQLite: one file, one server.
//!
//! Writers take turns on one connection with `BEGIN IMMEDIATE`, so that none fails for another's write in
//! between; readers have connections of their own that cannot write.

mod backup;
mod copy;
mod files;
mod integrity;
mod lock;
mod migrate;
mod open;
mod refused;
mod schema;
mod status;

use std::fs;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, SqlitePool, Transaction};

use super::{Refused, TIMEOUT, failure};
use crate::foundation::clock::Timestamp;
use integrity::IntegrityCheck;

pub use backup::{backup, restore};
pub use files::Location;
pub use lock::Lock;
pub use migrate::{open_for_serving, prepare};
pub use open::{connect_current, take_lock};
pub use status::{check, status};

const READERS: u32 = 4;

/// Pages of the file that are read straight from the system's cache.
const MMAP_BYTES: &str = "1073741824";

/// KiB, negative for SQLite: a connection's own copies of pages. A reader's are of the WAL alone, for the file is mapped;
/// a writer's go to the WAL when there are more, and come from the system's cache again.
const PAGE_CACHE: &str = "-128";

/// The WAL shrinks back to this after a burst.
const WAL_BYTES: &str = "67108864";

/// The file of an open database, and the connection that writes.
pub struct File {
    writer: SqlitePool,
    location: Location,
    integrity: IntegrityCheck,
}

impl File {
    pub async fn open(location: &Location) -> Result<Self, sqlx::Error> {
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
        Ok(Self {
            writer,
            location: location.clone(),
            integrity: IntegrityCheck::of(location),
        })
    }

    pub async fn readers(&self) -> Result<SqlitePool, sqlx::Error> {
        self.reading(READERS).await
    }

    pub async fn asker(&self) -> Result<SqlitePool, sqlx::Error> {
        self.reading(1).await
    }

    async fn reading(&self, most: u32) -> Result<SqlitePool, sqlx::Error> {
        SqlitePoolOptions::new()
            .max_connections(most)
            .acquire_timeout(TIMEOUT)
            .test_before_acquire(false)
            .connect_with(options(self.path()).read_only(true))
            .await
    }

    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        let begun = self.writer.begin_with("BEGIN IMMEDIATE").await;
        if begun.as_ref().is_err_and(failure::is_read_only) {
            self.renew_writer().await;
        }
        begun
    }

    /// One that was opened while the file could not be written stays so, though the file may be
    /// written again.
    async fn renew_writer(&self) {
        if let Ok(connection) = self.writer.acquire().await {
            let _ = connection.close().await;
        }
    }

    /// Waits until the commits that were under way are over.
    pub async fn turn(&self) -> Result<(), sqlx::Error> {
        self.writer.acquire().await.map(drop)
    }

    pub fn path(&self) -> &Path {
        self.location.path()
    }

    pub fn wal_bytes(&self) -> u64 {
        fs::metadata(self.location.beside("-wal")).map_or(0, |file| file.len())
    }

    /// Says what is wrong with a database that was too large to be checked before the start, as far as its
    /// check is due.
    pub async fn check_integrity(&self, now: Timestamp) -> Result<Option<String>, Refused> {
        if self.location.is_large() {
            self.integrity.run(now).await
        } else {
            Ok(None)
        }
    }

    pub async fn stop_integrity_check(&self) {
        self.integrity.stop().await;
    }

    /// `is_sound`: so the next start has less to check.
    pub async fn close(&self, is_sound: bool) {
        self.writer.close().await;
        if is_sound {
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
        .pragma("cache_size", PAGE_CACHE)
        .pragma("journal_size_limit", WAL_BYTES)
        // What is deleted is overwritten.
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
}
