use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool};

pub(super) async fn due(pool: &Pool, user_id: Uuid) -> Result<Option<Timestamp>, sqlx::Error> {
    pool.query("SELECT due_at FROM departures WHERE user_id = $1")
        .bind(user_id)
        .scalars()
        .await
        .map(|due: Vec<Timestamp>| due.first().copied())
}

/// Asking twice puts it off.
pub(super) async fn put(
    connection: &mut Connection,
    user_id: Uuid,
    due_at: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO departures (user_id, due_at) VALUES ($1, $2)
             ON CONFLICT (user_id) DO UPDATE SET due_at = excluded.due_at",
        )
        .bind(user_id)
        .bind(due_at)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn remove(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query("DELETE FROM departures WHERE user_id = $1")
        .bind(user_id)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Whether it is due still; it is over then.
pub(super) async fn take(
    connection: &mut Connection,
    user_id: Uuid,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query("DELETE FROM departures WHERE user_id = $1 AND due_at <= $2")
        .bind(user_id)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn over(pool: &Pool, now: Timestamp) -> Result<Vec<Uuid>, sqlx::Error> {
    pool.query("SELECT user_id FROM departures WHERE due_at <= $1 ORDER BY due_at LIMIT 100")
        .bind(now)
        .scalars()
        .await
}
