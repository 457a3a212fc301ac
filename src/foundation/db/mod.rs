//! The database: the one place that knows which engine runs.
//!
//! Writers take turns ([`Db::begin`]), so that none fails for another's write in between, and what one reads
//! before it writes is still so; readers cannot write ([`Db::reader`]). What was read may be kept in memory
//! ([`Db::cached`]).

mod ask;
mod asker;
mod cache;
#[cfg(feature = "program")]
pub mod copy;
mod failure;
mod gather;
#[cfg(feature = "program")]
mod grants;
mod invalidations;
mod location;
mod migrations;
mod nodes;
#[cfg(feature = "postgres")]
mod postgres;
mod refused;
mod sqlite;
mod status;
mod timings;
mod tx;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};
use std::{fmt, io};

use rocket::tokio::sync::{Mutex, SetOnce};

use crate::foundation::clock::Timestamp;

pub(crate) use ask::from_row;
pub use ask::{Bind, Builder, Connection, Engine, Executor, Pool, Query, Read};
use asker::Asker;
pub use cache::{ACKNOWLEDGE_AFTER, Cache, Generation, Key, Row, Snapshot};
pub use failure::DatabaseFailure;
pub use gather::Gather;
pub(crate) use gather::{for_keys, sized};
#[cfg(feature = "program")]
pub use grants::grants;
pub use location::{Location, backup, check, open_for_serving, prepare, restore, status};
pub(crate) use nodes::without_key as nodes_without_key;
pub use nodes::{Node, Nodes};
#[cfg(feature = "postgres")]
pub use postgres::Server;
pub use refused::Refused;
pub use sqlite::Lock;
pub use status::{ServerStatus, Status};
pub use timings::Timings;
pub use tx::Tx;
use writer::Writer;

/// An answer within a second or none: a person waits, a proxy's patience ends.
const TIMEOUT: Duration = Duration::from_secs(1);

/// An open, migrated database.
pub struct Db {
    writer: Writer,
    reader: Pool,
    asker: Asker,
    timings: Timings,
    cache: Arc<Cache>,
    beside_a_server: AtomicBool,
    failure: Arc<SetOnce<DatabaseFailure>>,
    probed: Mutex<Option<(Instant, bool)>>,
}

impl Db {
    /// Opens a database that [`prepare`] has made ready.
    ///
    /// # Errors
    /// The file cannot be opened for writing, or the server cannot be reached.
    pub async fn open(location: &Location, cached_sessions: usize) -> Result<Self, sqlx::Error> {
        let (writer, reader, asker) = match location {
            Location::File(location) => {
                let file = sqlite::File::open(location).await?;
                let (reader, asker) = (file.readers().await?.into(), file.asker().await?.into());
                (Writer::Sqlite(Arc::new(file)), reader, Asker::Sqlite(asker))
            }
            #[cfg(feature = "postgres")]
            Location::Server(server) => {
                let (writers, reader, asker) = postgres::open(server).await?;
                let writer = Writer::Postgres(Arc::new(writers));
                (writer, reader, Asker::Postgres(asker))
            }
        };
        Ok(Self::new(writer, reader, asker, cached_sessions))
    }

    fn new(writer: Writer, reader: Pool, asker: Asker, cached_sessions: usize) -> Self {
        Self {
            writer,
            reader,
            asker,
            timings: Timings::new(),
            cache: Arc::new(Cache::new(cached_sessions)),
            beside_a_server: AtomicBool::new(false),
            failure: Arc::default(),
            probed: Mutex::default(),
        }
    }

    /// Begins to write; waits for its turn, a second at most.
    ///
    /// # Errors
    /// Another writer did not finish in time, the database cannot be written, or it is in [`DatabaseFailure`].
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        self.begin_by(self.writer.begin()).await
    }

    /// Begins to write what concerns one user, or one session, alone: where nodes share a database, those of others go on
    /// meanwhile.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn begin_for(&self, whom: impl AsRef<[u8]>) -> Result<Tx, sqlx::Error> {
        self.begin_by(self.writer.begin_for(whom.as_ref())).await
    }

    /// Begins to write what is decided by nothing that is read before, and what no cache has: where nodes share a
    /// database, without waiting for a turn.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn begin_apart(&self) -> Result<Tx, sqlx::Error> {
        self.begin_by(self.writer.begin_apart()).await
    }

    async fn begin_by(
        &self,
        begin: impl Future<Output = Result<Connection, sqlx::Error>>,
    ) -> Result<Tx, sqlx::Error> {
        if let Some(failure) = self.failure() {
            return Err(io::Error::other(failure.to_string()).into());
        }
        let began = Instant::now();
        let begun = begin.await.inspect_err(|_| {
            // Perhaps it is another server than before, which only a question finds out.
            self.cache.ask(&self.asker, &self.writer);
        });
        Ok(Tx::new(
            begun?,
            began,
            self.timings.writes.clone(),
            self.cache.clone(),
            self.writer.clone(),
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
        snapshot.filter(|_| self.asker.is_believed())
    }

    /// Finds out whether the server may still be believed. To be called twice a second.
    ///
    /// # Errors
    /// It may have been replaced: nothing is read or written.
    pub(crate) async fn confirm(&self) -> Result<(), sqlx::Error> {
        self.writer.confirm().await
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
        let seen = self.cache.last_id();
        let prunable = match self.nodes() {
            Some(nodes) => seen.map(|oldest| nodes.prunable(oldest)),
            None => seen,
        };
        match prunable {
            Some(last_id) => invalidations::prune(tx, last_id).await,
            None => Ok(()),
        }
    }

    /// The processes that serve this database, where there can be several.
    #[must_use]
    pub fn nodes(&self) -> Option<&Nodes> {
        self.writer.nodes()
    }

    /// What there is to say of the server, where there is one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn server(&self) -> Result<Option<ServerStatus>, sqlx::Error> {
        if self.nodes().is_none() {
            return Ok(None);
        }
        let facts = self.reader.query(status::SERVER).one().await?;
        let nodes = nodes::running(&self.reader).await?;
        Ok(Some(ServerStatus::of(facts, nodes)))
    }

    /// Whether the housekeeping of all nodes is this one's.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.nodes().is_none_or(Nodes::leads)
    }

    /// From now on nothing is answered from memory.
    pub(crate) fn suspend_cache(&self) {
        self.cache.suspend();
    }

    /// The latest time that any node has told, in Unix microseconds, where there can be several.
    pub(crate) fn told(&self) -> Option<Arc<AtomicI64>> {
        self.asker.told()
    }

    /// Asks now whether anything was changed.
    ///
    /// # Errors
    /// It is not known.
    pub async fn ask(&self) -> Result<(), sqlx::Error> {
        self.cache.question(&self.asker, &self.writer).await
    }

    #[must_use]
    pub fn reader(&self) -> &Pool {
        &self.reader
    }

    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// The file, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.writer.file().map(sqlite::File::path)
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
        if let Some(file) = self.writer.file()
            && let Some(fault) = file.check_integrity(now).await?
        {
            tracing::error!("{fault}");
            self.fail_with(DatabaseFailure::Damaged);
        }
        Ok(())
    }

    /// How large the write-ahead log is; 0 if there is none.
    #[must_use]
    pub fn wal_bytes(&self) -> i64 {
        let bytes = self.writer.file().map_or(0, sqlite::File::wal_bytes);
        i64::try_from(bytes).unwrap_or(i64::MAX)
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
        tx.commit().await?;
        match self.nodes() {
            // A node that does not know what was changed answers late, and may be cut off.
            Some(_) => self.ask().await,
            None => Ok(()),
        }
    }

    pub async fn close(&self) {
        if let Some(file) = self.writer.file() {
            file.stop_integrity_check().await;
        }
        self.cache.suspend();
        self.reader.close().await;
        self.asker.close().await;
        self.writer.close(self.failure().is_none()).await;
    }
}

impl fmt::Display for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.writer.fmt(f)
    }
}
