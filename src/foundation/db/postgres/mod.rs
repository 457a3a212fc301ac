//! PostgreSQL: a server of its own, which several nodes may share.
//!
//! Writers take turns by a lock that goes with the transaction; readers cannot write. All connections are of one
//! server: who it is comes with each question ([`Asker`]), and a connection of another is not used.

mod asker;
mod backup;
mod migrate;
mod primary;
mod schema;
mod server;
mod status;
mod transaction;

use std::fmt;
use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

use super::{Nodes, Pool, TIMEOUT};
use primary::Primary;

pub use asker::{Asker, at_commit};
pub use backup::{backup, restore};
pub use migrate::{connect_current, prepare};
pub use server::Server;
pub use status::{check, status};
pub use transaction::{Lease, Transaction, in_time};

const READERS: u32 = 4;
const WRITERS: u32 = 6;

/// One writer at a time, as on SQLite. The lock goes with the transaction, so it passes a pooler; its number
/// means nothing.
const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock(7083165)";

/// Who waits for a lock gives up before those who wait for the answer do, and who holds one and says nothing
/// more is cut off.
const LIMITS: [(&str, &str); 3] = [
    ("lock_timeout", "1s"),
    ("statement_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "3s"),
];

/// Connections that write.
pub struct Writers {
    pool: PgPool,
    server: Server,
    nodes: Arc<Nodes>,
}

/// The connections of one process.
pub struct Connections {
    pub writers: Writers,
    pub reader: Pool,
    pub asker: Asker,
}

impl Connections {
    pub async fn open(server: &Server) -> Result<Self, sqlx::Error> {
        let primary = Arc::new(Primary::default());
        let nodes = Arc::new(Nodes::new(Uuid::now_v7()));
        let reading = session(server, true);
        Ok(Self {
            asker: Asker::new(reading.clone(), primary.clone(), nodes.clone()),
            reader: pool(reading, READERS, &primary).await?.into(),
            writers: Writers {
                pool: pool(session(server, false), WRITERS, &primary).await?,
                server: server.clone(),
                nodes,
            },
        })
    }
}

impl Writers {
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        Transaction::begin(&self.pool, BEGIN).await
    }

    pub async fn begin_apart(&self) -> Result<Transaction, sqlx::Error> {
        Transaction::begin(&self.pool, "BEGIN").await
    }

    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub async fn close(&self) {
        self.pool.close().await;
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
