use sqlx::Row;
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Executor, Pool, Query, from_row};
use crate::foundation::secrets::Sealed;
use crate::oidc::clients::Alg;
use crate::oidc::keys::SigningKey;

from_row!(SigningKey, |row| {
    let alg: &str = row.try_get("alg")?;
    Ok(Self {
        id: row.try_get("id")?,
        kid: row.try_get("kid")?,
        alg: Alg::parse(alg).ok_or_else(|| sqlx::Error::Decode(alg.to_owned().into()))?,
        private: Sealed {
            key_id: row.try_get("key_id")?,
            bytes: row.try_get("private")?,
        },
        public: row.try_get("public")?,
        active_from: row.try_get("active_from")?,
        retired_at: row.try_get("retired_at")?,
    })
});

/// All that there are, the newest last.
pub(in crate::oidc) async fn signing_keys<'c>(
    executor: impl Into<Executor<'c>>,
) -> Result<Vec<SigningKey>, sqlx::Error> {
    Query::on(
        executor,
        "SELECT id, kid, alg, private, key_id, public, active_from, retired_at FROM signing_keys ORDER BY active_from, id",
    )
    .all()
    .await
}

pub(in crate::oidc) async fn insert_signing_key(
    connection: &mut Connection,
    key: &SigningKey,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO signing_keys (id, kid, alg, private, key_id, public, created_at, active_from)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(key.id)
        .bind(&key.kid)
        .bind(key.alg.as_str())
        .bind(&key.private.bytes)
        .bind(key.private.key_id)
        .bind(&key.public)
        .bind(now)
        .bind(key.active_from)
        .execute()
        .await?;
    Ok(())
}

/// Each key signs no longer than until then.
pub(in crate::oidc) async fn retire_signing_keys(
    connection: &mut Connection,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "UPDATE signing_keys SET retired_at = $1 WHERE retired_at IS NULL OR retired_at > $1",
        )
        .bind(at)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::oidc) async fn delete_signing_keys(
    connection: &mut Connection,
    retired_before: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM signing_keys WHERE retired_at < $1")
        .bind(retired_before)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::oidc) async fn any_client(pool: &Pool) -> Result<bool, sqlx::Error> {
    let some: Option<String> = pool
        .query("SELECT id FROM clients LIMIT 1")
        .optional_scalar()
        .await?;
    Ok(some.is_some())
}

/// The row that a sealed key is in.
pub(in crate::oidc) fn place(id: Uuid) -> crate::foundation::secrets::Place {
    crate::foundation::secrets::Place {
        column: "signing_keys.private",
        row: id,
    }
}
