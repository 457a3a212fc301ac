use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use rocket::tokio::sync::SetOnce;
use sqlx::{Sqlite, Transaction};

use super::{Connection, Trouble};

/// A write transaction; what is not committed is rolled back.
pub struct Tx {
    inner: Transaction<'static, Sqlite>,
    began: Instant,
    writes: Histogram,
    trouble: Arc<SetOnce<Trouble>>,
}

impl Tx {
    /// `began` is when its turn was asked for.
    pub(super) fn new(
        inner: Transaction<'static, Sqlite>,
        began: Instant,
        writes: Histogram,
        trouble: Arc<SetOnce<Trouble>>,
    ) -> Self {
        Self {
            inner,
            began,
            writes,
            trouble,
        }
    }

    /// # Errors
    /// Nothing was written; or, if the disk failed, nobody knows before the next start, and nothing
    /// more is written until then.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await.inspect_err(|error| {
            if let Some(trouble) = Trouble::of_commit(error)
                && self.trouble.set(trouble).is_ok()
            {
                tracing::error!("{trouble}: {error}");
            }
        })?;
        self.writes.observe(self.began.elapsed().as_secs_f64());
        Ok(())
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
