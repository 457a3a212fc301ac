use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use sqlx::{Sqlite, Transaction};

use super::Connection;

/// A write transaction; what is not committed is rolled back.
pub struct Tx {
    inner: Transaction<'static, Sqlite>,
    began: Instant,
    writes: Histogram,
}

impl Tx {
    /// `began` is when its turn was asked for.
    pub(super) fn new(
        inner: Transaction<'static, Sqlite>,
        began: Instant,
        writes: Histogram,
    ) -> Self {
        Self {
            inner,
            began,
            writes,
        }
    }

    /// # Errors
    /// Nothing was written.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await?;
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
