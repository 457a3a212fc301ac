//! Users as lists and suggestions find them.

use sqlx::{FromRow, QueryBuilder, Row, Sqlite, SqlitePool, sqlite::SqliteRow};
use uuid::Uuid;

use super::user_columns;
use crate::foundation::clock::Timestamp;
use crate::people::users::User;

/// A user as lists show it.
#[derive(Debug)]
pub struct Listed {
    pub user: User,
    pub live_sessions: i64,
}

impl FromRow<'_, SqliteRow> for Listed {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            user: User::from_row(row)?,
            live_sessions: row.try_get("live_sessions")?,
        })
    }
}

/// Up to here, users that a search finds are sorted; beyond, they are read by name until a page is full.
const FEW: usize = 500;

pub(in crate::people::users) async fn search(
    pool: &SqlitePool,
    q: &str,
    after: &str,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Listed>, sqlx::Error> {
    let mut sql = QueryBuilder::<Sqlite>::new(concat!(
        "SELECT ",
        user_columns!(),
        ",
                (SELECT count(*) FROM sessions s
                 WHERE s.user_id = u.id AND s.ended_at IS NULL AND s.idle_expires_at > "
    ));
    sql.push_bind(now);
    sql.push(" AND s.expires_at > ").push_bind(now);
    sql.push(") AS live_sessions FROM users u WHERE u.username > ")
        .push_bind(after);
    if !q.is_empty() {
        let found = matching(pool, q, FEW).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        if found.len() < FEW {
            sql.push(" AND u.id IN (");
            let mut list = sql.separated(", ");
            for id in found {
                list.push_bind(id);
            }
            sql.push(")");
        } else {
            sql.push(" AND u.search LIKE ").push_bind(like_pattern(q));
            sql.push(" ESCAPE '\\'");
        }
    }
    sql.push(" ORDER BY u.username LIMIT ").push_bind(limit);
    // Each number of users makes another statement: none is kept.
    sql.build_query_as().persistent(false).fetch_all(pool).await
}

/// Users with this text in their names or address of mail, `most` at most. Ordered as the index is that
/// is narrower than the table.
pub(crate) async fn matching(
    pool: &SqlitePool,
    q: &str,
    most: usize,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM users WHERE search LIKE $1 ESCAPE '\\' ORDER BY search, id LIMIT $2",
    )
    .bind(like_pattern(q))
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
}

/// A search text taken as it is, anywhere in a text; for `LIKE … ESCAPE '\\'`.
pub(crate) fn like_pattern(q: &str) -> String {
    let escaped: String = q
        .chars()
        .flat_map(|c| {
            if "%_\\".contains(c) {
                vec!['\\', c]
            } else {
                vec![c]
            }
        })
        .collect();
    format!("%{escaped}%")
}

/// The first user names, for a form to suggest.
///
/// # Errors
/// The database failed.
pub async fn some_usernames(pool: &SqlitePool, most: u32) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT username FROM users ORDER BY username LIMIT $1")
        .bind(most)
        .fetch_all(pool)
        .await
}

/// The first groups by name, for a form to offer.
///
/// # Errors
/// The database failed.
pub async fn some_groups(pool: &SqlitePool, most: u32) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM groups ORDER BY name LIMIT $1")
        .bind(most)
        .fetch_all(pool)
        .await
}
