//! Databases with the schema of earlier releases, and whether their rows are still there.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, SqliteConnection};
use xtask::run::{Outcome, Stop, failed, root};

use super::checker::damage;
use crate::seed::{self, CookieFiles, Plan, SITE};
use crate::sqlite;

/// The versions that databases can have, the oldest first.
pub fn versions() -> Result<Vec<i64>, Stop> {
    let migrator = sqlite::block_on(migrator()).map_err(failed("migrations"))?;
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
    let cookies = path.with_extension("cookies");
    let wanted = CookieFiles {
        site: Some((SITE, &cookies)),
        ..CookieFiles::default()
    };
    seed::fill(path, &Plan::of(sessions, (sessions / 10).max(1)), &wanted)?;
    let _ = fs::remove_file(&cookies);
    sqlite::connected(&options(path), async |connection| {
        migrator().await?.undo(&mut *connection, version).await?;
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(connection)
            .await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    })
    .map_err(failed("an older schema"))
}

fn options(path: &Path) -> SqliteConnectOptions {
    sqlite::file(path)
        .create_if_missing(false)
        .foreign_keys(false)
        .busy_timeout(Duration::from_secs(10))
}

/// The versions that a database has, and what of the old one is missing or changed in it.
pub fn compare(path: &Path, old: &Path) -> Result<(Vec<i64>, Vec<String>), Stop> {
    sqlite::connected(&options(path), async |connection| {
        let versions = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut *connection)
            .await?;
        sqlx::query("ATTACH $1 AS old")
            .bind(old.to_string_lossy())
            .execute(&mut *connection)
            .await?;
        let mut violations = damage(connection).await?;
        for table in tables(connection).await? {
            violations.extend(differs(connection, &table).await?);
        }
        Ok::<_, sqlx::Error>((versions, violations))
    })
    .map_err(failed("a comparison"))
}

/// What is named search_* is made from the others, and belongs to FTS5; what programs a schema is for, it says itself.
async fn tables(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM old.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'search_%' AND name NOT IN ('_sqlx_migrations', 'compatibility')")
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
