//! The nodes that run on one database. Who changes what others may have in memory waits until their questions have seen
//! it; who is alone does not.
//!
//! Times are the server's, so that no node's clock matters.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool};

/// The server's time in microseconds.
macro_rules! now {
    () => {
        "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
    };
}

/// This process, among the others on a server of PostgreSQL's. On a file of SQLite's there are none.
#[derive(Debug)]
pub struct Nodes {
    own: Uuid,
    /// A command is no node.
    has_joined: AtomicBool,
    leads: AtomicBool,
    /// The oldest transaction that was under way when it was last asked for.
    oldest: AtomicI64,
}

/// A process that serves, or has served.
#[derive(Clone, Debug, FromRow, Serialize)]
pub struct Node {
    pub id: Uuid,
    pub name: String,
    pub version: String,
    pub started_at: Timestamp,
    /// When it last said that it is there; it does so every five seconds.
    pub seen_at: Timestamp,
    /// Whether it does the housekeeping of all.
    pub leads: bool,
}

impl Nodes {
    #[cfg(feature = "postgres")]
    pub(super) fn new(own: Uuid) -> Self {
        Self {
            own,
            has_joined: AtomicBool::new(false),
            leads: AtomicBool::new(false),
            oldest: AtomicI64::new(0),
        }
    }

    #[cfg(feature = "postgres")]
    pub(super) fn own(&self) -> Uuid {
        self.own
    }

    /// Up to which transaction all nodes have seen what was changed. Asked once a minute, it gives what was `oldest` a minute
    /// ago: a node that has asked nothing for half a minute begins anew.
    pub(super) fn prunable(&self, oldest: i64) -> i64 {
        self.oldest.swap(oldest, Ordering::Relaxed)
    }

    pub fn has_joined(&self) -> bool {
        self.has_joined.load(Ordering::Relaxed)
    }

    pub fn leads(&self) -> bool {
        self.leads.load(Ordering::Relaxed)
    }

    /// In a transaction that has the writers' turn: a change either comes before, and is seen by the first question, or
    /// after, and waits for this node.
    ///
    /// # Errors
    /// The database failed.
    pub async fn join(
        &self,
        tx: &mut Connection,
        name: &str,
        version: &str,
    ) -> Result<(), sqlx::Error> {
        tx.query(concat!(
            "INSERT INTO nodes (id, name, version, started_at, seen_at)
             VALUES ($1, $2, $3, ",
            now!(),
            ", ",
            now!(),
            ") ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, left_at = NULL"
        ))
        .bind(self.own)
        .bind(name)
        .bind(version)
        .execute()
        .await?;
        self.has_joined.store(true, Ordering::Relaxed);
        self.find_leader(tx).await
    }

    /// The one that has been there longest.
    async fn find_leader(&self, tx: &mut Connection) -> Result<(), sqlx::Error> {
        let first: Option<Uuid> = tx
            .query("SELECT id FROM nodes WHERE left_at IS NULL ORDER BY id LIMIT 1")
            .optional_scalar()
            .await?;
        self.leads.store(first == Some(self.own), Ordering::Relaxed);
        Ok(())
    }

    /// Says that this node is there, and strikes off those that have not for long. False: it was struck off itself.
    ///
    /// # Errors
    /// The database failed.
    pub async fn heartbeat(&self, tx: &mut Connection, key_ids: &str) -> Result<bool, sqlx::Error> {
        let seen = tx
            .query(concat!(
                "UPDATE nodes SET key_ids = $2, seen_at = ",
                now!(),
                " WHERE id = $1 AND left_at IS NULL"
            ))
            .bind(self.own)
            .bind(key_ids)
            .execute()
            .await?;
        tx.query(concat!(
            "UPDATE nodes SET left_at = ",
            now!(),
            " WHERE left_at IS NULL AND seen_at < ",
            now!(),
            " - 30000000"
        ))
        .execute()
        .await?;
        self.find_leader(tx).await?;
        Ok(seen > 0)
    }

    /// Its cache answers nothing by now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn leave(&self, tx: &mut Connection) -> Result<(), sqlx::Error> {
        self.leads.store(false, Ordering::Relaxed);
        tx.query(concat!(
            "UPDATE nodes SET left_at = ",
            now!(),
            " WHERE id = $1"
        ))
        .bind(self.own)
        .execute()
        .await?;
        Ok(())
    }

    /// Whether another may have something in memory: one that has not left, or left so lately that it may not know.
    pub(super) async fn others(&self, tx: &mut Connection) -> Result<bool, sqlx::Error> {
        tx.query(concat!(
            "SELECT EXISTS (SELECT FROM nodes WHERE id <> $1 AND (left_at IS NULL OR left_at > ",
            now!(),
            " - 60000000))"
        ))
        .bind(self.own)
        .scalar()
        .await
    }

    /// Forgets nodes that left a day ago.
    ///
    /// # Errors
    /// The database failed.
    pub async fn prune(&self, tx: &mut Connection) -> Result<(), sqlx::Error> {
        tx.query(concat!(
            "DELETE FROM nodes WHERE left_at < ",
            now!(),
            " - 86400000000"
        ))
        .execute()
        .await?;
        Ok(())
    }
}

/// Those that run, the leader first.
///
/// # Errors
/// The database failed.
pub async fn running(pool: &Pool) -> Result<Vec<Node>, sqlx::Error> {
    pool.query(RUNNING).all().await
}

/// The names of those that run and do not say that they have this key.
///
/// # Errors
/// The database failed.
pub async fn without_key(
    connection: &mut Connection,
    key_id: &str,
) -> Result<Vec<String>, sqlx::Error> {
    connection
        .query(
            "SELECT name FROM nodes WHERE left_at IS NULL AND ' ' || key_ids || ' ' NOT LIKE '% ' || $1 || ' %' ORDER BY name",
        )
        .bind(key_id)
        .scalars()
        .await
}

pub(super) const RUNNING: &str = concat!(
    "SELECT id, name, version, started_at, seen_at, row_number() OVER (ORDER BY id) = 1 AS leads
     FROM nodes WHERE left_at IS NULL AND seen_at > ",
    now!(),
    " - 30000000 ORDER BY id"
);
