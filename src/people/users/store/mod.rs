mod former;
mod names;
mod search;

use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::{User, canonical_name};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Executor, Pool, Query, from_row};
use crate::people::passwords::HashForm;

/// The columns that a [`User`] is read from, of the table `users` as `u`.
macro_rules! user_columns {
    () => {
        "u.id AS user_id, u.username, u.display_name, u.email, u.email_verified, u.admin, u.must_change_password,
         u.created_at AS user_created_at, u.disabled_at,
         EXISTS (SELECT 1 FROM totp t WHERE t.user_id = u.id) AS has_totp,
         EXISTS (SELECT 1 FROM passkeys k WHERE k.user_id = u.id) AS has_passkey,
         (SELECT string_agg(m.group_name, ',' ORDER BY m.group_name) FROM memberships m WHERE m.user_id = u.id) AS group_names"
    };
}
pub(crate) use user_columns;

pub use former::{Former, audit_subject, former_by_id, former_by_name};
pub(in crate::people::users) use names::means_somebody;
pub(in crate::people::users) use search::search;
pub use search::{Listed, some_groups, some_usernames};
pub(crate) use search::{count_candidates, like_pattern, push_candidates, push_match};

from_row!(User, |row| {
    Ok(Self {
        id: row.try_get("user_id")?,
        username: row.try_get("username")?,
        display_name: row.try_get("display_name")?,
        email: row.try_get("email")?,
        email_verified: row.try_get("email_verified")?,
        groups: group_list(row.try_get("group_names")?),
        admin: row.try_get("admin")?,
        must_change_password: row.try_get("must_change_password")?,
        has_totp: row.try_get("has_totp")?,
        has_passkey: row.try_get("has_passkey")?,
        created_at: row.try_get("user_created_at")?,
        disabled_at: row.try_get("disabled_at")?,
    })
});

/// Group names hold no comma. The list takes no more room than it needs, for many users are kept in memory.
fn group_list(joined: Option<String>) -> Vec<String> {
    let names = joined.iter().flat_map(|names| names.split(','));
    let mut list: Vec<String> = names.map(str::to_owned).collect();
    list.shrink_to_fit();
    list
}

/// `None`: there is no such user. The name is compared as [`canonical_name`] spells it.
///
/// # Errors
/// The database failed.
pub async fn by_name<'c>(
    executor: impl Into<Executor<'c>>,
    username: &str,
) -> Result<Option<User>, sqlx::Error> {
    Query::on(
        executor,
        concat!(
            "SELECT ",
            user_columns!(),
            " FROM users u WHERE u.username = $1"
        ),
    )
    .bind(canonical_name(username))
    .optional()
    .await
}

/// The one whose verified address this is, in lower case.
pub(crate) async fn by_verified_address<'c>(
    executor: impl Into<Executor<'c>>,
    address: &str,
) -> Result<Option<User>, sqlx::Error> {
    Query::on(
        executor,
        concat!(
            "SELECT ",
            user_columns!(),
            " FROM users u WHERE lower(u.email) = $1 AND u.email_verified"
        ),
    )
    .bind(address)
    .optional()
    .await
}

/// As [`by_id`], within a transaction.
pub(crate) async fn by_id_in(
    connection: &mut Connection,
    id: Uuid,
) -> Result<Option<User>, sqlx::Error> {
    connection
        .query(concat!(
            "SELECT ",
            user_columns!(),
            " FROM users u WHERE u.id = $1"
        ))
        .bind(id)
        .optional()
        .await
}

/// All users by name.
///
/// # Errors
/// The database failed.
pub async fn list(pool: &Pool) -> Result<Vec<User>, sqlx::Error> {
    pool.query(concat!(
        "SELECT ",
        user_columns!(),
        " FROM users u ORDER BY u.username"
    ))
    .all()
    .await
}

/// `None`: there is no such user.
///
/// # Errors
/// The database failed.
pub async fn by_id(pool: &Pool, id: Uuid) -> Result<Option<User>, sqlx::Error> {
    pool.query(concat!(
        "SELECT ",
        user_columns!(),
        " FROM users u WHERE u.id = $1"
    ))
    .bind(id)
    .optional()
    .await
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
    pool: &Pool,
    username: &str,
) -> Result<Option<Secret>, sqlx::Error> {
    pool.query(
        "SELECT password_hash, password_form, password_changed_at, disabled_at FROM users WHERE username = $1",
    )
    .bind(canonical_name(username))
    .optional()
    .await
}

/// The different beginnings, up to the salt, that hashes of the usual length have: algorithm and parameters.
pub(crate) async fn kinds_of_hashes(pool: &Pool) -> Result<Vec<String>, sqlx::Error> {
    pool.query(
        "SELECT DISTINCT substr(password_hash, 1, length(password_hash) - CAST($1 AS INTEGER)) FROM users
         WHERE length(password_hash) > $1",
    )
    .bind(SALT_AND_OUTPUT)
    .scalars()
    .await
}

/// The hashes of other programs that nobody has signed in with yet.
pub(crate) async fn foreign_hashes(pool: &Pool) -> Result<Vec<String>, sqlx::Error> {
    pool.query("SELECT password_hash FROM users WHERE password_hash NOT LIKE '$argon2id$%'")
        .scalars()
        .await
}

/// 16 and 32 bytes in base64, with a `$` before each.
const SALT_AND_OUTPUT: i64 = 23 + 44;

/// From where this user has started sessions that are still listed.
pub(in crate::people::users) async fn addresses_by_name(
    pool: &Pool,
    username: &str,
) -> Result<Vec<String>, sqlx::Error> {
    pool.query(
        "SELECT DISTINCT s.address FROM users u JOIN sessions s ON s.user_id = u.id WHERE u.username = $1",
    )
    .bind(canonical_name(username))
    .scalars()
    .await
}

/// Whether anybody is an admin and may sign in.
pub(crate) async fn any_admin<'c>(executor: impl Into<Executor<'c>>) -> Result<bool, sqlx::Error> {
    Query::on(
        executor,
        "SELECT EXISTS (SELECT 1 FROM users WHERE admin AND disabled_at IS NULL)",
    )
    .scalar()
    .await
}

/// The same of anybody but one.
pub(crate) async fn any_other_admin(
    connection: &mut Connection,
    id: Uuid,
) -> Result<bool, sqlx::Error> {
    connection
        .query(
            "SELECT EXISTS (SELECT 1 FROM users WHERE admin AND disabled_at IS NULL AND id <> $1)",
        )
        .bind(id)
        .scalar()
        .await
}

/// False if the name is taken.
pub(in crate::people::users) async fn insert(
    connection: &mut Connection,
    user: &User,
    hash: Option<(&str, HashForm)>,
) -> Result<bool, sqlx::Error> {
    let (hash, form) = hash.unzip();
    let rows = connection.query(
        "INSERT INTO users (id, username, display_name, email, admin, password_hash, password_form, password_changed_at, created_at, must_change_password)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9) ON CONFLICT DO NOTHING",
    )
    .bind(user.id)
    .bind(&user.username)
    .bind(&user.display_name)
    .bind(&user.email)
    .bind(user.admin)
    .bind(hash)
    .bind(form.unwrap_or(HashForm::Nfc))
    .bind(user.created_at)
    .bind(user.must_change_password)
    .execute()
    .await?;
    Ok(rows == 1)
}

pub(crate) async fn update(connection: &mut Connection, user: &User) -> Result<(), sqlx::Error> {
    connection.query("UPDATE users SET display_name = $2, email = $3, admin = $4, must_change_password = $5, email_verified = $6 WHERE id = $1")
        .bind(user.id)
        .bind(&user.display_name)
        .bind(&user.email)
        .bind(user.admin)
        .bind(user.must_change_password)
        .bind(user.email_verified)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::people::users) async fn set_password(
    connection: &mut Connection,
    id: Uuid,
    hash: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    // Later each time, whatever the clock says: who has checked the one of before is told apart by it.
    connection
        .query(
            "UPDATE users SET password_hash = $2, password_form = $3, must_change_password = FALSE,
                 password_changed_at = CASE WHEN password_changed_at < $4 THEN $4 ELSE password_changed_at + 1 END
             WHERE id = $1",
        )
        .bind(id)
        .bind(hash)
        .bind(HashForm::Nfc)
        .bind(now)
        .execute()
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
    connection.query("UPDATE users SET password_hash = $2, password_form = $3 WHERE id = $1 AND password_changed_at = $4")
        .bind(id)
        .bind(hash)
        .bind(HashForm::Nfc)
        .bind(changed_at)
        .execute()
        .await?;
    Ok(())
}

pub(crate) async fn set_disabled(
    connection: &mut Connection,
    id: Uuid,
    at: Option<Timestamp>,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE users SET disabled_at = $2 WHERE id = $1")
        .bind(id)
        .bind(at)
        .execute()
        .await?;
    Ok(())
}

/// Deletes a user with all that hangs on the row, and remembers who it was.
pub(crate) async fn delete(
    connection: &mut Connection,
    user: &User,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO former_users (id, username, deleted_at) VALUES ($1, $2, $3)")
        .bind(user.id)
        .bind(&user.username)
        .bind(now)
        .execute()
        .await?;
    connection
        .query("DELETE FROM users WHERE id = $1")
        .bind(user.id)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::people::users) async fn join(
    connection: &mut Connection,
    user_id: Uuid,
    group: &str,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO groups (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
        .bind(group)
        .execute()
        .await?;
    connection.query("INSERT INTO memberships (user_id, group_name) VALUES ($1, $2) ON CONFLICT (user_id, group_name) DO NOTHING")
        .bind(user_id)
        .bind(group)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::people::users) async fn leave(
    connection: &mut Connection,
    user_id: Uuid,
    group: &str,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM memberships WHERE user_id = $1 AND group_name = $2")
        .bind(user_id)
        .bind(group)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::people::users) async fn groups_of(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<Vec<String>, sqlx::Error> {
    connection
        .query("SELECT group_name FROM memberships WHERE user_id = $1 ORDER BY group_name")
        .bind(user_id)
        .scalars()
        .await
}

/// `None`: the user is gone or barred, or the password was changed since `changed_at`.
pub(crate) async fn by_unchanged_password(
    connection: &mut Connection,
    username: &str,
    changed_at: Timestamp,
) -> Result<Option<User>, sqlx::Error> {
    let is_unchanged: bool = connection
        .query(
            "SELECT EXISTS (SELECT 1 FROM users
             WHERE username = $1 AND password_changed_at = $2 AND disabled_at IS NULL)",
        )
        .bind(canonical_name(username))
        .bind(changed_at)
        .scalar()
        .await?;
    if is_unchanged {
        by_name(connection, username).await
    } else {
        Ok(None)
    }
}

/// # Errors
/// The database failed.
pub async fn count(pool: &Pool) -> Result<i64, sqlx::Error> {
    pool.query("SELECT count(*) FROM users").scalar().await
}

/// A user's hash, for a copy of all users.
#[derive(Debug, FromRow)]
pub(crate) struct StoredHash {
    pub username: String,
    pub password_hash: Option<String>,
    pub password_form: HashForm,
}

pub(crate) async fn hashes(pool: &Pool) -> Result<Vec<StoredHash>, sqlx::Error> {
    pool.query("SELECT username, password_hash, password_form FROM users ORDER BY username")
        .all()
        .await
}
