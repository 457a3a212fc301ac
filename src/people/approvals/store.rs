use sqlx::Row as _;
use uuid::Uuid;

use super::Waiting;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool, from_row};

from_row!(Waiting, |row| {
    Ok(Self {
        id: row.try_get("id")?,
        username: row.try_get("username")?,
        display_name: row.try_get("display_name")?,
        email: row.try_get("email")?,
        asked_at: row.try_get("asked_at")?,
    })
});

pub(super) async fn insert(
    connection: &mut Connection,
    user_id: Uuid,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO approvals (user_id, asked_at) VALUES ($1, $2)")
        .bind(user_id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// False: there was no such row.
pub(super) async fn delete(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query("DELETE FROM approvals WHERE user_id = $1")
        .bind(user_id)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn list(pool: &Pool, limit: i64) -> Result<Vec<Waiting>, sqlx::Error> {
    pool.query(
        "SELECT u.id, u.username, u.display_name, u.email, a.asked_at FROM approvals a JOIN users u ON u.id = a.user_id
         ORDER BY a.asked_at, u.id LIMIT $1",
    )
    .bind(limit)
    .all()
    .await
}

pub(super) async fn count(pool: &Pool) -> Result<i64, sqlx::Error> {
    pool.query("SELECT count(*) FROM approvals").scalar().await
}
