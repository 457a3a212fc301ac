//! Whether the server may still be believed. One that was cut off while its standby took its place could go on to answer,
//! and knows nothing of what is ended at the other. It has no synchronous standby any more, and so confirms no write:
//! without a write that was confirmed lately, nothing is answered, and what a new server acknowledges waits until no node
//! can believe the old one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rocket::tokio::sync::Mutex;
use rocket::tokio::time::timeout;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, raw_sql};

/// How long a confirmed write holds.
const BELIEVED_FOR: Duration = Duration::from_secs(2);

/// How long after the first sight of a server nothing that ends a session is acknowledged there.
pub const ACKNOWLEDGE_AFTER: Duration = Duration::from_secs(3);

/// Of no row: a few bytes that a standby has to have.
const WRITE: &str = "SELECT pg_logical_emit_message(TRUE, 'vestibule', '')";

pub struct Fence {
    options: PgConnectOptions,
    /// As the settings have it; otherwise with a synchronous standby.
    wanted: Option<bool>,
    is_synchronous: AtomicBool,
    /// When the last write was sent that was confirmed, in milliseconds after `began`; 0: none was.
    confirmed: AtomicU64,
    began: Instant,
    connection: Mutex<Option<PgConnection>>,
}

impl Fence {
    pub fn new(options: PgConnectOptions, wanted: Option<bool>) -> Self {
        Self {
            options,
            wanted,
            is_synchronous: AtomicBool::new(false),
            confirmed: AtomicU64::new(0),
            began: Instant::now(),
            connection: Mutex::default(),
        }
    }

    /// As the server says of itself.
    pub fn set_synchronous(&self, is_synchronous: bool) {
        self.is_synchronous.store(is_synchronous, Ordering::Relaxed);
    }

    pub fn is_required(&self) -> bool {
        let wanted = self.wanted;
        wanted.unwrap_or_else(|| self.is_synchronous.load(Ordering::Relaxed))
    }

    pub fn is_believed(&self) -> bool {
        if !self.is_required() {
            return true;
        }
        let confirmed = self.confirmed.load(Ordering::Relaxed);
        let sent_at = self.began + Duration::from_millis(confirmed);
        confirmed > 0 && sent_at.elapsed() < BELIEVED_FOR
    }

    /// # Errors
    /// The server may have been replaced.
    pub fn require(&self) -> Result<(), sqlx::Error> {
        if self.is_believed() {
            return Ok(());
        }
        let words =
            "no standby has confirmed a write for two seconds: this server may have been replaced";
        Err(sqlx::Error::Protocol(words.into()))
    }

    /// Has a write confirmed. To be called more often than it is believed for.
    ///
    /// # Errors
    /// It was not, in time.
    pub async fn confirm(&self) -> Result<(), sqlx::Error> {
        if !self.is_required() {
            return Ok(());
        }
        let mut place = self.connection.lock().await;
        // Not before the first moment, which stands for none.
        let sent_at = self.began.elapsed().as_millis().max(1);
        // Put back when it has answered.
        let connection = place.take();
        let written = timeout(BELIEVED_FOR, self.write(connection)).await;
        *place = Some(written.map_err(|_| sqlx::Error::PoolTimedOut)??);
        self.confirmed.fetch_max(
            u64::try_from(sent_at).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
        Ok(())
    }

    async fn write(&self, connection: Option<PgConnection>) -> Result<PgConnection, sqlx::Error> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        raw_sql(WRITE).execute(&mut connection).await?;
        Ok(connection)
    }

    pub async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            let _ = connection.close().await;
        }
    }
}

impl std::fmt::Debug for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fence")
    }
}
