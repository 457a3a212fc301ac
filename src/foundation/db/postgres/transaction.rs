//! A transaction, and a connection for one statement. The driver's own would hold a connection, and its locks, for as
//! long as a server that is cut off takes to answer.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use rocket::tokio::runtime::Handle;
use rocket::tokio::time::timeout;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, raw_sql};

use super::TIMEOUT;
use super::fence::Fence;

/// The server's own limits for a statement, and what the way takes.
const LONGEST: Duration = Duration::from_secs(6);
const LONGEST_OF_LONG: Duration = Duration::from_secs(61);

/// Gives up on a server that is cut off.
pub async fn in_time<T>(
    is_long: bool,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let longest = if is_long { LONGEST_OF_LONG } else { LONGEST };
    let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
    timeout(longest, answer).await.unwrap_or_else(late)
}

/// A connection of a pool's. Unless it is given back, it is closed: whoever gave up waiting does not know what it
/// would say next.
#[derive(Debug)]
pub struct Lease(Option<PoolConnection<Postgres>>);

/// Connections to be used one statement, or one transaction, at a time.
#[derive(Clone, Debug)]
pub struct Connections {
    pub pool: PgPool,
    pub fence: Arc<Fence>,
}

impl Connections {
    pub async fn lease(&self) -> Result<Lease, sqlx::Error> {
        self.fence.require()?;
        let connection = self.pool.acquire().await?;
        Ok(Lease(Some(connection)))
    }
}

impl Lease {
    pub fn give_back(mut self) {
        drop(self.0.take());
    }

    /// Unless it is not known what the connection would say next.
    pub fn give_back_after<T>(self, outcome: &Result<T, sqlx::Error>) {
        if !matches!(outcome, Err(sqlx::Error::Io(_) | sqlx::Error::Protocol(_))) {
            self.give_back();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.0.as_ref().expect("not given back")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("not given back")
    }
}

/// Rolled back unless it is committed.
#[derive(Debug)]
pub struct Transaction(Option<Lease>);

impl Transaction {
    pub async fn begin(
        connections: &Connections,
        begin: &'static str,
    ) -> Result<Self, sqlx::Error> {
        let mut transaction = Self(Some(connections.lease().await?));
        in_time(false, raw_sql(begin).execute(&mut *transaction)).await?;
        Ok(transaction)
    }

    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        let mut lease = self.0.take().expect("not ended");
        // Not given up: it may happen yet.
        raw_sql("COMMIT").execute(&mut *lease).await?;
        lease.give_back();
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let (Some(mut lease), Ok(runtime)) = (self.0.take(), Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            let rolled_back = timeout(TIMEOUT, raw_sql("ROLLBACK").execute(&mut *lease)).await;
            if matches!(rolled_back, Ok(Ok(_))) {
                lease.give_back();
            }
        });
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.0.as_ref().expect("not ended")
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("not ended")
    }
}
