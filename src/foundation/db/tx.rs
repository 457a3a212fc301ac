use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use rocket::tokio::sync::SetOnce;
use rocket::tokio::time::sleep;
use sqlx::{Sqlite, Transaction};

use super::memory::{ACKNOWLEDGE_AFTER, Key, Memory, Touched};
use super::{Connection, Trouble};

/// A write transaction; what is not committed is rolled back.
pub struct Tx {
    inner: Transaction<'static, Sqlite>,
    began: Instant,
    writes: Histogram,
    memory: Arc<Memory>,
    touched: Vec<Key>,
    touches_more: bool,
    beside_a_server: bool,
    trouble: Arc<SetOnce<Trouble>>,
}

impl Tx {
    /// `began` is when its turn was asked for.
    pub(super) fn new(
        inner: Transaction<'static, Sqlite>,
        began: Instant,
        writes: Histogram,
        memory: Arc<Memory>,
        beside_a_server: bool,
        trouble: Arc<SetOnce<Trouble>>,
    ) -> Self {
        Self {
            inner,
            began,
            writes,
            memory,
            touched: Vec::new(),
            touches_more: true,
            beside_a_server,
            trouble,
        }
    }

    /// Names a row that may be in memory and is changed.
    pub(crate) fn touches(&mut self, key: Key) {
        self.touched.push(key);
    }

    /// Whatever else the transaction writes is never in memory. Without this, everything is forgotten.
    pub(crate) fn touches_nothing_more(&mut self) {
        self.touches_more = false;
    }

    /// # Errors
    /// Nothing was written; or, if the disk failed, nobody knows before the next start, and nothing
    /// more is written until then.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        let mut outcome = Outcome {
            memory: self.memory,
            touched: None,
        };
        self.inner.commit().await.inspect_err(|error| {
            if let Some(trouble) = Trouble::of_commit(error)
                && self.trouble.set(trouble).is_ok()
            {
                tracing::error!("{trouble}: {error}");
            }
        })?;
        outcome.touched = Some(if self.touches_more {
            Touched::Everything
        } else {
            Touched::Rows(self.touched)
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
    memory: Arc<Memory>,
    /// `None`: it may happen yet.
    touched: Option<Touched>,
}

impl Drop for Outcome {
    fn drop(&mut self) {
        match &self.touched {
            Some(touched) => self.memory.forget(touched),
            None => self.memory.doubt(),
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
