//! PostgreSQL: a server of its own.

use std::{fmt, io};

use rocket::tokio;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};

use super::{Pool, TIMEOUT};

const READERS: u32 = 4;
const WRITERS: u32 = 6;

/// One writer at a time, as on SQLite. The lock goes with the transaction, so it passes a pooler; its number
/// means nothing.
const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock(7083165)";

/// Connections that write.
#[derive(Clone)]
pub struct Writers(PgPool);

impl Writers {
    pub async fn connect(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        connect(options, WRITERS).await.map(Self)
    }

    /// In a task of its own: the driver forgets a BEGIN that nobody waits for, and its lock would be held on.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let pool = self.0.clone();
        let beginning = tokio::spawn(async move { pool.begin_with(BEGIN).await });
        let given_up = |error| Err(io::Error::other(error).into());
        beginning.await.unwrap_or_else(given_up)
    }

    pub async fn close(&self) {
        self.0.close().await;
    }
}

/// Where the database is; without its password.
impl fmt::Display for Writers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.0.connect_options();
        let database = options.get_database().unwrap_or_default();
        write!(f, "postgres://{}/{database}", options.get_host())
    }
}

/// Connections that read, and the one that asks for invalidations.
pub async fn readers(options: &PgConnectOptions) -> Result<(Pool, Pool), sqlx::Error> {
    let reading = (options.clone()).options([("default_transaction_read_only", "on")]);
    let reader = connect(&reading, READERS).await?;
    let asker = connect(&reading, 1).await?;
    Ok((reader.into(), asker.into()))
}

/// Who waits for a lock gives up before those who wait for the answer do, and who holds one and says nothing
/// more is cut off.
async fn connect(options: &PgConnectOptions, most: u32) -> Result<PgPool, sqlx::Error> {
    let options = (options.clone()).application_name("vestibule").options([
        ("lock_timeout", "1s"),
        ("statement_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "3s"),
    ]);
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(TIMEOUT)
        .connect_with(options)
        .await
}
