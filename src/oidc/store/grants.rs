use sqlx::Row;
use uuid::Uuid;

use super::clients::client_columns;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Executor, Query, from_row};
use crate::foundation::token::TokenHash;
use crate::oidc::clients::Client;
use crate::oidc::grants::{Code, Grant, Presented, Standing};
use crate::people::users::{User, user_columns};
use crate::sessions::Methods;

/// A grant with all that decides whether it still stands.
macro_rules! standing {
    ($columns:literal, $from:literal) => {
        concat!(
            "SELECT ",
            $columns,
            ", g.id AS grant_id, g.session_id, g.offline, g.scope, g.nonce, g.auth_time, g.methods, g.trusted,
             g.created_at AS granted_at, g.ended_at,
             EXISTS (SELECT 1 FROM sessions s WHERE s.id = g.session_id AND s.ended_at IS NULL
                     AND s.idle_expires_at > $2 AND s.expires_at > $2) AS session_lives, ",
            client_columns!(),
            ", ",
            user_columns!(),
            " FROM ",
            $from,
            " JOIN clients c ON c.id = g.client_id JOIN users u ON u.id = g.user_id WHERE t.hash = $1"
        )
    };
}

from_row!(Standing, |row| {
    let methods: &str = row.try_get("methods")?;
    Ok(Self {
        grant: Grant {
            id: row.try_get("grant_id")?,
            session_id: row.try_get("session_id")?,
            offline: row.try_get("offline")?,
            scope: row.try_get("scope")?,
            nonce: row.try_get("nonce")?,
            auth_time: row.try_get("auth_time")?,
            methods: Methods::parse(methods).map_err(|e| sqlx::Error::Decode(e.into()))?,
            trusted: row.try_get("trusted")?,
            created_at: row.try_get("granted_at")?,
        },
        has_ended: row.try_get::<Option<Timestamp>, _>("ended_at")?.is_some(),
        session_lives: row.try_get("session_lives")?,
        client: Client::from_row(row)?,
        user: User::from_row(row)?,
    })
});

from_row!(Code, |row| {
    Ok(Self {
        redirect_uri: row.try_get("redirect_uri")?,
        challenge: row.try_get("challenge")?,
        expires_at: row.try_get("token_expires_at")?,
        is_used: row.try_get::<Option<Timestamp>, _>("used_at")?.is_some(),
        standing: Standing::from_row(row)?,
    })
});

from_row!(Presented, |row| {
    Ok(Self {
        scope: row.try_get("token_scope")?,
        issued_at: row.try_get("issued_at")?,
        expires_at: row.try_get("token_expires_at")?,
        used_at: row.try_get("used_at")?,
        standing: Standing::from_row(row)?,
    })
});

pub(in crate::oidc) async fn code<'c>(
    executor: impl Into<Executor<'c>>,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<Code>, sqlx::Error> {
    Query::on(
        executor,
        standing!(
            "t.redirect_uri, t.challenge, t.expires_at AS token_expires_at, t.used_at",
            "codes t JOIN grants g ON g.id = t.grant_id"
        ),
    )
    .bind(hash.as_bytes())
    .bind(now)
    .optional()
    .await
}

pub(in crate::oidc) async fn access_token<'c>(
    executor: impl Into<Executor<'c>>,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<Presented>, sqlx::Error> {
    Query::on(
        executor,
        standing!(
            "t.scope AS token_scope, t.created_at AS issued_at, t.expires_at AS token_expires_at, CAST(NULL AS BIGINT) AS used_at",
            "access_tokens t JOIN grants g ON g.id = t.grant_id"
        ),
    )
    .bind(hash.as_bytes())
    .bind(now)
    .optional()
    .await
}

pub(in crate::oidc) async fn refresh_token<'c>(
    executor: impl Into<Executor<'c>>,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<Presented>, sqlx::Error> {
    Query::on(
        executor,
        standing!(
            "g.scope AS token_scope, t.created_at AS issued_at, t.expires_at AS token_expires_at, t.used_at",
            "refresh_tokens t JOIN grants g ON g.id = t.grant_id"
        ),
    )
    .bind(hash.as_bytes())
    .bind(now)
    .optional()
    .await
}

pub(in crate::oidc) async fn insert_grant(
    connection: &mut Connection,
    client: &Client,
    user: &User,
    grant: &Grant,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO grants (id, client_id, user_id, session_id, offline, scope, nonce, auth_time, methods, trusted, created_at, last_used_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        )
        .bind(grant.id)
        .bind(&client.id)
        .bind(user.id)
        .bind(grant.session_id)
        .bind(grant.offline)
        .bind(&grant.scope)
        .bind(&grant.nonce)
        .bind(grant.auth_time)
        .bind(grant.methods.to_string())
        .bind(grant.trusted)
        .bind(grant.created_at)
        .execute()
        .await?;
    Ok(())
}

/// Whether a session lives, within the transaction that hangs something on it.
pub(in crate::oidc) async fn session_lives(
    connection: &mut Connection,
    id: Uuid,
) -> Result<bool, sqlx::Error> {
    let found: Option<i64> = connection
        .query("SELECT created_at FROM sessions WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .optional_scalar()
        .await?;
    Ok(found.is_some())
}

pub(in crate::oidc) async fn insert_code(
    connection: &mut Connection,
    hash: &TokenHash,
    grant_id: Uuid,
    redirect_uri: &str,
    challenge: Option<&str>,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO codes (hash, grant_id, redirect_uri, challenge, expires_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(hash.as_bytes())
        .bind(grant_id)
        .bind(redirect_uri)
        .bind(challenge)
        .bind(expires_at)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::oidc) async fn use_code(
    connection: &mut Connection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE codes SET used_at = $2 WHERE hash = $1")
        .bind(hash.as_bytes())
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::oidc) async fn insert_access_token(
    connection: &mut Connection,
    hash: &TokenHash,
    grant_id: Uuid,
    scope: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO access_tokens (hash, grant_id, scope, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(hash.as_bytes())
        .bind(grant_id)
        .bind(scope)
        .bind(now)
        .bind(expires_at)
        .execute()
        .await?;
    connection
        .query("UPDATE grants SET last_used_at = $2 WHERE id = $1")
        .bind(grant_id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// The successor of a token may be there already, for it is derived.
pub(in crate::oidc) async fn insert_refresh_token(
    connection: &mut Connection,
    hash: &TokenHash,
    grant_id: Uuid,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO refresh_tokens (hash, grant_id, created_at, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO NOTHING",
        )
        .bind(hash.as_bytes())
        .bind(grant_id)
        .bind(now)
        .bind(expires_at)
        .execute()
        .await?;
    Ok(())
}

/// The first use counts.
pub(in crate::oidc) async fn use_refresh_token(
    connection: &mut Connection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE refresh_tokens SET used_at = $2 WHERE hash = $1 AND used_at IS NULL")
        .bind(hash.as_bytes())
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::oidc) async fn end_grant(
    connection: &mut Connection,
    id: Uuid,
    reason: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "UPDATE grants SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL",
        )
        .bind(id)
        .bind(now)
        .bind(reason)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::oidc) async fn delete_access_token(
    connection: &mut Connection,
    hash: &TokenHash,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM access_tokens WHERE hash = $1")
        .bind(hash.as_bytes())
        .execute()
        .await?;
    Ok(())
}

/// Puts away what has ended.
pub(in crate::oidc) async fn sweep(
    connection: &mut Connection,
    before: Timestamp,
) -> Result<(), sqlx::Error> {
    for statement in [
        "DELETE FROM codes WHERE expires_at < $1",
        "DELETE FROM access_tokens WHERE expires_at < $1",
        "DELETE FROM refresh_tokens WHERE expires_at < $1",
        "DELETE FROM grants WHERE ended_at < $1",
        "DELETE FROM grants WHERE created_at < $1
           AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.grant_id = grants.id)
           AND NOT EXISTS (SELECT 1 FROM access_tokens a WHERE a.grant_id = grants.id)",
        "DELETE FROM learning WHERE until < $1",
        "DELETE FROM sign_out_notices WHERE ended_at < $1 AND told_at IS NOT NULL",
    ] {
        connection.query(statement).bind(before).execute().await?;
    }
    Ok(())
}
