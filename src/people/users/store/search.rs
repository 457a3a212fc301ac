//! Users as lists and suggestions find them.

use sqlx::Row;

use super::user_columns;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Builder, Engine, Pool, from_row};
use crate::people::users::User;

/// A user as lists show it.
#[derive(Debug)]
pub struct Listed {
    pub user: User,
    pub live_sessions: i64,
}

from_row!(Listed, |row| {
    Ok(Self {
        user: User::from_row(row)?,
        live_sessions: row.try_get("live_sessions")?,
    })
});

/// Below, users that a search finds are sorted; from there on, they are read by name until a page is full.
const FEW: i64 = 5_000;

pub(in crate::people::users) async fn search(
    pool: &Pool,
    q: &str,
    after: &str,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Listed>, sqlx::Error> {
    let few = !q.is_empty() && count_candidates(pool, q, FEW).await? < FEW;
    page(pool, q, few, after, limit, now).build().all().await
}

/// The users of the page are found first; what else is shown is read of them alone.
fn page<'c>(
    pool: &'c Pool,
    q: &str,
    few: bool,
    after: &str,
    limit: u32,
    now: Timestamp,
) -> Builder<'c> {
    let mut sql = pool.build(concat!(
        "SELECT ",
        user_columns!(),
        ",
                (SELECT count(*) FROM sessions s
                 WHERE s.user_id = u.id AND s.ended_at IS NULL AND s.idle_expires_at > "
    ));
    sql.push_bind(now);
    sql.push(" AND s.expires_at > ").push_bind(now);
    sql.push(") AS live_sessions FROM (SELECT u.id FROM ");
    if few {
        sql.push("(");
        push_candidates(&mut sql, q);
        sql.push(") c CROSS JOIN users u WHERE u.id = c.user_id AND ");
    } else {
        sql.push("users u WHERE ");
    }
    sql.push("u.username > ").push_bind(after.to_owned());
    if !q.is_empty() {
        sql.push(" AND ");
        push_match(&mut sql, q);
    }
    sql.push(" ORDER BY u.username LIMIT ")
        .push_bind(i64::from(limit))
        .push(") f JOIN users u ON u.id = f.id ORDER BY u.username");
    sql
}

/// Up to so many characters, a search finds what begins with them; more are found anywhere.
const SHORT: usize = 2;

/// Longer than what an index is asked for of a search; the rest is compared.
const LONGEST_PART: usize = 100;

fn is_short(q: &str) -> bool {
    q.chars().nth(SHORT).is_none()
}

/// The condition that a user `u` is found: a name or the address of mail has this text.
pub(crate) fn push_match(sql: &mut Builder<'_>, q: &str) {
    sql.push(if is_short(q) {
        "'|' || u.search LIKE "
    } else {
        "u.search LIKE "
    })
    .push_bind(contained(q))
    .push(" ESCAPE '\\'");
}

/// Users who may be found, as a query of their ids: all that [`push_match`] says yes to, hardly any others.
/// Each engine has an index of its own for parts of words, and this is all that knows of it.
pub(crate) fn push_candidates(sql: &mut Builder<'_>, q: &str) {
    match sql.engine() {
        Engine::Sqlite => sql
            .push("SELECT k.user_id FROM search_users CROSS JOIN search_keys k WHERE k.n = search_users.rowid AND search_users MATCH ")
            .push_bind(phrase(q)),
        #[cfg(feature = "postgres")]
        Engine::Postgres => sql
            .push("SELECT u.id AS user_id FROM users u WHERE '|' || u.search LIKE ")
            .push_bind(contained(q))
            .push(" ESCAPE '\\'"),
    };
}

/// For `LIKE … ESCAPE '\\'` in names and addresses of mail, each of which has a bar before it.
fn contained(q: &str) -> String {
    let begin = if is_short(q) { "|" } else { "" };
    format!("%{begin}{}%", escaped(q))
}

/// How many users may be found; counted up to `most`.
pub(crate) async fn count_candidates(pool: &Pool, q: &str, most: i64) -> Result<i64, sqlx::Error> {
    let mut sql = pool.build("SELECT count(*) FROM (");
    push_candidates(&mut sql, q);
    sql.push(" LIMIT ").push_bind(most).push(") f");
    sql.build().scalar().await
}

/// A search text for `MATCH`, as `search_texts` in the migrations spells what it is looked for in.
fn phrase(q: &str) -> String {
    let begin = if is_short(q) { "|" } else { "" };
    let part: String = plain(q).chars().take(LONGEST_PART).collect();
    let part = format!("{begin}{part}").replace('|', "||");
    format!("\"{}\"", part.replace('"', "\"\""))
}

/// A search text taken as it is, for `LIKE … ESCAPE '\\'`: anywhere in a name, a short one at its beginning.
pub(crate) fn like_pattern(q: &str) -> String {
    let anywhere = if is_short(q) { "" } else { "%" };
    format!("{anywhere}{}%", escaped(q))
}

fn escaped(q: &str) -> String {
    let special = |c: char| "%_\\".contains(c).then_some('\\');
    plain(q)
        .chars()
        .flat_map(|c| special(c).into_iter().chain([c]))
        .collect()
}

/// In the case in which users' names are kept to be searched. SQLite would take the text to end at NUL, which no
/// name has; nor has any the character in its place, which stands for what was unreadable.
fn plain(q: &str) -> String {
    q.to_ascii_lowercase().replace('\0', "\u{fffd}")
}

/// The first user names, for a form to suggest.
///
/// # Errors
/// The database failed.
pub async fn some_usernames(pool: &Pool, most: u32) -> Result<Vec<String>, sqlx::Error> {
    pool.query("SELECT username FROM users ORDER BY username LIMIT $1")
        .bind(i64::from(most))
        .scalars()
        .await
}

/// The first groups by name, for a form to offer.
///
/// # Errors
/// The database failed.
pub async fn some_groups(pool: &Pool, most: u32) -> Result<Vec<String>, sqlx::Error> {
    pool.query("SELECT name FROM groups ORDER BY name LIMIT $1")
        .bind(i64::from(most))
        .scalars()
        .await
}

#[cfg(test)]
mod tests;
