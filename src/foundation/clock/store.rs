use sqlx::SqlitePool;

use super::Timestamp;
use crate::foundation::db::Connection;

pub(super) async fn told(pool: &SqlitePool) -> Result<Timestamp, sqlx::Error> {
    sqlx::query_scalar("SELECT told FROM clock")
        .fetch_one(pool)
        .await
}

pub(super) async fn keep(connection: &mut Connection, told: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE clock SET told = $1 WHERE told < $1")
        .bind(told)
        .execute(connection)
        .await?;
    Ok(())
}
