//! All SQL of sessions.

mod listing;
mod look_up;
mod uses;

pub use listing::Found;
pub(super) use listing::{add_applications, count, page, page_of_former};
pub(super) use look_up::{AtSite, Joined, by_site_secrets, by_tokens};
pub(super) use uses::{USES_TOGETHER, touch, touch_site};

use sqlx::FromRow;
use uuid::Uuid;

use super::{Device, EndReason, Methods, Session, Which, device};
use crate::foundation::audit;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool};
use crate::foundation::token::TokenHash;

pub(super) async fn insert(
    connection: &mut Connection,
    hash: &TokenHash,
    session: &Session,
    device: &Device,
) -> Result<(), sqlx::Error> {
    let user_agent = audit::sanitize(&device.user_agent);
    let name = device::describe(&user_agent);
    connection.query(
        "INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                               idle_expires_at, expires_at, address, user_agent, device, trusted)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(hash.as_bytes())
    .bind(session.id)
    .bind(session.user_id)
    .bind(session.methods.to_string())
    .bind(session.remember)
    .bind(session.created_at)
    .bind(session.authenticated_at)
    .bind(session.last_seen_at)
    .bind(session.idle_expires_at)
    .bind(session.max_expires_at)
    .bind(device.address.to_canonical().to_string())
    .bind(&user_agent)
    .bind(&name)
    .bind(session.trusted)
    .execute()
    .await?;
    connection
        .query("INSERT INTO devices (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
        .bind(&name)
        .execute()
        .await?;
    Ok(())
}

/// Device and address of each session that is still listed, each pair once.
pub(super) async fn devices_of(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let rows: Vec<Origin> = connection
        .query("SELECT DISTINCT device, address FROM sessions WHERE user_id = $1")
        .bind(user_id)
        .all()
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.device, row.address))
        .collect())
}

#[derive(FromRow)]
struct Origin {
    device: String,
    address: String,
}

pub(super) async fn methods(connection: &mut Connection, id: Uuid) -> Result<Methods, sqlx::Error> {
    let methods: String = connection
        .query("SELECT methods FROM sessions WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .scalar()
        .await?;
    Methods::parse(&methods).map_err(|e| sqlx::Error::Decode(e.into()))
}

/// A new token for a live session that was just proven once more, by these methods among them.
pub(super) async fn rotate(
    connection: &mut Connection,
    id: Uuid,
    hash: &TokenHash,
    methods: Methods,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    // What hangs on the old token ends with it.
    for statement in [
        "DELETE FROM site_secrets WHERE token_hash = (SELECT token_hash FROM sessions WHERE id = $1)",
        "DELETE FROM tickets WHERE token_hash = (SELECT token_hash FROM sessions WHERE id = $1)",
    ] {
        connection.query(statement).bind(id).execute().await?;
    }
    let rows = connection.query("UPDATE sessions SET token_hash = $2, authenticated_at = $3, methods = $4 WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .bind(hash.as_bytes())
        .bind(now)
        .bind(methods.to_string())
        .execute()
        .await?;
    // It was ended meanwhile: the new token must not be handed out.
    if rows == 1 {
        Ok(())
    } else {
        Err(sqlx::Error::RowNotFound)
    }
}

/// False if it was not live.
pub(super) async fn end(
    connection: &mut Connection,
    id: Uuid,
    now: Timestamp,
    reason: EndReason,
    by: &str,
) -> Result<bool, sqlx::Error> {
    let rows = connection.query("UPDATE sessions SET ended_at = $2, end_reason = $3, ended_by = $4 WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .bind(now)
        .bind(reason.as_str())
        .bind(by)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn end_all_of(
    connection: &mut Connection,
    user_id: Uuid,
    keep: Option<Uuid>,
    now: Timestamp,
    reason: EndReason,
    by: &str,
) -> Result<u64, sqlx::Error> {
    connection
        .query(
            "UPDATE sessions SET ended_at = $3, end_reason = $4, ended_by = $5
         WHERE user_id = $1 AND ended_at IS NULL AND ($2 IS NULL OR id <> $2)",
        )
        .bind(user_id)
        .bind(keep)
        .bind(now)
        .bind(reason.as_str())
        .bind(by)
        .execute()
        .await
}

/// Ends what applications may do without a session: of a user, or of everyone.
pub(super) async fn end_offline_grants(
    connection: &mut Connection,
    user_id: Option<Uuid>,
    now: Timestamp,
    reason: EndReason,
) -> Result<(), sqlx::Error> {
    let query = match user_id {
        Some(user_id) => connection
            .query(
                "UPDATE grants SET ended_at = $1, end_reason = $2 WHERE offline AND ended_at IS NULL AND user_id = $3",
            )
            .bind(now)
            .bind(reason.as_str())
            .bind(user_id),
        None => connection
            .query("UPDATE grants SET ended_at = $1, end_reason = $2 WHERE offline AND ended_at IS NULL")
            .bind(now)
            .bind(reason.as_str()),
    };
    query.execute().await?;
    Ok(())
}

/// Ends the least recently used sessions of a user until `keep` are left.
pub(super) async fn end_beyond(
    connection: &mut Connection,
    user_id: Uuid,
    keep: u32,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "UPDATE sessions SET ended_at = $3, end_reason = $4, ended_by = 'vestibule'
         WHERE user_id = $1 AND ended_at IS NULL AND id NOT IN (
             SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL
             ORDER BY last_seen_at DESC, id DESC LIMIT $2)",
        )
        .bind(user_id)
        .bind(i64::from(keep))
        .bind(now)
        .bind(EndReason::TooMany.as_str())
        .execute()
        .await?;
    Ok(())
}

/// A session that was just revoked.
#[derive(FromRow)]
pub(super) struct Ended {
    pub id: Uuid,
    pub user_id: Uuid,
    pub username: String,
}

/// Revokes one session, or all of a user's but one. A statement each: an index serves only a condition
/// that is always there.
pub(super) async fn revoke(
    connection: &mut Connection,
    which: &Which,
    now: Timestamp,
    by: &str,
) -> Result<Vec<Ended>, sqlx::Error> {
    let query = match which {
        Which::One { id, of } => connection.query(
            "UPDATE sessions SET ended_at = $1, end_reason = $2, ended_by = $3
             WHERE ended_at IS NULL AND id = $4 AND ($5 IS NULL OR user_id = $5)
             RETURNING id, user_id, (SELECT username FROM users WHERE users.id = sessions.user_id) AS username",
        )
        .bind(now)
        .bind(EndReason::Revoked.as_str())
        .bind(by)
        .bind(*id)
        .bind(*of),
        Which::AllOf { user_id, keep } => connection.query(
            "UPDATE sessions SET ended_at = $1, end_reason = $2, ended_by = $3
             WHERE ended_at IS NULL AND user_id = $4 AND ($5 IS NULL OR id <> $5)
             RETURNING id, user_id, (SELECT username FROM users WHERE users.id = sessions.user_id) AS username",
        )
        .bind(now)
        .bind(EndReason::Revoked.as_str())
        .bind(by)
        .bind(*user_id)
        .bind(*keep),
    };
    query.all().await
}

/// Revokes all sessions but one, and says how many were live.
pub(super) async fn revoke_everyone(
    connection: &mut Connection,
    keep: Option<Uuid>,
    now: Timestamp,
    by: &str,
) -> Result<u64, sqlx::Error> {
    connection
        .query(
            "UPDATE sessions SET ended_at = $1, end_reason = $2, ended_by = $3
         WHERE ended_at IS NULL AND ($4 IS NULL OR id <> $4)",
        )
        .bind(now)
        .bind(EndReason::Revoked.as_str())
        .bind(by)
        .bind(keep)
        .execute()
        .await
}

/// Counted in an index of live sessions alone; a look at the ends of each would take far longer.
pub(super) async fn count_live(pool: &Pool) -> Result<i64, sqlx::Error> {
    pool.query("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
        .scalar()
        .await
}

/// Token hashes of sessions that ended by time and are not marked yet, idle ones since `idle_since`. In the order of
/// an index that has their times.
pub(super) async fn expired(
    pool: &Pool,
    now: Timestamp,
    idle_since: Timestamp,
    limit: u32,
) -> Result<Vec<TokenHash>, sqlx::Error> {
    pool.query("SELECT token_hash FROM sessions WHERE ended_at IS NULL AND (idle_expires_at <= $1 OR expires_at <= $2) ORDER BY last_seen_at LIMIT $3")
        .bind(idle_since)
        .bind(now)
        .bind(i64::from(limit))
        .scalars()
        .await
}

pub(super) async fn mark_expired(
    connection: &mut Connection,
    hash: &TokenHash,
    now: Timestamp,
    by: &str,
) -> Result<(), sqlx::Error> {
    connection.query(
        "UPDATE sessions
         SET ended_at = CASE WHEN expires_at < idle_expires_at THEN expires_at ELSE idle_expires_at END,
             end_reason = CASE WHEN expires_at <= idle_expires_at THEN $3 ELSE $4 END, ended_by = $5
         WHERE token_hash = $1 AND ended_at IS NULL AND (idle_expires_at <= $2 OR expires_at <= $2)",
    )
    .bind(hash.as_bytes())
    .bind(now)
    .bind(EndReason::MaxLifetime.as_str())
    .bind(EndReason::Idle.as_str())
    .bind(by)
    .execute()
    .await?;
    Ok(())
}

/// Deletes ended sessions, those of former users too; how many there were of the kind that had more.
pub(super) async fn delete_ended(
    connection: &mut Connection,
    before: Timestamp,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    let mut most = 0;
    for statement in [
        "DELETE FROM sessions WHERE token_hash IN (SELECT token_hash FROM sessions WHERE ended_at < $1 LIMIT $2)",
        "DELETE FROM former_sessions WHERE id IN (SELECT id FROM former_sessions WHERE ended_at < $1 LIMIT $2)",
    ] {
        let rows = connection
            .query(statement)
            .bind(before)
            .bind(i64::from(limit))
            .execute()
            .await?;
        most = most.max(rows);
    }
    Ok(most)
}

/// What lists show of them, and neither token nor data.
pub(super) async fn keep_those_of_former(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<(), sqlx::Error> {
    connection.query(
        "INSERT INTO former_sessions (id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                                      idle_expires_at, expires_at, address, user_agent, device, ended_at, end_reason, ended_by)
         SELECT id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                idle_expires_at, expires_at, address, user_agent, device, ended_at, end_reason, ended_by
         FROM sessions WHERE user_id = $1 AND ended_at IS NOT NULL",
    )
    .bind(user_id)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn data(pool: &Pool, hash: &TokenHash) -> Result<Option<String>, sqlx::Error> {
    pool.query("SELECT data FROM sessions WHERE token_hash = $1 AND ended_at IS NULL")
        .bind(hash.as_bytes())
        .optional_scalar()
        .await
}

pub(super) async fn data_for_change(
    connection: &mut Connection,
    id: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    connection
        .query("SELECT data FROM sessions WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .optional_scalar()
        .await
}

pub(super) async fn set_data(
    connection: &mut Connection,
    id: Uuid,
    data: &str,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE sessions SET data = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .bind(data)
        .execute()
        .await?;
    Ok(())
}
