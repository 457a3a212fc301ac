use sqlx::Row;
use uuid::Uuid;

use super::TrustedDevice;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool, from_row};
use crate::foundation::token::TokenHash;
use crate::sessions::Session;

from_row!(TrustedDevice, |row| {
    Ok(Self {
        id: row.try_get("id")?,
        device: row.try_get("device")?,
        address: row.try_get("address")?,
        created_at: row.try_get("created_at")?,
        last_used_at: row.try_get("last_used_at")?,
        expires_at: row.try_get("expires_at")?,
    })
});

pub(super) async fn insert(
    connection: &mut Connection,
    hash: &TokenHash,
    trusted: &TrustedDevice,
    session: &Session,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO trusted_devices (token_hash, id, user_id, session_id, device, address, created_at, last_used_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
        )
        .bind(hash.as_bytes())
        .bind(trusted.id)
        .bind(session.user_id)
        .bind(session.id)
        .bind(&trusted.device)
        .bind(&trusted.address)
        .bind(trusted.created_at)
        .bind(trusted.expires_at)
        .execute()
        .await?;
    Ok(())
}

/// False if it is none of this user's, or has ended.
pub(super) async fn use_of(
    connection: &mut Connection,
    hash: &TokenHash,
    user_id: Uuid,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query("UPDATE trusted_devices SET last_used_at = $3 WHERE token_hash = $1 AND user_id = $2 AND expires_at > $3")
        .bind(hash.as_bytes())
        .bind(user_id)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn list(
    pool: &Pool,
    user_id: Uuid,
    now: Timestamp,
) -> Result<Vec<TrustedDevice>, sqlx::Error> {
    pool.query(
        "SELECT id, device, address, created_at, last_used_at, expires_at FROM trusted_devices
         WHERE user_id = $1 AND expires_at > $2 ORDER BY id DESC",
    )
    .bind(user_id)
    .bind(now)
    .all()
    .await
}

/// What it was; `None` if there is none.
pub(super) async fn forget(
    connection: &mut Connection,
    user_id: Uuid,
    id: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    connection
        .query("DELETE FROM trusted_devices WHERE user_id = $1 AND id = $2 RETURNING device")
        .bind(user_id)
        .bind(id)
        .optional_scalar()
        .await
}

/// All of a user's.
pub(crate) async fn forget_all(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM trusted_devices WHERE user_id = $1")
        .bind(user_id)
        .execute()
        .await?;
    Ok(())
}

/// All, or all of a user's, but those of one session.
pub(in crate::sessions) async fn forget_others(
    connection: &mut Connection,
    user_id: Option<Uuid>,
    keep: Option<Uuid>,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "DELETE FROM trusted_devices WHERE ($1 IS NULL OR user_id = $1) AND ($2 IS NULL OR session_id <> $2)",
        )
        .bind(user_id)
        .bind(keep)
        .execute()
        .await?;
    Ok(())
}

/// Those that were trusted in a session that was revoked.
pub(in crate::sessions) async fn forget_of_revoked(
    connection: &mut Connection,
    session_id: Uuid,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM trusted_devices WHERE session_id = $1")
        .bind(session_id)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn forget_expired(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM trusted_devices WHERE expires_at <= $1")
        .bind(now)
        .execute()
        .await?;
    Ok(())
}
