use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Executor, Query};

pub(super) async fn insert(
    connection: &mut Connection,
    user_id: Uuid,
    hash: &[u8],
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO recovery_codes (user_id, hash) VALUES ($1, $2)")
        .bind(user_id)
        .bind(hash)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn spend(
    connection: &mut Connection,
    user_id: Uuid,
    hash: &[u8],
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query("UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at IS NULL")
        .bind(user_id)
        .bind(hash)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// How many were not used.
pub(crate) async fn left<'c>(
    executor: impl Into<Executor<'c>>,
    user_id: Uuid,
) -> Result<i64, sqlx::Error> {
    Query::on(
        executor,
        "SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL",
    )
    .bind(user_id)
    .scalar()
    .await
}

pub(crate) async fn forget(connection: &mut Connection, user_id: Uuid) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM recovery_codes WHERE user_id = $1")
        .bind(user_id)
        .execute()
        .await?;
    Ok(())
}
