//! The look-ups of every request: by the token of a session, and by the secret of a protected host.

use sqlx::{FromRow, Row, SqlitePool, sqlite::SqliteRow};

use crate::foundation::token::TokenHash;
use crate::people::users::{User, user_columns};
use crate::sessions::Session;

/// The columns that a [`Session`] is read from, beside its user's, of the table `sessions` as `s`.
macro_rules! session_columns {
    () => {
        "s.id, s.methods, s.remember, s.created_at, s.authenticated_at, s.last_seen_at, s.idle_expires_at,
         s.expires_at, s.address, s.user_agent"
    };
}

impl FromRow<'_, SqliteRow> for Session {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let methods: String = row.try_get("methods")?;
        Ok(Self {
            id: row.try_get("id")?,
            user_id: row.try_get("user_id")?,
            methods: methods.split(',').map(str::to_owned).collect(),
            remember: row.try_get("remember")?,
            created_at: row.try_get("created_at")?,
            authenticated_at: row.try_get("authenticated_at")?,
            last_seen_at: row.try_get("last_seen_at")?,
            idle_expires_at: row.try_get("idle_expires_at")?,
            max_expires_at: row.try_get("expires_at")?,
            address: row.try_get("address")?,
            user_agent: row.try_get("user_agent")?,
        })
    }
}

/// The look-up of every request. Times are judged by the caller.
pub(crate) async fn by_token(
    pool: &SqlitePool,
    hash: &TokenHash,
) -> Result<Option<(Session, User)>, sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT ",
        session_columns!(),
        ", ",
        user_columns!(),
        "
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.token_hash = $1 AND s.ended_at IS NULL"
    ))
    .bind(hash.as_bytes())
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok((Session::from_row(&row)?, User::from_row(&row)?)))
        .transpose()
}

/// The same by the secret of a protected host, with the hash of the session's own token. The policy's
/// version comes along, whoever is found: so a check of forward auth is one look-up.
pub(crate) async fn by_site_secret(
    pool: &SqlitePool,
    secret: &TokenHash,
    host: &str,
) -> Result<(i64, Option<(TokenHash, Session, User)>), sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT p.version, s.token_hash, ",
        session_columns!(),
        ", ",
        user_columns!(),
        "
         FROM policy p
         LEFT JOIN site_secrets w ON w.secret_hash = $1 AND w.host = $2
         LEFT JOIN sessions s ON s.token_hash = w.token_hash AND s.ended_at IS NULL
         LEFT JOIN users u ON u.id = s.user_id"
    ))
    .bind(secret.as_bytes())
    .bind(host)
    .fetch_one(pool)
    .await?;
    let version = row.try_get("version")?;
    let Some(hash) = row.try_get("token_hash")? else {
        return Ok((version, None));
    };
    let found = (hash, Session::from_row(&row)?, User::from_row(&row)?);
    Ok((version, Some(found)))
}
