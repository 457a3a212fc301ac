//! The question that the cache asks: what was changed, who the server is, and whether this node is one of those that
//! changes wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use rocket::tokio::sync::Mutex;
use rocket::tokio::time::timeout;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, FromRow, PgConnection};

use super::TIMEOUT;
use super::fence::Fence;
use super::primary::{Primary, identity};
use crate::foundation::db::invalidations::{Changes, MOST, read};
use crate::foundation::db::status::synchronous;
use crate::foundation::db::{Connection, Nodes};

/// Asks on a connection of its own, for which nobody else waits.
#[derive(Clone)]
pub struct Asker(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    connection: Mutex<Option<Answered>>,
    primary: Arc<Primary>,
    fence: Arc<Fence>,
    nodes: Arc<Nodes>,
    /// The latest time that any node has told, in microseconds.
    told: Arc<AtomicI64>,
    /// Another server than before is asked, and what was known from the old one is not dropped yet.
    is_new: AtomicBool,
}

/// A connection that has answered, and when.
struct Answered(PgConnection, Instant);

/// Invalidations are deleted when they are older than this ([`Nodes::prunable`]): what a node knows from before is worth nothing.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// A transaction has its number before it commits: what was written from the oldest on that was under way is read again,
/// so that some keys come twice, and none is missed.
const QUESTION: &str = concat!(
    "SELECT CAST(CAST(pg_snapshot_xmin(s) AS TEXT) AS BIGINT) AS oldest, ",
    identity!(),
    " AS identity, ",
    synchronous!(),
    " AS is_synchronous, (SELECT told FROM clock) AS told,
         EXISTS (SELECT FROM nodes WHERE id = $2 AND left_at IS NULL) AS is_joined, i.id IS NOT NULL AS is_row, i.key
     FROM pg_current_snapshot() s
     LEFT JOIN invalidations i ON i.txid >= CAST(CAST($1 AS TEXT) AS XID8) LIMIT $3"
);

#[derive(FromRow)]
struct Row {
    oldest: i64,
    identity: String,
    is_synchronous: bool,
    told: i64,
    is_joined: bool,
    is_row: bool,
    key: Option<Vec<u8>>,
}

impl Asker {
    pub fn new(
        options: PgConnectOptions,
        primary: Arc<Primary>,
        fence: Arc<Fence>,
        nodes: Arc<Nodes>,
    ) -> Self {
        Self(Arc::new(Inner {
            options,
            connection: Mutex::default(),
            primary,
            fence,
            nodes,
            told: Arc::default(),
            is_new: AtomicBool::new(false),
        }))
    }

    pub fn is_believed(&self) -> bool {
        self.0.fence.is_believed()
    }

    pub fn told(&self) -> &Arc<AtomicI64> {
        &self.0.told
    }

    /// What was changed since the transaction `last_id`, and the oldest that is under way now.
    ///
    /// # Errors
    /// The server did not answer within a second, is a standby, or this node has not joined.
    pub async fn ask(&self, last_id: Option<i64>) -> Result<(i64, Changes), sqlx::Error> {
        let mut place = self.0.connection.lock().await;
        let sent_at = Instant::now();
        // Put back when it has answered. To a server that may have been replaced it is opened anew, for the address may
        // lead to another by now.
        let is_good = |at: Instant| at.elapsed() < FORGOTTEN_AFTER && self.is_believed();
        let (connection, last_id) = match place.take() {
            Some(Answered(connection, at)) if is_good(at) => (Some(connection), last_id),
            _ => (None, None),
        };
        let asked = timeout(TIMEOUT, self.ask_on(connection, last_id)).await;
        let (connection, rows) = asked.map_err(|_| sqlx::Error::PoolTimedOut)??;
        *place = Some(Answered(connection, sent_at));
        self.read(last_id, rows)
    }

    pub async fn close(&self) {
        if let Some(Answered(connection, _)) = self.0.connection.lock().await.take() {
            let _ = connection.close().await;
        }
    }

    async fn ask_on(
        &self,
        connection: Option<PgConnection>,
        last_id: Option<i64>,
    ) -> Result<(PgConnection, Vec<Row>), sqlx::Error> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.0.options).await?,
        };
        let rows = sqlx::query_as(QUESTION)
            .bind(last_id.map(|last_id| last_id.to_string()))
            .bind(self.0.nodes.own())
            .bind(MOST)
            .fetch_all(&mut connection)
            .await?;
        Ok((connection, rows))
    }

    fn read(&self, last_id: Option<i64>, rows: Vec<Row>) -> Result<(i64, Changes), sqlx::Error> {
        let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        self.0.told.fetch_max(first.told, Ordering::Relaxed);
        let was_fenced = self.0.fence.is_required();
        self.0.fence.set_synchronous(first.is_synchronous);
        if self.0.primary.is_another(&first.identity, was_fenced) {
            self.0.is_new.store(true, Ordering::Relaxed);
        }
        if !first.is_joined {
            return Err(sqlx::Error::Protocol(
                "this node has not joined the others".into(),
            ));
        }
        let oldest = first.oldest;
        if self.0.is_new.swap(false, Ordering::Relaxed) {
            return Ok((oldest, Changes::All));
        }
        let keys = rows.into_iter().map(|row| (row.is_row, row.key));
        Ok((oldest, changes(last_id, keys)))
    }
}

/// What a transaction knows just before its commit: what was changed since the transaction `last_id`, the oldest that is
/// under way, and whether there is a change of its own.
pub async fn at_commit(
    connection: &mut Connection,
    last_id: Option<i64>,
) -> Result<(i64, Changes, bool), sqlx::Error> {
    let rows: Vec<(i64, bool, Option<Vec<u8>>, bool)> = connection
        .query(
            "SELECT CAST(CAST(pg_snapshot_xmin(s) AS TEXT) AS BIGINT), i.id IS NOT NULL, i.key,
                 coalesce(i.txid = pg_current_xact_id_if_assigned(), FALSE)
             FROM pg_current_snapshot() s
             LEFT JOIN invalidations i ON i.txid >= coalesce(CAST(CAST($1 AS TEXT) AS XID8), pg_current_xact_id_if_assigned())
             LIMIT $2",
        )
        .bind(last_id.map(|last_id| last_id.to_string()))
        .bind(MOST)
        .all()
        .await?;
    let (oldest, ..) = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let is_change = rows.len() as i64 == MOST || rows.iter().any(|(.., is_own)| *is_own);
    let oldest = *oldest;
    let keys = rows.into_iter().map(|(_, is_row, key, _)| (is_row, key));
    Ok((oldest, changes(last_id, keys), is_change))
}

fn changes(
    last_id: Option<i64>,
    rows: impl ExactSizeIterator<Item = (bool, Option<Vec<u8>>)>,
) -> Changes {
    if last_id.is_none() || rows.len() as i64 == MOST {
        return Changes::All;
    }
    let keys: Vec<_> = rows
        .filter(|(is_row, _)| *is_row)
        .map(|(_, key)| key)
        .collect();
    read(keys.iter())
}
