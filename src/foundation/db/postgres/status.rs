//! What can be said of a database without changing it.

use sqlx::{AssertSqlSafe, PgConnection};

use super::Server;
use super::schema::{applied, connect, explain, pending};
use crate::foundation::db::nodes::RUNNING;
use crate::foundation::db::status::{COUNTS, SERVER, ServerStatus, Status};
use crate::foundation::db::{DatabaseFailure, Node, Refused};

/// # Errors
/// The server cannot be reached, there is no database of Vestibule's yet, or it is newer than this program.
pub async fn status(server: &Server) -> Result<Status, Refused> {
    let mut connection = connect(server).await?;
    let pending = pending(server, &mut connection).await?;
    read(server, &mut connection, pending)
        .await
        .map_err(|e| explain(server, &e))
}

async fn read(
    server: &Server,
    connection: &mut PgConnection,
    pending: Vec<i64>,
) -> Result<Status, sqlx::Error> {
    let applied = applied(connection).await?;
    let (users, live_sessions) = if applied.is_empty() {
        (0, 0)
    } else {
        sqlx::query_as(COUNTS).fetch_one(&mut *connection).await?
    };
    // The nodes came with a migration.
    let has_nodes: bool = sqlx::query_scalar("SELECT to_regclass('nodes') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    let nodes: Vec<Node> = if has_nodes {
        sqlx::query_as(RUNNING).fetch_all(&mut *connection).await?
    } else {
        Vec::new()
    };
    let facts = sqlx::query_as(SERVER).fetch_one(&mut *connection).await?;
    let bytes: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
        .fetch_one(connection)
        .await?;
    Ok(Status {
        database: server.to_string(),
        bytes: u64::try_from(bytes).unwrap_or_default(),
        applied,
        pending,
        users,
        live_sessions,
        served: !nodes.is_empty(),
        server: Some(ServerStatus::of(facts, nodes)),
    })
}

/// Reads every row, and says of which table one cannot be read. What refers to what is the server's to hold.
///
/// # Errors
/// As [`status`].
pub async fn check(server: &Server) -> Result<Vec<String>, Refused> {
    let mut connection = connect(server).await?;
    pending(server, &mut connection).await?;
    let failed = |e: sqlx::Error| explain(server, &e);
    sqlx::raw_sql("SET statement_timeout = 0")
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(quote_ident(tablename) AS TEXT) FROM pg_tables WHERE schemaname = $1 ORDER BY tablename",
    )
    .bind(server.schema())
    .fetch_all(&mut connection)
    .await
    .map_err(failed)?;
    let mut faults = Vec::new();
    for table in tables {
        let read = format!("SELECT sum(length(CAST(t AS TEXT))) FROM {table} t");
        match sqlx::query(AssertSqlSafe(read))
            .fetch_one(&mut connection)
            .await
        {
            Err(error) if DatabaseFailure::of(&error).is_some() => {
                faults.push(format!("{table}: {error}"))
            }
            outcome => drop(outcome.map_err(failed)?),
        }
    }
    Ok(faults)
}
