//! PostgreSQL: a server of its own, which several nodes may share.
//!
//! Writers take turns by a lock that goes with the transaction; readers cannot write. All connections are of one
//! server: who it is comes with each question ([`Asker`]), and a connection of another is not used.

mod asker;
mod backup;
mod fence;
mod migrate;
mod primary;
mod schema;
mod server;
mod status;
mod transaction;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

use super::status::synchronous;
use super::{Nodes, Pool, TIMEOUT};
use fence::Fence;
use primary::Primary;

pub use asker::{Asker, at_commit};
pub use backup::{backup, restore};
pub use migrate::{connect_current, prepare};
pub use server::Server;
pub use status::{check, status};
pub use transaction::{Connections, Transaction, in_time};

const READERS: u32 = 4;
const WRITERS: u32 = 6;

/// One writer at a time, as on SQLite. The lock goes with the transaction, so it passes a pooler; its number
/// means nothing.
const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock(7083165)";

/// Beside others of the kind, before or after those that have the turn to themselves.
const BEGIN_BESIDE: &str = "BEGIN; SELECT pg_advisory_xact_lock_shared(7083165)";

/// Who waits for a lock gives up before those who wait for the answer do, and who holds one and says nothing
/// more is cut off.
const LIMITS: [(&str, &str); 3] = [
    ("lock_timeout", "1s"),
    ("statement_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "3s"),
];

/// Connections that write.
pub struct Writers {
    connections: Connections,
    server: Server,
    primary: Arc<Primary>,
    nodes: Arc<Nodes>,
}

/// Opens the connections of one process: those that write, those that read, and the one that asks.
pub async fn open(server: &Server) -> Result<(Writers, Pool, Asker), sqlx::Error> {
    let primary = Arc::new(Primary::default());
    let nodes = Arc::new(Nodes::new(Uuid::now_v7()));
    let (reading, writing) = (session(server, true), session(server, false));
    let fence = Arc::new(Fence::new(writing.clone(), server.confirm()));
    let reader = pool(reading.clone(), READERS, &primary).await?;
    fence.set_synchronous(is_synchronous(&reader).await?);
    fence.confirm().await?;
    let connections = |pool| Connections {
        pool,
        fence: fence.clone(),
    };
    let asker = Asker::new(reading, primary.clone(), fence.clone(), nodes.clone());
    let writers = Writers {
        connections: connections(pool(writing, WRITERS, &primary).await?),
        server: server.clone(),
        primary,
        nodes,
    };
    Ok((writers, Pool::Postgres(connections(reader)), asker))
}

async fn is_synchronous(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(concat!("SELECT ", synchronous!()))
        .fetch_one(pool)
        .await
}

impl Writers {
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        Transaction::begin(&self.connections, BEGIN).await
    }

    /// Beside those that begin for others; two that begin for the same take turns.
    pub async fn begin_for(&self, whom: &[u8]) -> Result<Transaction, sqlx::Error> {
        let mut transaction = Transaction::begin(&self.connections, BEGIN_BESIDE).await?;
        let digest = Sha256::digest(whom);
        let number = digest
            .first_chunk()
            .map_or(0, |part| i32::from_le_bytes(*part));
        let lock = sqlx::query("SELECT pg_advisory_xact_lock(7083165, $1)").bind(number);
        in_time(false, lock.execute(&mut *transaction)).await?;
        Ok(transaction)
    }

    pub async fn begin_apart(&self) -> Result<Transaction, sqlx::Error> {
        Transaction::begin(&self.connections, "BEGIN").await
    }

    /// Until when a change is not acknowledged: a node may still believe the server that this one has replaced.
    pub fn acknowledges_at(&self) -> Option<Instant> {
        let since = self
            .primary
            .fenced_since(self.connections.fence.is_required());
        since.map(|since| since + fence::ACKNOWLEDGE_AFTER)
    }

    /// # Errors
    /// The server may have been replaced.
    pub async fn confirm(&self) -> Result<(), sqlx::Error> {
        self.connections.fence.confirm().await
    }

    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub async fn close(&self) {
        self.connections.pool.close().await;
        self.connections.fence.close().await;
    }
}

impl fmt::Display for Writers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(f)
    }
}

/// How a connection works: whatever the environment, the role or the database says.
fn session(server: &Server, reads_only: bool) -> PgConnectOptions {
    let reads_only = if reads_only { "on" } else { "off" };
    (server.options().clone()).options(LIMITS).options([
        ("search_path", server.schema()),
        ("default_transaction_read_only", reads_only),
        ("default_transaction_isolation", "read committed"),
    ])
}

async fn pool(
    options: PgConnectOptions,
    most: u32,
    primary: &Arc<Primary>,
) -> Result<PgPool, sqlx::Error> {
    let (connecting, acquiring) = (primary.clone(), primary.clone());
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(TIMEOUT)
        .after_connect(move |connection, _| {
            let primary = connecting.clone();
            Box::pin(async move { primary.require(connection).await })
        })
        .before_acquire(move |_, metadata| {
            let is_of_it = acquiring.is_younger(metadata.age);
            Box::pin(async move { Ok(is_of_it) })
        })
        .connect_with(options)
        .await
}
