//! The last uses of sessions, many written by one statement.

use std::iter;

use sqlx::{QueryBuilder, Sqlite};

use crate::foundation::db::Connection;
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
    touching(recorded).build().execute(connection).await?;
    Ok(())
}

fn touching(recorded: &[(TokenHash, LastUse)]) -> QueryBuilder<Sqlite> {
    // Filled up with NULL, which no hash is equal to, so that there is one statement to prepare.
    let rows = recorded.iter().map(Some).chain(iter::repeat(None));
    let mut sql = QueryBuilder::<Sqlite>::new("WITH used (token_hash, at, idle_end) AS (");
    sql.push_values(rows.take(USES_TOGETHER), |mut row, recorded| {
        row.push_bind(recorded.map(|(hash, _)| hash.as_bytes()))
            .push_bind(recorded.map(|(_, used)| used.at))
            .push_bind(recorded.map(|(_, used)| used.idle_end));
    });
    // No RETURNING: its rows would cost as much as the statements that they save.
    sql.push(
        ") UPDATE sessions SET last_seen_at = used.at, idle_expires_at = used.idle_end FROM used
         WHERE sessions.token_hash = used.token_hash AND ended_at IS NULL
           AND last_seen_at < used.at AND idle_expires_at > used.at",
    );
    sql
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, Row};

    use super::*;

    #[rocket::async_test]
    async fn uses_that_are_written_together_find_each_session_by_its_index() {
        let mut connection = Connection::connect("sqlite::memory:")
            .await
            .expect("a database");
        sqlx::migrate!().run(&mut connection).await.expect("tables");
        let explain = format!("EXPLAIN QUERY PLAN {}", touching(&[]).into_string());
        let steps: Vec<String> = sqlx::query(sqlx::AssertSqlSafe(explain))
            .fetch_all(&mut connection)
            .await
            .expect("an explanation")
            .iter()
            .map(|row| row.get("detail"))
            .collect();
        let found = "SEARCH sessions USING INDEX sqlite_autoindex_sessions_1 (token_hash=?)";
        assert!(steps.iter().any(|step| step == found), "{steps:?}");
    }
}
