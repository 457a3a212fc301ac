use std::time::Duration;

use sqlx::SqlitePool;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::Connection;

/// `None`: the bucket is full.
pub(super) async fn full_at(
    pool: &SqlitePool,
    bucket: &str,
) -> Result<Option<Timestamp>, sqlx::Error> {
    sqlx::query_scalar("SELECT full_at FROM throttle WHERE bucket = $1")
        .bind(bucket)
        .fetch_optional(pool)
        .await
}

pub(super) async fn take_try(
    connection: &mut Connection,
    bucket: &str,
    now: Timestamp,
    interval: Duration,
) -> Result<Timestamp, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO throttle (bucket, full_at) VALUES ($1, $2)
         ON CONFLICT (bucket) DO UPDATE
         SET full_at = CASE WHEN throttle.full_at > $3 THEN throttle.full_at + $4 ELSE $2 END
         RETURNING full_at",
    )
    .bind(bucket)
    .bind(now.plus(interval))
    .bind(now)
    .bind(i64::try_from(interval.as_micros()).unwrap_or(i64::MAX))
    .fetch_one(connection)
    .await
}

pub(super) async fn fill(connection: &mut Connection, bucket: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM throttle WHERE bucket = $1")
        .bind(bucket)
        .execute(connection)
        .await?;
    Ok(())
}

/// Drops the rows of buckets that are full again.
pub(super) async fn delete_full(
    connection: &mut Connection,
    now: Timestamp,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("DELETE FROM throttle WHERE bucket IN (SELECT bucket FROM throttle WHERE full_at <= $1 LIMIT $2)")
        .bind(now)
        .bind(limit)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
