use sqlx::FromRow;
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool};

#[derive(FromRow)]
pub(super) struct Stored {
    pub kind: String,
    pub detail: Option<String>,
    pub created_at: Timestamp,
}

pub(super) async fn insert(
    connection: &mut Connection,
    id: Uuid,
    user_id: Uuid,
    kind: &str,
    detail: Option<&str>,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO notices (id, user_id, kind, detail, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(user_id)
        .bind(kind)
        .bind(detail)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn unseen(
    pool: &Pool,
    user_id: Uuid,
    limit: i64,
) -> Result<Vec<Stored>, sqlx::Error> {
    pool.query(
        "SELECT kind, detail, created_at FROM notices WHERE user_id = $1 AND shown_at IS NULL ORDER BY id DESC LIMIT $2",
    )
    .bind(user_id)
    .bind(limit)
    .all()
    .await
}

pub(super) async fn mark_seen(
    connection: &mut Connection,
    user_id: Uuid,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE notices SET shown_at = $2 WHERE user_id = $1 AND shown_at IS NULL")
        .bind(user_id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn is_muted(
    connection: &mut Connection,
    user_id: Uuid,
    kind: &str,
) -> Result<bool, sqlx::Error> {
    connection
        .query("SELECT EXISTS (SELECT 1 FROM muted_notices WHERE user_id = $1 AND kind = $2)")
        .bind(user_id)
        .bind(kind)
        .scalar()
        .await
}

pub(super) async fn muted(pool: &Pool, user_id: Uuid) -> Result<Vec<String>, sqlx::Error> {
    pool.query("SELECT kind FROM muted_notices WHERE user_id = $1")
        .bind(user_id)
        .scalars()
        .await
}

pub(super) async fn mute(
    connection: &mut Connection,
    user_id: Uuid,
    kind: &str,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO muted_notices (user_id, kind) VALUES ($1, $2)")
        .bind(user_id)
        .bind(kind)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn unmute(connection: &mut Connection, user_id: Uuid) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM muted_notices WHERE user_id = $1")
        .bind(user_id)
        .execute()
        .await?;
    Ok(())
}
