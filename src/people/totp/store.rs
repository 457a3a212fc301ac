use sqlx::Row;
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool, from_row};
use crate::foundation::secrets::Sealed;

from_row!(Sealed, |row| {
    Ok(Self {
        key_id: row.try_get("key_id")?,
        bytes: row.try_get("secret")?,
    })
});

/// `None`: there is none, or too many wrong codes came for it.
pub(super) async fn sealed(
    pool: &Pool,
    user_id: Uuid,
    most_failures: i64,
) -> Result<Option<Sealed>, sqlx::Error> {
    pool.query("SELECT key_id, secret FROM totp WHERE user_id = $1 AND failures < $2")
        .bind(user_id)
        .bind(most_failures)
        .optional()
        .await
}

pub(super) async fn created_at(
    pool: &Pool,
    user_id: Uuid,
) -> Result<Option<Timestamp>, sqlx::Error> {
    pool.query("SELECT created_at FROM totp WHERE user_id = $1")
        .bind(user_id)
        .optional_scalar()
        .await
}

pub(super) async fn insert(
    connection: &mut Connection,
    user_id: Uuid,
    sealed: &Sealed,
    step: i64,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM totp WHERE user_id = $1")
        .bind(user_id)
        .execute()
        .await?;
    connection
        .query("INSERT INTO totp (user_id, secret, key_id, created_at, last_step) VALUES ($1, $2, $3, $4, $5)")
        .bind(user_id)
        .bind(&sealed.bytes)
        .bind(sealed.key_id)
        .bind(now)
        .bind(step)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn spend(
    connection: &mut Connection,
    user_id: Uuid,
    step: i64,
    most_failures: i64,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query("UPDATE totp SET last_step = $2, failures = 0 WHERE user_id = $1 AND last_step < $2 AND failures < $3")
        .bind(user_id)
        .bind(step)
        .bind(most_failures)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Counts a wrong code, and says how many came in a row; none where there is no secret.
pub(crate) async fn failed(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<Option<i64>, sqlx::Error> {
    connection
        .query("UPDATE totp SET failures = failures + 1 WHERE user_id = $1 RETURNING failures")
        .bind(user_id)
        .optional_scalar()
        .await
}

/// False if there is none.
pub(crate) async fn remove(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query("DELETE FROM totp WHERE user_id = $1")
        .bind(user_id)
        .execute()
        .await?;
    Ok(rows == 1)
}
