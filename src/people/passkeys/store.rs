use sqlx::FromRow;
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Executor, Pool, Query};

/// One passkey of a user, as it is stored. None of it is secret.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Passkey {
    pub id: Uuid,
    pub user_id: Uuid,
    pub credential_id: Vec<u8>,
    /// As COSE writes keys.
    pub public_key: Vec<u8>,
    pub algorithm: i64,
    pub counter: i64,
    pub aaguid: Vec<u8>,
    /// How its device is reached: words with commas between them.
    pub transports: String,
    /// The host that it was made for.
    pub rp_id: String,
    pub name: String,
    /// It may be on several devices.
    pub backup_eligible: bool,
    /// It is.
    pub backed_up: bool,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, user_id, credential_id, public_key, algorithm, counter, aaguid, transports, rp_id, name,
         backup_eligible, backed_up, created_at, last_used_at"
    };
}

/// `None`: nobody has registered it, or it was deleted.
pub(super) async fn by_credential_id<'c>(
    executor: impl Into<Executor<'c>>,
    credential_id: &[u8],
) -> Result<Option<Passkey>, sqlx::Error> {
    Query::on(
        executor,
        concat!(
            "SELECT ",
            columns!(),
            " FROM passkeys WHERE credential_id = $1"
        ),
    )
    .bind(credential_id)
    .optional()
    .await
}

/// A user's, the oldest first.
pub(super) async fn of_user<'c>(
    executor: impl Into<Executor<'c>>,
    user_id: Uuid,
) -> Result<Vec<Passkey>, sqlx::Error> {
    Query::on(
        executor,
        concat!(
            "SELECT ",
            columns!(),
            " FROM passkeys WHERE user_id = $1 ORDER BY id"
        ),
    )
    .bind(user_id)
    .all()
    .await
}

/// False if it is registered already, by whomever.
pub(super) async fn insert(
    connection: &mut Connection,
    passkey: &Passkey,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query(concat!(
            "INSERT INTO passkeys (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (credential_id) DO NOTHING"
        ))
        .bind(passkey.id)
        .bind(passkey.user_id)
        .bind(&passkey.credential_id)
        .bind(&passkey.public_key)
        .bind(passkey.algorithm)
        .bind(passkey.counter)
        .bind(&passkey.aaguid)
        .bind(&passkey.transports)
        .bind(&passkey.rp_id)
        .bind(&passkey.name)
        .bind(passkey.backup_eligible)
        .bind(passkey.backed_up)
        .bind(passkey.created_at)
        .bind(passkey.last_used_at)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn mark_used(
    connection: &mut Connection,
    id: Uuid,
    counter: u32,
    backed_up: bool,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE passkeys SET counter = $2, backed_up = $3, last_used_at = $4 WHERE id = $1")
        .bind(id)
        .bind(i64::from(counter))
        .bind(backed_up)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn rename(
    connection: &mut Connection,
    id: Uuid,
    name: &str,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE passkeys SET name = $2 WHERE id = $1")
        .bind(id)
        .bind(name)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn delete(connection: &mut Connection, id: Uuid) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM passkeys WHERE id = $1")
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// Whether this user can sign in with a password.
pub(super) async fn has_password(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<bool, sqlx::Error> {
    connection
        .query("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND password_hash IS NOT NULL)")
        .bind(user_id)
        .scalar()
        .await
}

/// How many passkeys are of no use at this host.
pub(super) async fn count_elsewhere(pool: &Pool, rp_id: &str) -> Result<i64, sqlx::Error> {
    pool.query("SELECT count(*) FROM passkeys WHERE rp_id <> $1")
        .bind(rp_id)
        .scalar()
        .await
}

/// Marks a challenge as answered; false if it was before.
pub(super) async fn spend(
    connection: &mut Connection,
    hash: &[u8],
    expires_at: Timestamp,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query("INSERT INTO spent_challenges (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING")
        .bind(hash)
        .bind(expires_at)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Says how many there were, of at most so many at once.
pub(super) async fn delete_spent(
    connection: &mut Connection,
    ended_before: Timestamp,
    most: u32,
) -> Result<u64, sqlx::Error> {
    connection
        .query(
            "DELETE FROM spent_challenges WHERE hash IN
             (SELECT hash FROM spent_challenges WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        )
        .bind(ended_before)
        .bind(i64::from(most))
        .execute()
        .await
}
