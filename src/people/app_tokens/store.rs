use ipnet::IpNet;
use sqlx::Row;
use uuid::Uuid;

use super::{AppToken, Use};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Executor, Pool, Query, for_keys, from_row, sized};
use crate::foundation::token::TokenHash;
use crate::people::users::{User, user_columns};

/// The columns that an [`AppToken`] is read from, beside its owner's name, of the table `app_tokens` as `a`.
macro_rules! token_columns {
    () => {
        "a.hash, a.id AS token_id, a.name, a.sites, a.networks, a.two_factor, a.created_at AS token_created_at,
         a.created_by, a.expires_at, a.last_used_at, a.last_address, a.revoked_at"
    };
}

from_row!(AppToken, |row| {
    let sites: Option<&str> = row.try_get("sites")?;
    let networks: &str = row.try_get("networks")?;
    Ok(Self {
        id: row.try_get("token_id")?,
        user_id: row.try_get("user_id")?,
        username: row.try_get("username")?,
        name: row.try_get("name")?,
        sites: sites.map(words::<Uuid>).transpose()?,
        networks: words::<IpNet>(networks)?,
        two_factor: row.try_get("two_factor")?,
        created_at: row.try_get("token_created_at")?,
        created_by: row.try_get("created_by")?,
        expires_at: row.try_get("expires_at")?,
        last_used_at: row.try_get("last_used_at")?,
        last_address: row.try_get("last_address")?,
        revoked_at: row.try_get("revoked_at")?,
    })
});

/// What stands with blanks between; nothing is guessed.
fn words<T: std::str::FromStr>(text: &str) -> Result<Vec<T>, sqlx::Error> {
    let unreadable = |word: &str| sqlx::Error::Decode(format!("{word:?} cannot be read").into());
    text.split_whitespace()
        .map(|word| word.parse().map_err(|_| unreadable(word)))
        .collect()
}

fn joined<T: ToString>(words: &[T]) -> String {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    words.join(" ")
}

pub(super) async fn insert(
    connection: &mut Connection,
    hash: &TokenHash,
    token: &AppToken,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO app_tokens (hash, id, user_id, name, sites, networks, two_factor, created_at, created_by, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(hash.as_bytes())
        .bind(token.id)
        .bind(token.user_id)
        .bind(&token.name)
        .bind(token.sites.as_deref().map(joined))
        .bind(joined(&token.networks))
        .bind(token.two_factor)
        .bind(token.created_at)
        .bind(&token.created_by)
        .bind(token.expires_at)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn is_known<'c>(
    executor: impl Into<Executor<'c>>,
    id: Uuid,
) -> Result<bool, sqlx::Error> {
    Query::on(
        executor,
        "SELECT EXISTS (SELECT 1 FROM app_tokens WHERE id = $1)",
    )
    .bind(id)
    .scalar()
    .await
}

pub(super) async fn count_live<'c>(
    executor: impl Into<Executor<'c>>,
    user_id: Uuid,
    now: Timestamp,
) -> Result<i64, sqlx::Error> {
    Query::on(
        executor,
        "SELECT count(*) FROM app_tokens
         WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(user_id)
    .bind(now)
    .scalar()
    .await
}

/// A user's tokens, the oldest first; revoked ones are left out.
///
/// # Errors
/// The database failed.
pub async fn of_user(pool: &Pool, user_id: Uuid) -> Result<Vec<AppToken>, sqlx::Error> {
    pool.query(concat!(
        "SELECT ",
        token_columns!(),
        ", u.id AS user_id, u.username FROM app_tokens a JOIN users u ON u.id = a.user_id
         WHERE a.user_id = $1 AND a.revoked_at IS NULL ORDER BY a.id"
    ))
    .bind(user_id)
    .all()
    .await
}

/// Everyone's, the oldest first; revoked ones are left out.
///
/// # Errors
/// The database failed.
pub async fn all(pool: &Pool) -> Result<Vec<AppToken>, sqlx::Error> {
    pool.query(concat!(
        "SELECT ",
        token_columns!(),
        ", u.id AS user_id, u.username FROM app_tokens a JOIN users u ON u.id = a.user_id
         WHERE a.revoked_at IS NULL ORDER BY a.id"
    ))
    .all()
    .await
}

/// `None`: there is no such token, or it is revoked.
pub(super) async fn revoke(
    connection: &mut Connection,
    id: Uuid,
    of: Option<Uuid>,
    now: Timestamp,
) -> Result<Option<AppToken>, sqlx::Error> {
    let found: Option<AppToken> = connection
        .query(concat!(
            "SELECT ",
            token_columns!(),
            ", u.id AS user_id, u.username FROM app_tokens a JOIN users u ON u.id = a.user_id
             WHERE a.id = $1 AND a.revoked_at IS NULL"
        ))
        .bind(id)
        .optional()
        .await?;
    let found = found.filter(|token| of.is_none_or(|owner| owner == token.user_id));
    if found.is_some() {
        connection
            .query("UPDATE app_tokens SET revoked_at = $2 WHERE id = $1")
            .bind(id)
            .bind(now)
            .execute()
            .await?;
    }
    Ok(found)
}

/// Of one user, or everyone's; says how many.
pub(super) async fn revoke_all(
    connection: &mut Connection,
    user_id: Option<Uuid>,
    now: Timestamp,
) -> Result<u64, sqlx::Error> {
    match user_id {
        Some(user_id) => connection
            .query(
                "UPDATE app_tokens SET revoked_at = $1 WHERE revoked_at IS NULL AND user_id = $2",
            )
            .bind(now)
            .bind(user_id)
            .execute()
            .await,
        None => {
            connection
                .query("UPDATE app_tokens SET revoked_at = $1 WHERE revoked_at IS NULL")
                .bind(now)
                .execute()
                .await
        }
    }
}

/// Writes the last use of a token.
pub(super) async fn touch(
    connection: &mut Connection,
    hash: &TokenHash,
    used: Use,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE app_tokens SET last_used_at = $2, last_address = $3 WHERE hash = $1")
        .bind(hash.as_bytes())
        .bind(used.at)
        .bind(used.address.map(|address| address.to_string()))
        .execute()
        .await?;
    Ok(())
}

/// A token with its hash and its owner. Nothing is judged yet.
pub(super) struct Joined {
    pub hash: TokenHash,
    pub token: AppToken,
    pub owner: User,
}

from_row!(Joined, |row| {
    Ok(Self {
        hash: row.try_get("hash")?,
        token: AppToken::from_row(row)?,
        owner: User::from_row(row)?,
    })
});

const BY_HASHES: [&str; 3] = for_keys!(
    concat!(
        "SELECT p.version, ",
        token_columns!(),
        ", ",
        user_columns!(),
        " FROM policy p
         LEFT JOIN app_tokens a ON a.hash IN ("
    ),
    ") AND a.revoked_at IS NULL
         LEFT JOIN users u ON u.id = a.user_id"
);

/// A row of [`BY_HASHES`]; the first has no token where there is none.
struct PolicyRow {
    version: i64,
    found: Option<Joined>,
}

from_row!(PolicyRow, |row| {
    let hash: Option<TokenHash> = row.try_get("hash")?;
    Ok(Self {
        version: row.try_get("version")?,
        found: hash.map(|_| Joined::from_row(row)).transpose()?,
    })
});

/// The tokens with these hashes that are not revoked, in no order, and the version of the policy.
pub(super) async fn by_hashes(
    pool: &Pool,
    hashes: &[TokenHash],
) -> Result<(i64, Vec<Joined>), sqlx::Error> {
    let (statement, size) = sized(&BY_HASHES, hashes.len());
    let query = (0..size).fold(pool.query(statement), |query, n| {
        query.bind(hashes.get(n).map(|hash| hash.as_bytes().to_vec()))
    });
    let rows: Vec<PolicyRow> = query.all().await?;
    let version = rows.first().ok_or(sqlx::Error::RowNotFound)?.version;
    let found = rows.into_iter().filter_map(|row| row.found).collect();
    Ok((version, found))
}
