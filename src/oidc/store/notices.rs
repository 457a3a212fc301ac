use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool};

/// An application that is to be told of the end of a session.
#[derive(sqlx::FromRow)]
pub struct Notice {
    pub session_id: Uuid,
    pub client_id: String,
    pub user_id: Uuid,
    pub ended_at: Timestamp,
    pub tries: i64,
}

pub(in crate::oidc) async fn due_notices(
    pool: &Pool,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Notice>, sqlx::Error> {
    pool.query(
        "SELECT session_id, client_id, user_id, ended_at, tries FROM sign_out_notices
         WHERE told_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT $2",
    )
    .bind(now)
    .bind(limit)
    .all()
    .await
}

pub(in crate::oidc) async fn notice_told(
    connection: &mut Connection,
    notice: &Notice,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE sign_out_notices SET told_at = $3, tries = tries + 1 WHERE session_id = $1 AND client_id = $2")
        .bind(notice.session_id)
        .bind(&notice.client_id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::oidc) async fn put_notice_off(
    connection: &mut Connection,
    notice: &Notice,
    due_at: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE sign_out_notices SET due_at = $3, tries = tries + 1 WHERE session_id = $1 AND client_id = $2")
        .bind(notice.session_id)
        .bind(&notice.client_id)
        .bind(due_at)
        .execute()
        .await?;
    Ok(())
}

/// Names of the clients that did not take a notice so many times.
pub(in crate::oidc) async fn untold(pool: &Pool, tries: i64) -> Result<Vec<String>, sqlx::Error> {
    pool.query(
        "SELECT DISTINCT c.name FROM sign_out_notices n JOIN clients c ON c.id = n.client_id
         WHERE n.told_at IS NULL AND n.tries >= $1 ORDER BY c.name",
    )
    .bind(tries)
    .scalars()
    .await
}
