use std::time::Duration;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Executor, Query};

/// `None`: the bucket is full.
pub(super) async fn full_at<'c>(
    executor: impl Into<Executor<'c>>,
    bucket: &str,
) -> Result<Option<Timestamp>, sqlx::Error> {
    Query::on(executor, "SELECT full_at FROM throttle WHERE bucket = $1")
        .bind(bucket)
        .optional_scalar()
        .await
}

pub(super) async fn take_try(
    connection: &mut Connection,
    bucket: &str,
    now: Timestamp,
    interval: Duration,
) -> Result<Timestamp, sqlx::Error> {
    connection
        .query(
            "INSERT INTO throttle (bucket, full_at) VALUES ($1, $2)
         ON CONFLICT (bucket) DO UPDATE
         SET full_at = CASE WHEN throttle.full_at > $3 THEN throttle.full_at + $4 ELSE $2 END
         RETURNING full_at",
        )
        .bind(bucket)
        .bind(now.plus(interval))
        .bind(now)
        .bind(i64::try_from(interval.as_micros()).unwrap_or(i64::MAX))
        .scalar()
        .await
}

pub(super) async fn give_back(
    connection: &mut Connection,
    bucket: &str,
    interval: Duration,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE throttle SET full_at = full_at - $2 WHERE bucket = $1")
        .bind(bucket)
        .bind(i64::try_from(interval.as_micros()).unwrap_or(i64::MAX))
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn fill(connection: &mut Connection, bucket: &str) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM throttle WHERE bucket = $1")
        .bind(bucket)
        .execute()
        .await?;
    Ok(())
}

/// Drops the rows of buckets that are full again.
pub(super) async fn delete_full(
    connection: &mut Connection,
    now: Timestamp,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    connection.query("DELETE FROM throttle WHERE bucket IN (SELECT bucket FROM throttle WHERE full_at <= $1 LIMIT $2)")
        .bind(now)
        .bind(i64::from(limit)).execute().await
}
