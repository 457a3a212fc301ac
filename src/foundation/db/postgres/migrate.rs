//! Makes a database ready: brings its schema up to date, while other nodes may run.

use sqlx::migrate::MigrateError;
use sqlx::{Connection as _, PgConnection};

use super::schema::{MIGRATIONS, connect, explain, pending};
use super::{BEGIN, Server};
use crate::foundation::db::Refused;
use crate::foundation::db::migrations::{MOVED, moved_to, require_current};

/// A table may be large, and nobody is kept waiting by what only adds to it.
const WITHOUT_LIMITS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'";

/// Creates or migrates the database where that is needed; of several at once, one does.
///
/// # Errors
/// The server cannot be reached or does not do, or the database is another program's or newer than this one.
pub async fn prepare(server: &Server) -> Result<(), Refused> {
    let mut connection = connect(server).await?;
    if !pending(server, &mut connection).await?.is_empty() {
        apply(server, &mut connection).await?;
    }
    refuse_moved(server, &mut connection).await?;
    connection.close().await.map_err(|e| explain(server, &e))
}

async fn refuse_moved(server: &Server, connection: &mut PgConnection) -> Result<(), Refused> {
    let moved = sqlx::query_scalar(MOVED).fetch_optional(connection);
    let target: Option<String> = moved.await.map_err(|e| explain(server, &e))?;
    target.map_or(Ok(()), |target| Err(moved_to(server, &target)))
}

/// For a copy of all of it: of this program's version, and not moved.
pub async fn connect_current(server: &Server) -> Result<PgConnection, Refused> {
    let mut connection = connect(server).await?;
    require_current(server, &pending(server, &mut connection).await?)?;
    refuse_moved(server, &mut connection).await?;
    Ok(connection)
}

/// All or none: one transaction.
async fn apply(server: &Server, connection: &mut PgConnection) -> Result<(), Refused> {
    let failed = |e: sqlx::Error| explain(server, &e);
    let mut tx = connection.begin_with(BEGIN).await.map_err(failed)?;
    sqlx::raw_sql(WITHOUT_LIMITS)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    MIGRATIONS
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(|e| match e {
            MigrateError::Execute(error) => explain(server, &error),
            other => Refused(format!(
                "{server}: the migration was not made, and nothing was changed: {other}"
            )),
        })?;
    tx.commit().await.map_err(failed)
}
