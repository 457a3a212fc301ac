//! The table that says which rows were changed, whoever changed them.

use super::cache::Key;
#[cfg(feature = "postgres")]
use super::postgres;
use super::{Connection, Engine, Executor, Query};

/// More than this is read as a change of everything.
pub(super) const MOST: i64 = 4_096;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changes {
    All,
    Keys(Vec<Key>),
}

/// What was changed after the invalidation `last_id`, and the last one now. `None`: nothing is known of before.
///
/// On SQLite, where there is one writer at a time: ids are in the order of commits.
pub(super) async fn since<'c>(
    executor: impl Into<Executor<'c>>,
    last_id: Option<i64>,
) -> Result<(i64, Changes), sqlx::Error> {
    let executor = executor.into();
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

/// What a transaction knows just before its commit: the same, and whether there is a change of its own.
pub(super) async fn at_commit(
    connection: &mut Connection,
    last_id: Option<i64>,
) -> Result<(i64, Changes, bool), sqlx::Error> {
    match Executor::from(&mut *connection).engine() {
        Engine::Sqlite => {
            let (newest, changes) = since(connection, last_id).await?;
            let is_change = changes != Changes::Keys(Vec::new());
            Ok((newest, changes, is_change))
        }
        #[cfg(feature = "postgres")]
        Engine::Postgres => postgres::at_commit(connection, last_id).await,
    }
}

pub(super) fn read<'r>(keys: impl Iterator<Item = &'r Option<Vec<u8>>>) -> Changes {
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
    connection.is_long = true;
    #[cfg(feature = "postgres")]
    if Executor::from(&mut *connection).engine() == Engine::Postgres {
        let longer = "SET LOCAL statement_timeout = '60s'";
        connection.query(longer).execute().await?;
    }
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
