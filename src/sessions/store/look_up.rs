//! The look-ups of every request: by the tokens of sessions, and by the secrets of protected hosts. Those of
//! several requests that wait together are one.

use sqlx::Row;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Pool, Query, for_keys, from_row, sized};
use crate::foundation::token::TokenHash;
use crate::people::users::{User, user_columns};
use crate::sessions::{Methods, Session};

/// The columns that a [`Session`] is read from, beside its user's, of the table `sessions` as `s`.
macro_rules! session_columns {
    () => {
        "s.token_hash, s.id, s.methods, s.trusted, s.remember, s.created_at, s.authenticated_at, s.last_seen_at,
         s.idle_expires_at, s.expires_at"
    };
}

from_row!(Session, |row| {
    let methods: &str = row.try_get("methods")?;
    Ok(Self {
        id: row.try_get("id")?,
        user_id: row.try_get("user_id")?,
        methods: Methods::parse(methods).map_err(|e| sqlx::Error::Decode(e.into()))?,
        trusted: row.try_get("trusted")?,
        remember: row.try_get("remember")?,
        created_at: row.try_get("created_at")?,
        authenticated_at: row.try_get("authenticated_at")?,
        last_seen_at: row.try_get("last_seen_at")?,
        idle_expires_at: row.try_get("idle_expires_at")?,
        max_expires_at: row.try_get("expires_at")?,
    })
});

/// A live session with its user and the hash of its token. Times are judged by the caller.
pub(crate) struct Joined {
    pub hash: TokenHash,
    pub session: Session,
    pub user: User,
}

from_row!(Joined, |row| {
    Ok(Self {
        hash: row.try_get("token_hash")?,
        session: Session::from_row(row)?,
        user: User::from_row(row)?,
    })
});

const BY_TOKENS: [&str; 3] = for_keys!(
    concat!(
        "SELECT ",
        session_columns!(),
        ", ",
        user_columns!(),
        " FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.ended_at IS NULL AND s.token_hash IN ("
    ),
    ")"
);

/// The sessions that these tokens have, in no order.
pub(crate) async fn by_tokens(
    pool: &Pool,
    tokens: &[TokenHash],
) -> Result<Vec<Joined>, sqlx::Error> {
    with_keys(pool, &BY_TOKENS, tokens).all().await
}

/// What the secret of a protected host stands for: a session, at this host alone.
pub(crate) struct AtSite {
    pub secret: TokenHash,
    pub host: String,
    pub used_at: Timestamp,
    pub joined: Joined,
}

from_row!(AtSite, |row| {
    Ok(Self {
        secret: row.try_get("secret_hash")?,
        host: row.try_get("host")?,
        used_at: row.try_get("used_at")?,
        joined: Joined::from_row(row)?,
    })
});

const BY_SITE_SECRETS: [&str; 3] = for_keys!(
    concat!(
        "SELECT p.version, w.secret_hash, w.host, w.used_at, ",
        session_columns!(),
        ", ",
        user_columns!(),
        " FROM policy p
         LEFT JOIN site_secrets w ON w.secret_hash IN ("
    ),
    ")
         LEFT JOIN sessions s ON s.token_hash = w.token_hash AND s.ended_at IS NULL
         LEFT JOIN users u ON u.id = s.user_id"
);

/// A row of [`BY_SITE_SECRETS`]; the first has no secret where none stands for anything.
struct PolicyRow {
    version: i64,
    found: Option<AtSite>,
}

from_row!(PolicyRow, |row| {
    let session: Option<TokenHash> = row.try_get("token_hash")?;
    Ok(Self {
        version: row.try_get("version")?,
        found: session.map(|_| AtSite::from_row(row)).transpose()?,
    })
});

/// What these secrets stand for, in no order. The policy's version comes along, whatever is found: so a check of
/// forward auth is one look-up.
pub(crate) async fn by_site_secrets(
    pool: &Pool,
    secrets: &[TokenHash],
) -> Result<(i64, Vec<AtSite>), sqlx::Error> {
    let rows: Vec<PolicyRow> = with_keys(pool, &BY_SITE_SECRETS, secrets).all().await?;
    let version = rows.first().ok_or(sqlx::Error::RowNotFound)?.version;
    let found = rows.into_iter().filter_map(|row| row.found).collect();
    Ok((version, found))
}

fn with_keys<'c>(pool: &'c Pool, statements: &[&'static str; 3], keys: &[TokenHash]) -> Query<'c> {
    let (statement, size) = sized(statements, keys.len());
    (0..size).fold(pool.query(statement), |query, n| {
        query.bind(keys.get(n).map(|key| key.as_bytes().to_vec()))
    })
}
