use serde::Serialize;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::{Mail, NewMail};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool, from_row};
use crate::foundation::secrets::Sealed;

pub(super) async fn insert(
    connection: &mut Connection,
    id: Uuid,
    mail: &NewMail,
    sealed: Option<&Sealed>,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO mails (id, kind, user_id, recipient, data, sealed, key_id, created_at, next_try_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)",
        )
        .bind(id)
        .bind(mail.kind)
        .bind(mail.user_id)
        .bind(&mail.recipient)
        .bind(mail.data.to_string())
        .bind(sealed.map(|sealed| sealed.bytes.clone()))
        .bind(sealed.map(|sealed| sealed.key_id))
        .bind(now)
        .bind(now.plus(mail.lifetime))
        .execute()
        .await?;
    Ok(())
}

from_row!(Mail, |row| {
    let key_id: Option<i64> = row.try_get("key_id")?;
    let bytes: Option<Vec<u8>> = row.try_get("sealed")?;
    let data: String = row.try_get("data")?;
    Ok(Self {
        id: row.try_get("id")?,
        kind: row.try_get("kind")?,
        user_id: row.try_get("user_id")?,
        recipient: row.try_get("recipient")?,
        data: serde_json::from_str(&data).map_err(|error| sqlx::Error::Decode(error.into()))?,
        created_at: row.try_get("created_at")?,
        sealed: key_id
            .zip(bytes)
            .map(|(key_id, bytes)| Sealed { key_id, bytes }),
        tries: row.try_get("tries")?,
        expires_at: row.try_get("expires_at")?,
    })
});

/// Whether there is one to be sent.
pub(super) async fn any_due(pool: &Pool, now: Timestamp) -> Result<bool, sqlx::Error> {
    pool.query(
        "SELECT EXISTS (SELECT 1 FROM mails WHERE next_try_at <= $1 AND sent_at IS NULL AND gave_up_at IS NULL)",
    )
    .bind(now)
    .scalar()
    .await
}

/// Takes the next one that is due, for nobody else to send until `again`.
pub(super) async fn claim(
    connection: &mut Connection,
    now: Timestamp,
    again: Timestamp,
) -> Result<Option<Mail>, sqlx::Error> {
    connection
        .query(
            "UPDATE mails SET next_try_at = $2, tries = tries + 1
             WHERE id = (SELECT id FROM mails WHERE next_try_at <= $1 AND sent_at IS NULL AND gave_up_at IS NULL
                         ORDER BY next_try_at LIMIT 1)
               AND next_try_at <= $1 AND sent_at IS NULL AND gave_up_at IS NULL
             RETURNING id, kind, user_id, recipient, data, sealed, key_id, created_at, tries, expires_at",
        )
        .bind(now)
        .bind(again)
        .optional()
        .await
}

pub(super) async fn mark_sent(
    connection: &mut Connection,
    id: Uuid,
    recipient: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE mails SET sent_at = $2, recipient = $3, last_error = NULL, sealed = NULL, key_id = NULL WHERE id = $1")
        .bind(id)
        .bind(now)
        .bind(recipient)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn mark_failed(
    connection: &mut Connection,
    id: Uuid,
    error: &str,
    again: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE mails SET next_try_at = $2, last_error = $3 WHERE id = $1")
        .bind(id)
        .bind(again)
        .bind(error)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn give_up(
    connection: &mut Connection,
    id: Uuid,
    error: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE mails SET gave_up_at = $2, last_error = $3, sealed = NULL, key_id = NULL WHERE id = $1")
        .bind(id)
        .bind(now)
        .bind(error)
        .execute()
        .await?;
    Ok(())
}

/// How many others of a kind are for a user since a moment.
pub(super) async fn others_since(
    connection: &mut Connection,
    mail: &Mail,
    user_id: Uuid,
    since: Timestamp,
) -> Result<i64, sqlx::Error> {
    connection
        .query("SELECT count(*) FROM mails WHERE user_id = $1 AND kind = $2 AND created_at > $3 AND id <> $4")
        .bind(user_id)
        .bind(&mail.kind)
        .bind(since)
        .bind(mail.id)
        .scalar()
        .await
}

pub(super) async fn sent_since(
    pool: &Pool,
    user_id: Uuid,
    kind: &str,
    since: Timestamp,
) -> Result<i64, sqlx::Error> {
    pool.query("SELECT count(*) FROM mails WHERE user_id = $1 AND kind = $2 AND created_at > $3 AND sent_at > $3")
        .bind(user_id)
        .bind(kind)
        .bind(since)
        .scalar()
        .await
}

/// Says for whom a mail turned out to be.
pub(super) async fn set_user(
    connection: &mut Connection,
    id: Uuid,
    user_id: Option<Uuid>,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE mails SET user_id = $2 WHERE id = $1")
        .bind(id)
        .bind(user_id)
        .execute()
        .await?;
    Ok(())
}

/// A mail as lists show it.
#[derive(Clone, Debug, FromRow, Serialize)]
pub struct Listed {
    pub id: Uuid,
    pub kind: String,
    pub recipient: String,
    pub created_at: Timestamp,
    pub next_try_at: Timestamp,
    pub tries: i64,
    pub last_error: Option<String>,
    pub sent_at: Option<Timestamp>,
    pub gave_up_at: Option<Timestamp>,
}

pub(super) async fn newest(pool: &Pool, limit: i64) -> Result<Vec<Listed>, sqlx::Error> {
    pool.query(
        "SELECT id, kind, recipient, created_at, next_try_at, tries, last_error, sent_at, gave_up_at
         FROM mails ORDER BY created_at DESC, id DESC LIMIT $1",
    )
    .bind(limit)
    .all()
    .await
}

/// How many wait, and how many of those have failed before; and how many were given up.
pub(super) async fn counts(pool: &Pool) -> Result<(i64, i64, i64), sqlx::Error> {
    let count = |condition: &'static str| pool.query(condition).scalar::<i64>();
    Ok((
        count("SELECT count(*) FROM mails WHERE sent_at IS NULL AND gave_up_at IS NULL").await?,
        count("SELECT count(*) FROM mails WHERE sent_at IS NULL AND gave_up_at IS NULL AND last_error IS NOT NULL").await?,
        count("SELECT count(*) FROM mails WHERE gave_up_at IS NOT NULL").await?,
    ))
}

pub(super) async fn delete_old(
    connection: &mut Connection,
    before: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM mails WHERE created_at < $1 AND (sent_at IS NOT NULL OR gave_up_at IS NOT NULL)")
        .bind(before)
        .execute()
        .await?;
    Ok(())
}
