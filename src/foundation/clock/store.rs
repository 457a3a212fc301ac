use super::Timestamp;
use crate::foundation::db::{Connection, Pool};

pub(super) async fn told(pool: &Pool) -> Result<Timestamp, sqlx::Error> {
    pool.query("SELECT told FROM clock").scalar().await
}

pub(super) async fn keep(connection: &mut Connection, told: Timestamp) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE clock SET told = $1 WHERE told < $1")
        .bind(told)
        .execute()
        .await?;
    Ok(())
}
