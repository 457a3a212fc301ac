use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use rocket::tokio::sync::SetOnce;
use rocket::tokio::time::{sleep, sleep_until};

use super::cache::{ACKNOWLEDGE_AFTER, Cache};
use super::invalidations::{self, Changes};
use super::{Connection, DatabaseFailure, Writer};

/// A write transaction; what is not committed is rolled back.
pub struct Tx {
    inner: Connection,
    began: Instant,
    writes: Histogram,
    cache: Arc<Cache>,
    is_bulk: bool,
    /// Who may know of others that have something in memory.
    writer: Writer,
    beside_a_server: bool,
    failure: Arc<SetOnce<DatabaseFailure>>,
}

impl Tx {
    /// `began` is when its turn was asked for.
    pub(super) fn new(
        inner: Connection,
        began: Instant,
        writes: Histogram,
        cache: Arc<Cache>,
        writer: Writer,
        beside_a_server: bool,
        failure: Arc<SetOnce<DatabaseFailure>>,
    ) -> Self {
        Self {
            inner,
            began,
            writes,
            cache,
            is_bulk: false,
            writer,
            beside_a_server,
            failure,
        }
    }

    /// For a change of so many sessions that the cache drops everything instead of each of them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn changes_many_sessions(&mut self) -> Result<(), sqlx::Error> {
        self.is_bulk = true;
        invalidations::begin_bulk(&mut self.inner).await
    }

    /// # Errors
    /// Nothing was written; or, if the disk failed, nobody knows before the next start, and nothing
    /// more is written until then.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.is_bulk {
            invalidations::end_bulk(&mut self.inner).await?;
        }
        let last_id = self.cache.last_id();
        let (last_id, changes, is_change) =
            invalidations::at_commit(&mut self.inner, last_id).await?;
        let is_elsewhere = is_change && self.is_elsewhere().await?;
        let mut outcome = Outcome {
            cache: self.cache,
            changes: None,
        };
        self.inner.commit().await.inspect_err(|error| {
            if let Some(failure) = DatabaseFailure::of_commit(error)
                && self.failure.set(failure).is_ok()
            {
                tracing::error!("{failure}: {error}");
            }
        })?;
        outcome.changes = Some((last_id, changes));
        drop(outcome);
        if is_elsewhere {
            sleep(ACKNOWLEDGE_AFTER).await;
        }
        if is_change && let Some(at) = self.writer.acknowledges_at() {
            sleep_until(at.into()).await;
        }
        self.writes.observe(self.began.elapsed().as_secs_f64());
        Ok(())
    }
}

impl Tx {
    /// Whether another process may have in memory what was changed.
    async fn is_elsewhere(&mut self) -> Result<bool, sqlx::Error> {
        match self.writer.nodes() {
            Some(nodes) if !self.beside_a_server => nodes.others(&mut self.inner).await,
            _ => Ok(self.beside_a_server),
        }
    }
}

/// What came of a commit, for memory; also when the wait for it was given up.
struct Outcome {
    cache: Arc<Cache>,
    /// Up to which invalidation. `None`: it may happen yet.
    changes: Option<(i64, Changes)>,
}

impl Drop for Outcome {
    fn drop(&mut self) {
        match &self.changes {
            Some((last_id, changes)) => self.cache.drop_changed(*last_id, changes),
            None => self.cache.suspend(),
        }
    }
}

impl Deref for Tx {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.inner
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tx")
    }
}
