//! Databases with the schema of earlier releases, and whether their rows are still there.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::bench::failed;
use crate::run::{Outcome, Stop, root};
use crate::seed::{self, Plan, Wanted};

const SITE: &str = "app.example.com";

/// The versions that databases can have, the oldest first.
pub fn versions() -> Result<Vec<i64>, Stop> {
    let migrator = super::block_on(migrator()).map_err(failed("migrations"))?;
    let up = migrator
        .iter()
        .filter(|migration| migration.migration_type.is_up_migration());
    Ok(up.map(|migration| migration.version).collect())
}

async fn migrator() -> Result<Migrator, sqlx::migrate::MigrateError> {
    Migrator::new(root().join("migrations/sqlite")).await
}

/// A filled database, as an earlier release left it.
pub fn make_old(path: &Path, version: i64, sessions: u64) -> Outcome {
    let plan = Plan {
        users: (sessions / 10).max(1),
        live: sessions,
        ended: sessions / 4,
        seed: 1,
        moment: seed::today(),
    };
    let cookies = path.with_extension("cookies");
    let wanted = Wanted {
        site: Some((SITE, &cookies)),
        ..Wanted::default()
    };
    seed::fill(path, &plan, &wanted)?;
    let _ = fs::remove_file(&cookies);
    let undo = async || {
        let mut connection = open(path).await?;
        migrator().await?.undo(&mut connection, version).await?;
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    super::block_on(undo()).map_err(failed("an older schema"))
}

async fn open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(false)
        .busy_timeout(Duration::from_secs(10));
    SqliteConnection::connect_with(&options).await
}

/// The versions that a database has, and what of the old one is missing or changed in it.
pub fn compare(path: &Path, old: &Path) -> Result<(Vec<i64>, Vec<String>), Stop> {
    let compare = async || {
        let mut connection = open(path).await?;
        let versions = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut connection)
            .await?;
        sqlx::query("ATTACH $1 AS old")
            .bind(old.to_string_lossy())
            .execute(&mut connection)
            .await?;
        let mut faults = super::judge::unsound(&mut connection).await?;
        for table in tables(&mut connection).await? {
            faults.extend(differs(&mut connection, &table).await?);
        }
        connection.close().await?;
        Ok::<_, sqlx::Error>((versions, faults))
    };
    super::block_on(compare()).map_err(failed("a comparison"))
}

async fn tables(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM old.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'")
        .fetch_all(connection)
        .await
}

/// By the columns that the old one has.
async fn differs(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Option<String>, sqlx::Error> {
    let columns: String = sqlx::query_scalar(
        "SELECT group_concat('\"' || name || '\"') FROM pragma_table_xinfo($1, 'old')",
    )
    .bind(table)
    .fetch_one(&mut *connection)
    .await?;
    let select = |schema| format!("SELECT {columns} FROM {schema}.{table}");
    let (old, new) = (select("old"), select("main"));
    // Counted, too, for EXCEPT knows sets.
    let query = format!(
        "SELECT (SELECT count(*) FROM ({old} EXCEPT {new})) + abs((SELECT count(*) FROM ({old})) - (SELECT count(*) FROM ({new})))"
    );
    let different: i64 = sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_one(connection)
        .await?;
    Ok((different > 0).then(|| format!("{different} rows of {table} are not what they were")))
}
