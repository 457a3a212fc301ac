use serde::Serialize;
use sqlx::{Executor, FromRow, QueryBuilder, Row, Sqlite, SqlitePool, sqlite::SqliteRow};
use uuid::Uuid;

use super::{User, canonical_name};
use crate::foundation::audit::Subject;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Connection;
use crate::people::passwords::HashForm;

/// The columns that a [`User`] is read from, of the table `users` as `u`.
macro_rules! user_columns {
    () => {
        "u.id AS user_id, u.username, u.display_name, u.email, u.admin, u.must_change_password,
         u.created_at AS user_created_at, u.disabled_at,
         (SELECT string_agg(m.group_name, ',' ORDER BY m.group_name) FROM memberships m WHERE m.user_id = u.id) AS group_names"
    };
}
pub(crate) use user_columns;

impl FromRow<'_, SqliteRow> for User {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("user_id")?,
            username: row.try_get("username")?,
            display_name: row.try_get("display_name")?,
            email: row.try_get("email")?,
            groups: group_list(row.try_get("group_names")?),
            admin: row.try_get("admin")?,
            must_change_password: row.try_get("must_change_password")?,
            created_at: row.try_get("user_created_at")?,
            disabled_at: row.try_get("disabled_at")?,
        })
    }
}

/// Group names hold no comma.
fn group_list(joined: Option<String>) -> Vec<String> {
    joined
        .map(|names| names.split(',').map(str::to_owned).collect())
        .unwrap_or_default()
}

/// `None`: there is no such user. The name is compared as [`canonical_name`] spells it.
///
/// # Errors
/// The database failed.
pub async fn by_name<'c>(
    executor: impl Executor<'c, Database = Sqlite>,
    username: &str,
) -> Result<Option<User>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT ",
        user_columns!(),
        " FROM users u WHERE u.username = $1"
    ))
    .bind(canonical_name(username))
    .fetch_optional(executor)
    .await
}

/// All users by name.
///
/// # Errors
/// The database failed.
pub async fn list(pool: &SqlitePool) -> Result<Vec<User>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT ",
        user_columns!(),
        " FROM users u ORDER BY u.username"
    ))
    .fetch_all(pool)
    .await
}

/// `None`: there is no such user.
///
/// # Errors
/// The database failed.
pub async fn by_id(pool: &SqlitePool, id: Uuid) -> Result<Option<User>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT ",
        user_columns!(),
        " FROM users u WHERE u.id = $1"
    ))
    .bind(id)
    .fetch_optional(pool)
    .await
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

pub(super) async fn search(
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

/// What signing in needs to know of a user.
#[derive(Debug, FromRow)]
pub(crate) struct Secret {
    pub password_hash: Option<String>,
    pub password_form: HashForm,
    pub password_changed_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

pub(crate) async fn secret_by_name(
    pool: &SqlitePool,
    username: &str,
) -> Result<Option<Secret>, sqlx::Error> {
    sqlx::query_as(
        "SELECT password_hash, password_form, password_changed_at, disabled_at FROM users WHERE username = $1",
    )
    .bind(canonical_name(username))
    .fetch_optional(pool)
    .await
}

/// From where this user has started sessions that are still listed.
pub(crate) async fn addresses_by_name(
    pool: &SqlitePool,
    username: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT s.address FROM users u JOIN sessions s ON s.user_id = u.id WHERE u.username = $1",
    )
    .bind(canonical_name(username))
    .fetch_all(pool)
    .await
}

/// Whether anybody is an admin and may sign in.
pub(crate) async fn any_admin<'c>(
    executor: impl Executor<'c, Database = Sqlite>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM users WHERE admin = 1 AND disabled_at IS NULL)",
    )
    .fetch_one(executor)
    .await
}

/// False if the name is taken.
pub(super) async fn insert(
    connection: &mut Connection,
    user: &User,
    hash: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO users (id, username, display_name, email, admin, password_hash, password_form, password_changed_at, created_at, must_change_password)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9) ON CONFLICT (username) DO NOTHING",
    )
    .bind(user.id)
    .bind(&user.username)
    .bind(&user.display_name)
    .bind(&user.email)
    .bind(i64::from(user.admin))
    .bind(hash)
    .bind(HashForm::Nfc)
    .bind(user.created_at)
    .bind(i64::from(user.must_change_password))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn update(connection: &mut Connection, user: &User) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE users SET display_name = $2, email = $3, admin = $4, must_change_password = $5 WHERE id = $1")
        .bind(user.id)
        .bind(&user.display_name)
        .bind(&user.email)
        .bind(i64::from(user.admin))
        .bind(i64::from(user.must_change_password))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn set_password(
    connection: &mut Connection,
    id: Uuid,
    hash: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE users SET password_hash = $2, password_form = $3, password_changed_at = $4, must_change_password = 0 WHERE id = $1")
        .bind(id)
        .bind(hash)
        .bind(HashForm::Nfc)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// The same password hashed anew, unless it was changed meanwhile.
pub(crate) async fn rehash(
    connection: &mut Connection,
    id: Uuid,
    hash: &str,
    changed_at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE users SET password_hash = $2, password_form = $3 WHERE id = $1 AND password_changed_at = $4")
        .bind(id)
        .bind(hash)
        .bind(HashForm::Nfc)
        .bind(changed_at)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn set_disabled(
    connection: &mut Connection,
    id: Uuid,
    at: Option<Timestamp>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE users SET disabled_at = $2 WHERE id = $1")
        .bind(id)
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes a user with all that hangs on the row, and remembers who it was.
pub(crate) async fn delete(
    connection: &mut Connection,
    user: &User,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO former_users (id, username, deleted_at) VALUES ($1, $2, $3)")
        .bind(user.id)
        .bind(&user.username)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM users WHERE id = $1")
        .bind(user.id)
        .execute(connection)
        .await?;
    Ok(())
}

/// A user who was deleted.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct Former {
    pub id: Uuid,
    pub username: String,
    pub deleted_at: Timestamp,
}

/// Who had this name and was deleted, the last first.
///
/// # Errors
/// The database failed.
pub async fn former_by_name(pool: &SqlitePool, username: &str) -> Result<Vec<Former>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, username, deleted_at FROM former_users WHERE username = $1 ORDER BY deleted_at DESC LIMIT 20",
    )
    .bind(canonical_name(username))
    .fetch_all(pool)
    .await
}

/// `None`: no user with this id was deleted.
///
/// # Errors
/// The database failed.
pub async fn former_by_id(pool: &SqlitePool, id: Uuid) -> Result<Option<Former>, sqlx::Error> {
    sqlx::query_as("SELECT id, username, deleted_at FROM former_users WHERE id = $1")
        .bind(id)
        .fetch_optional(pool)
        .await
}

/// Whom a name or an id means in the audit trail. Records of a user are found by the id, for others may
/// have had the name before; those of a name that nobody has now, by the name.
///
/// # Errors
/// The database failed.
pub async fn audit_subject(pool: &SqlitePool, text: &str) -> Result<Subject, sqlx::Error> {
    if let Some(user) = by_name(pool, text).await? {
        return Ok(Subject::Id(user.id));
    }
    Ok(match Uuid::try_parse(text) {
        Ok(id) => Subject::Id(id),
        Err(_) => Subject::Name(canonical_name(text)),
    })
}

pub(super) async fn join(
    connection: &mut Connection,
    user_id: Uuid,
    group: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO groups (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
        .bind(group)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO memberships (user_id, group_name) VALUES ($1, $2) ON CONFLICT (user_id, group_name) DO NOTHING")
        .bind(user_id)
        .bind(group)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn leave(
    connection: &mut Connection,
    user_id: Uuid,
    group: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM memberships WHERE user_id = $1 AND group_name = $2")
        .bind(user_id)
        .bind(group)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn groups_of(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT group_name FROM memberships WHERE user_id = $1 ORDER BY group_name")
        .bind(user_id)
        .fetch_all(connection)
        .await
}

/// `None`: the user is gone or barred, or the password was changed since `changed_at`.
pub(crate) async fn by_unchanged_password(
    connection: &mut Connection,
    username: &str,
    changed_at: Timestamp,
) -> Result<Option<User>, sqlx::Error> {
    let unchanged: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM users WHERE username = $1 AND password_changed_at = $2 AND disabled_at IS NULL")
            .bind(canonical_name(username))
            .bind(changed_at)
            .fetch_optional(&mut *connection)
            .await?;
    match unchanged {
        Some(_) => by_name(connection, username).await,
        None => Ok(None),
    }
}

/// # Errors
/// The database failed.
pub async fn count(pool: &sqlx::SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(pool)
        .await
}
