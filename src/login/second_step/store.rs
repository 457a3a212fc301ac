use sqlx::Row;

use super::Pending;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool, from_row};
use crate::foundation::token::TokenHash;
use crate::login::LoginForm;
use crate::people::users::{User, user_columns};

pub(super) async fn insert(
    connection: &mut Connection,
    hash: &TokenHash,
    user: &User,
    password_changed_at: Timestamp,
    form: &LoginForm,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO pending_sign_ins (token_hash, user_id, password_changed_at, remember, rd, flow, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(hash.as_bytes())
        .bind(user.id)
        .bind(password_changed_at)
        .bind(form.remember)
        .bind(form.rd.as_deref())
        .bind(form.flow.as_deref())
        .bind(expires_at)
        .execute()
        .await?;
    Ok(())
}

from_row!(Pending, |row| {
    Ok(Self {
        user: User::from_row(row)?,
        remember: row.try_get("remember")?,
        rd: row.try_get("rd")?,
        flow: row.try_get("flow")?,
    })
});

/// A pending sign-in that is still good, with its user.
macro_rules! good {
    () => {
        concat!(
            "SELECT p.remember, p.rd, p.flow, ",
            user_columns!(),
            " FROM pending_sign_ins p JOIN users u ON u.id = p.user_id
             WHERE p.token_hash = $1 AND p.expires_at > $2 AND u.disabled_at IS NULL
               AND u.password_changed_at = p.password_changed_at"
        )
    };
}

pub(super) async fn find(
    pool: &Pool,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<Pending>, sqlx::Error> {
    pool.query(good!())
        .bind(hash.as_bytes())
        .bind(now)
        .optional()
        .await
}

/// The same, which nobody finds after this.
pub(super) async fn take(
    connection: &mut Connection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<Pending>, sqlx::Error> {
    let pending: Option<Pending> = connection
        .query(good!())
        .bind(hash.as_bytes())
        .bind(now)
        .optional()
        .await?;
    let rows = connection
        .query("DELETE FROM pending_sign_ins WHERE token_hash = $1")
        .bind(hash.as_bytes())
        .execute()
        .await?;
    Ok(pending.filter(|_| rows == 1))
}

pub(super) async fn delete_expired(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM pending_sign_ins WHERE expires_at <= $1")
        .bind(now)
        .execute()
        .await?;
    Ok(())
}
