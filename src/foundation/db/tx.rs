use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use rocket::tokio::sync::SetOnce;
use rocket::tokio::time::sleep;
use sqlx::{Sqlite, Transaction};

use super::cache::{ACKNOWLEDGE_AFTER, Cache, Invalidation, Key};
use super::{Connection, DatabaseFailure};

/// A write transaction; what is not committed is rolled back.
pub struct Tx {
    inner: Transaction<'static, Sqlite>,
    began: Instant,
    writes: Histogram,
    cache: Arc<Cache>,
    invalidation: Vec<Key>,
    invalidates_all: bool,
    beside_a_server: bool,
    failure: Arc<SetOnce<DatabaseFailure>>,
}

impl Tx {
    /// `began` is when its turn was asked for.
    pub(super) fn new(
        inner: Transaction<'static, Sqlite>,
        began: Instant,
        writes: Histogram,
        cache: Arc<Cache>,
        beside_a_server: bool,
        failure: Arc<SetOnce<DatabaseFailure>>,
    ) -> Self {
        Self {
            inner,
            began,
            writes,
            cache,
            invalidation: Vec::new(),
            invalidates_all: true,
            beside_a_server,
            failure,
        }
    }

    /// Names a row that may be in memory and is changed.
    pub(crate) fn invalidates(&mut self, key: Key) {
        self.invalidation.push(key);
    }

    /// Whatever else the transaction writes is never in memory. Without this, everything is forgotten.
    pub(crate) fn invalidates_nothing_else(&mut self) {
        self.invalidates_all = false;
    }

    /// # Errors
    /// Nothing was written; or, if the disk failed, nobody knows before the next start, and nothing
    /// more is written until then.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        let mut outcome = Outcome {
            cache: self.cache,
            invalidation: None,
        };
        self.inner.commit().await.inspect_err(|error| {
            if let Some(failure) = DatabaseFailure::of_commit(error)
                && self.failure.set(failure).is_ok()
            {
                tracing::error!("{failure}: {error}");
            }
        })?;
        outcome.invalidation = Some(if self.invalidates_all {
            Invalidation::All
        } else {
            Invalidation::Keys(self.invalidation)
        });
        drop(outcome);
        if self.beside_a_server {
            sleep(ACKNOWLEDGE_AFTER).await;
        }
        self.writes.observe(self.began.elapsed().as_secs_f64());
        Ok(())
    }
}

/// What came of a commit, for memory; also when the wait for it was given up.
struct Outcome {
    cache: Arc<Cache>,
    /// `None`: it may happen yet.
    invalidation: Option<Invalidation>,
}

impl Drop for Outcome {
    fn drop(&mut self) {
        match &self.invalidation {
            Some(invalidation) => self.cache.invalidate(invalidation),
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
