use uuid::Uuid;

use crate::foundation::db::{Connection, Pool};

pub(super) async fn remove_all(
    connection: &mut Connection,
    user_id: Uuid,
) -> Result<(), sqlx::Error> {
    for statement in [
        "DELETE FROM totp WHERE user_id = $1",
        "DELETE FROM passkeys WHERE user_id = $1",
        "DELETE FROM recovery_codes WHERE user_id = $1",
    ] {
        connection.query(statement).bind(user_id).execute().await?;
    }
    Ok(())
}

/// Whether there is one.
pub(crate) async fn any(connection: &mut Connection, user_id: Uuid) -> Result<bool, sqlx::Error> {
    connection
        .query(
            "SELECT EXISTS (SELECT 1 FROM totp WHERE user_id = $1) OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = $1)",
        )
        .bind(user_id)
        .scalar()
        .await
}

/// Of the users who may sign in, how many have none.
pub(crate) async fn count_without(pool: &Pool) -> Result<i64, sqlx::Error> {
    pool.query(
        "SELECT count(*) FROM users u WHERE u.disabled_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM totp t WHERE t.user_id = u.id)
             AND NOT EXISTS (SELECT 1 FROM passkeys p WHERE p.user_id = u.id)",
    )
    .scalar()
    .await
}
