use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool, from_row};
use crate::foundation::token::TokenHash;
use sqlx::Row as _;

/// Who printed the link that is good now, and when.
pub(super) struct Printed {
    pub node: String,
    pub at: Timestamp,
}

from_row!(Printed, |row| Ok(Self {
    node: row.try_get(0)?,
    at: row.try_get(1)?,
}));

/// In place of an earlier one.
pub(super) async fn replace_code(
    connection: &mut Connection,
    hash: &TokenHash,
    node: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    delete_code(connection).await?;
    connection
        .query(
            "INSERT INTO setup (code_hash, node, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(hash.as_bytes())
        .bind(node)
        .bind(now)
        .bind(expires_at)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn delete_code(connection: &mut Connection) -> Result<(), sqlx::Error> {
    connection.query("DELETE FROM setup").execute().await?;
    Ok(())
}

pub(super) async fn is_code(
    pool: &Pool,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    pool.query("SELECT EXISTS (SELECT 1 FROM setup WHERE code_hash = $1 AND expires_at > $2)")
        .bind(hash.as_bytes())
        .bind(now)
        .scalar()
        .await
}

/// `None`: no code is good now.
pub(super) async fn printed(pool: &Pool, now: Timestamp) -> Result<Option<Printed>, sqlx::Error> {
    pool.query("SELECT node, created_at FROM setup WHERE expires_at > $1")
        .bind(now)
        .optional()
        .await
}
