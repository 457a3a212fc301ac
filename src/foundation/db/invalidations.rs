//! The table that says which rows were changed, whoever changed them.

use super::cache::Key;
use super::{Connection, Engine, Executor, Query};

/// More than this is read as a change of everything.
const MOST: i64 = 4_096;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changes {
    All,
    Keys(Vec<Key>),
}

/// What was changed after the invalidation `last_id`, and the last one now. `None`: nothing is known of before.
pub(super) async fn since<'c>(
    executor: impl Into<Executor<'c>>,
    last_id: Option<i64>,
) -> Result<(i64, Changes), sqlx::Error> {
    let executor = executor.into();
    match executor.engine() {
        Engine::Sqlite => by_id(executor, last_id).await,
        #[cfg(feature = "postgres")]
        Engine::Postgres => by_transaction(executor, last_id).await,
    }
}

/// One writer at a time: ids are in the order of commits.
async fn by_id(
    executor: Executor<'_>,
    last_id: Option<i64>,
) -> Result<(i64, Changes), sqlx::Error> {
    let Some(last_id) = last_id else {
        let newest = Query::on(executor, "SELECT coalesce(max(id), 0) FROM invalidations")
            .scalar()
            .await?;
        return Ok((newest, Changes::All));
    };
    let rows: Vec<(i64, Option<Vec<u8>>)> = Query::on(
        executor,
        "SELECT id, key FROM invalidations WHERE id > $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(last_id)
    .bind(MOST)
    .all()
    .await?;
    let newest = rows.first().map_or(last_id, |(id, _)| *id);
    let changes = if rows.len() as i64 == MOST {
        Changes::All
    } else {
        read(rows.iter().map(|(_, key)| key))
    };
    Ok((newest, changes))
}

/// A transaction has its number before it commits. So the last is the oldest that may still be under way, and what
/// was written from it on is read again: some keys come twice, and none is missed.
#[cfg(feature = "postgres")]
async fn by_transaction(
    executor: Executor<'_>,
    last_id: Option<i64>,
) -> Result<(i64, Changes), sqlx::Error> {
    let rows: Vec<(i64, bool, Option<Vec<u8>>)> = Query::on(
        executor,
        "SELECT CAST(CAST(pg_snapshot_xmin(s) AS TEXT) AS BIGINT), i.id IS NOT NULL, i.key
         FROM pg_current_snapshot() s LEFT JOIN invalidations i ON i.txid >= CAST(CAST($1 AS TEXT) AS XID8) LIMIT $2",
    )
    .bind(last_id.map(|last_id| last_id.to_string()))
    .bind(MOST)
    .all()
    .await?;
    let (oldest, ..) = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let changes = match last_id {
        None => Changes::All,
        Some(_) if rows.len() as i64 == MOST => Changes::All,
        Some(_) => read(
            rows.iter()
                .filter(|(_, is_row, _)| *is_row)
                .map(|(.., key)| key),
        ),
    };
    Ok((*oldest, changes))
}

fn read<'r>(keys: impl Iterator<Item = &'r Option<Vec<u8>>>) -> Changes {
    let keys = keys.map(|key| key_of(key.as_deref()?));
    keys.collect::<Option<_>>()
        .map_or(Changes::All, Changes::Keys)
}

/// `None`: all keys, and whatever cannot be read.
fn key_of(key: &[u8]) -> Option<Key> {
    match key {
        b"policy" => Some(Key::Policy),
        _ => (key.try_into().map(Key::Secret).ok())
            .or_else(|| uuid::Uuid::from_slice(key).map(Key::Id).ok()),
    }
}

/// Deletes what this server has seen; no other reads it.
pub(super) async fn prune(connection: &mut Connection, last_id: i64) -> Result<(), sqlx::Error> {
    match Executor::from(&mut *connection).engine() {
        Engine::Sqlite => connection
            .query("DELETE FROM invalidations WHERE id <= $1")
            .bind(last_id),
        #[cfg(feature = "postgres")]
        Engine::Postgres => connection
            .query("DELETE FROM invalidations WHERE txid < CAST(CAST($1 AS TEXT) AS XID8)")
            .bind(last_id.to_string()),
    }
    .execute()
    .await?;
    Ok(())
}

/// From here to the commit, changes of sessions are not told one by one: one row says that everything was changed.
pub(super) async fn begin_bulk(connection: &mut Connection) -> Result<(), sqlx::Error> {
    for statement in [
        "UPDATE bulk_change SET active = TRUE",
        "INSERT INTO invalidations (key) VALUES (NULL)",
    ] {
        connection.query(statement).execute().await?;
    }
    Ok(())
}

pub(super) async fn end_bulk(connection: &mut Connection) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE bulk_change SET active = FALSE")
        .execute()
        .await?;
    Ok(())
}
