use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::{Key, Sealed};
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Executor, Query, from_row};
use crate::foundation::error::Error;

/// What a key opens, if it is the one of this id.
pub(super) struct Proof {
    pub id: i64,
    pub bytes: Vec<u8>,
    pub is_retired: bool,
}

from_row!(Proof, |row| {
    Ok(Self {
        id: row.try_get("id")?,
        bytes: row.try_get("proof")?,
        is_retired: row.try_get::<Option<Timestamp>, _>("retired_at")?.is_some(),
    })
});

pub(super) async fn proofs<'c>(
    executor: impl Into<Executor<'c>>,
) -> Result<Vec<Proof>, sqlx::Error> {
    Query::on(executor, "SELECT id, proof, retired_at FROM secret_keys")
        .all()
        .await
}

/// Of nodes that start at once, the first one's key seals.
pub(super) async fn insert_first(app: &App, key: &Key) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    if proofs(&mut *tx).await?.iter().all(|proof| proof.is_retired) {
        insert(&mut tx, key, app.clock.now()).await?;
    }
    Ok(tx.commit().await?)
}

/// A key that seals from now on.
pub(super) async fn insert(
    connection: &mut Connection,
    key: &Key,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO secret_keys (id, proof, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET retired_at = NULL",
        )
        .bind(key.id)
        .bind(key.proof())
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn retire(
    connection: &mut Connection,
    id: i64,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE secret_keys SET retired_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn retired_at(
    connection: &mut Connection,
    id: i64,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let retired: Option<Option<Timestamp>> = connection
        .query("SELECT retired_at FROM secret_keys WHERE id = $1")
        .bind(id)
        .optional_scalar()
        .await?;
    Ok(retired.flatten())
}

pub(super) async fn delete(connection: &mut Connection, id: i64) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM secret_keys WHERE id = $1")
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// Whether there is such a key, and it seals.
pub(super) async fn is_sealing(connection: &mut Connection, id: i64) -> Result<bool, sqlx::Error> {
    connection
        .query("SELECT EXISTS (SELECT 1 FROM secret_keys WHERE id = $1 AND retired_at IS NULL)")
        .bind(id)
        .scalar()
        .await
}

/// The key that seals.
pub(super) async fn sealing(connection: &mut Connection) -> Result<i64, sqlx::Error> {
    connection
        .query("SELECT id FROM secret_keys WHERE retired_at IS NULL")
        .scalar()
        .await
}

/// A column of sealed values: where it is, how it is read beside a key, and how one value is written.
pub(super) struct Column {
    pub name: &'static str,
    read: &'static str,
    write: &'static str,
}

/// Every one there is.
pub(super) const COLUMNS: [Column; 3] = [
    Column {
        name: "totp.secret",
        read: "SELECT user_id AS id, key_id, secret AS sealed FROM totp WHERE key_id <> $1",
        write: "UPDATE totp SET secret = $2, key_id = $3 WHERE user_id = $1",
    },
    Column {
        name: "mails.sealed",
        read: "SELECT id, key_id, sealed FROM mails WHERE key_id <> $1",
        write: "UPDATE mails SET sealed = $2, key_id = $3 WHERE id = $1",
    },
    Column {
        name: "signing_keys.private",
        read: "SELECT id, key_id, private AS sealed FROM signing_keys WHERE key_id <> $1",
        write: "UPDATE signing_keys SET private = $2, key_id = $3 WHERE id = $1",
    },
];

#[derive(FromRow)]
struct SealedRow {
    id: Uuid,
    key_id: i64,
    sealed: Vec<u8>,
}

impl Column {
    /// What is sealed with another key than this one.
    pub async fn beside(
        &self,
        connection: &mut Connection,
        key_id: i64,
    ) -> Result<Vec<(Uuid, Sealed)>, sqlx::Error> {
        let rows: Vec<SealedRow> = connection.query(self.read).bind(key_id).all().await?;
        let sealed = rows.into_iter().map(|row| {
            let sealed = Sealed {
                key_id: row.key_id,
                bytes: row.sealed,
            };
            (row.id, sealed)
        });
        Ok(sealed.collect())
    }

    pub async fn write(
        &self,
        connection: &mut Connection,
        id: Uuid,
        sealed: &Sealed,
    ) -> Result<(), sqlx::Error> {
        connection
            .query(self.write)
            .bind(id)
            .bind(&sealed.bytes)
            .bind(sealed.key_id)
            .execute()
            .await?;
        Ok(())
    }
}
