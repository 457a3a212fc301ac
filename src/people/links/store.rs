use sqlx::FromRow;
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool};
use crate::foundation::token::TokenHash;

/// Whose link it is, and what it carries.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Link {
    pub user_id: Uuid,
    pub data: String,
}

pub(super) async fn insert(
    connection: &mut Connection,
    hash: &TokenHash,
    purpose: &str,
    link: &Link,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO links (hash, purpose, user_id, data, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(hash.as_bytes())
        .bind(purpose)
        .bind(link.user_id)
        .bind(&link.data)
        .bind(now)
        .bind(expires_at)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn find(
    pool: &Pool,
    hash: &TokenHash,
    purpose: &str,
    now: Timestamp,
) -> Result<Option<Link>, sqlx::Error> {
    pool.query(
        "SELECT user_id, data FROM links WHERE hash = $1 AND purpose = $2 AND expires_at > $3",
    )
    .bind(hash.as_bytes())
    .bind(purpose)
    .bind(now)
    .optional()
    .await
}

pub(super) async fn take(
    connection: &mut Connection,
    hash: &TokenHash,
    purpose: &str,
    now: Timestamp,
) -> Result<Option<Link>, sqlx::Error> {
    connection
        .query("DELETE FROM links WHERE hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING user_id, data")
        .bind(hash.as_bytes())
        .bind(purpose)
        .bind(now)
        .optional()
        .await
}

pub(super) async fn end_of(
    connection: &mut Connection,
    user_id: Uuid,
    purpose: &str,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM links WHERE user_id = $1 AND purpose = $2")
        .bind(user_id)
        .bind(purpose)
        .execute()
        .await?;
    Ok(())
}

/// Whatever links a user has.
pub(crate) async fn end_all(connection: &mut Connection, user_id: Uuid) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM links WHERE user_id = $1")
        .bind(user_id)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn delete_expired(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM links WHERE expires_at <= $1")
        .bind(now)
        .execute()
        .await?;
    Ok(())
}
