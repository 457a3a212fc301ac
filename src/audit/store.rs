use sqlx::SqlitePool;
use uuid::Uuid;

use super::{Entry, Event};
use crate::clock::Timestamp;
use crate::db::Connection;

/// Which records to list, newest first; `None` does not narrow.
#[derive(Debug, Default)]
pub struct Filter {
    pub username: Option<String>,
    pub event: Option<Event>,
    pub since: Option<Timestamp>,
    /// At most this many.
    pub limit: u32,
}

pub(super) async fn insert(connection: &mut Connection, entry: &Entry) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit (id, at, event, result, source, user_id, username, actor, address, session_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(entry.id)
    .bind(entry.at)
    .bind(&entry.event)
    .bind(&entry.result)
    .bind(&entry.source)
    .bind(entry.user_id)
    .bind(&entry.username)
    .bind(&entry.actor)
    .bind(&entry.address)
    .bind(entry.session_id)
    .bind(&entry.detail)
    .execute(connection)
    .await?;
    Ok(())
}

/// # Errors
/// The database failed.
pub async fn list(pool: &SqlitePool, filter: &Filter) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as(
        "SELECT * FROM audit
         WHERE ($1 IS NULL OR username = $1)
           AND ($2 IS NULL OR event = $2)
           AND ($3 IS NULL OR at >= $3)
         ORDER BY id DESC LIMIT $4",
    )
    .bind(&filter.username)
    .bind(filter.event.map(Event::as_str))
    .bind(filter.since)
    .bind(filter.limit)
    .fetch_all(pool)
    .await
}

/// The user's newest sign-ins, failed ones too.
///
/// # Errors
/// The database failed.
pub async fn recent_sign_ins(
    pool: &SqlitePool,
    user_id: Uuid,
    limit: u32,
) -> Result<Vec<SignIn>, sqlx::Error> {
    sqlx::query_as(
        "SELECT audit.at, audit.result, audit.address, audit.session_id, sessions.user_agent
         FROM audit LEFT JOIN sessions ON sessions.id = audit.session_id
         WHERE audit.user_id = $1 AND audit.event IN ('sign_in', 'setup')
         ORDER BY audit.id DESC LIMIT $2",
    )
    .bind(user_id)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// A sign-in as its user is shown it.
#[derive(Debug, sqlx::FromRow)]
pub struct SignIn {
    pub at: Timestamp,
    pub result: String,
    pub address: Option<String>,
    pub session_id: Option<Uuid>,
    pub user_agent: Option<String>,
}
