//! The last uses of sessions, many written by one statement.

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Builder, Connection};
use crate::foundation::token::TokenHash;
use crate::sessions::last_use::LastUse;

/// How many last uses one statement writes. With 256, SQLite reads all sessions instead of finding each.
pub(in crate::sessions) const USES_TOGETHER: usize = 64;

/// Puts the idle ends of sessions off, of `USES_TOGETHER` at most, if they are still live; never beyond
/// their other ends.
pub(in crate::sessions) async fn touch(
    connection: &mut Connection,
    recorded: &[(TokenHash, LastUse)],
) -> Result<(), sqlx::Error> {
    touching(connection, recorded).build().execute().await?;
    Ok(())
}

fn touching<'c>(connection: &'c mut Connection, recorded: &[(TokenHash, LastUse)]) -> Builder<'c> {
    let mut sql = connection.build("WITH used (token_hash, at, idle_end) AS (VALUES ");
    // Filled up with NULL, which no hash is equal to, so that there is one statement to prepare.
    for n in 0..USES_TOGETHER {
        let recorded = recorded.get(n);
        sql.push(if n == 0 { "(" } else { ", (" })
            .push_bind(recorded.map(|(hash, _)| hash.as_bytes().to_vec()))
            .push(", ")
            .push_bind(recorded.map(|(_, used)| used.at))
            .push(", ")
            .push_bind(recorded.map(|(_, used)| used.idle_end))
            .push(")");
    }
    // No RETURNING: its rows would cost as much as the statements that they save.
    sql.push(
        ") UPDATE sessions SET last_seen_at = used.at, idle_expires_at = used.idle_end FROM used
         WHERE sessions.token_hash = used.token_hash AND ended_at IS NULL
           AND last_seen_at < used.at AND idle_expires_at > used.at",
    );
    sql
}

/// Writes when a host was last used by this secret, if the secret still stands for anything.
pub(in crate::sessions) async fn touch_site(
    connection: &mut Connection,
    secret: &TokenHash,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE site_secrets SET used_at = $2 WHERE secret_hash = $1 AND used_at < $2")
        .bind(secret.as_bytes())
        .bind(at)
        .execute()
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::SqlitePool;

    use super::*;
    use crate::foundation::db::Pool;

    #[rocket::async_test]
    async fn uses_that_are_written_together_find_each_session_by_its_index() {
        let pool = SqlitePool::connect("sqlite::memory:").await;
        let pool = pool.expect("a database");
        sqlx::migrate!().run(&pool).await.expect("tables");
        let mut connection = Pool::from(pool).snapshot().await.expect("a connection");
        let steps = touching(&mut connection, &[]).steps().await;
        let found = "SEARCH sessions USING INDEX sqlite_autoindex_sessions_1 (token_hash=?)";
        assert!(steps.iter().any(|step| step == found), "{steps:?}");
    }
}
