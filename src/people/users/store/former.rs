//! Who was deleted, and whom a name in the audit trail means.

use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::by_name;
use crate::foundation::audit::Subject;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Pool;
use crate::people::users::canonical_name;

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
pub async fn former_by_name(pool: &Pool, username: &str) -> Result<Vec<Former>, sqlx::Error> {
    pool.query(
        "SELECT id, username, deleted_at FROM former_users WHERE username = $1 ORDER BY deleted_at DESC LIMIT 20",
    )
    .bind(canonical_name(username))
    .all()
    .await
}

/// `None`: no user with this id was deleted.
///
/// # Errors
/// The database failed.
pub async fn former_by_id(pool: &Pool, id: Uuid) -> Result<Option<Former>, sqlx::Error> {
    pool.query("SELECT id, username, deleted_at FROM former_users WHERE id = $1")
        .bind(id)
        .optional()
        .await
}

/// Whom a name or an id means in the audit trail. Records of a user are found by the id, for others may
/// have had the name before; those of a name that nobody has now, by the name.
///
/// # Errors
/// The database failed.
pub async fn audit_subject(pool: &Pool, text: &str) -> Result<Subject, sqlx::Error> {
    if let Some(user) = by_name(pool, text).await? {
        return Ok(Subject::Id(user.id));
    }
    Ok(match Uuid::try_parse(text) {
        Ok(id) => Subject::Id(id),
        Err(_) => Subject::Name(canonical_name(text)),
    })
}
