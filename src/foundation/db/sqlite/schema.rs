//! The schema: which migrations there are, and which of them a database has.

use sqlx::SqliteConnection;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;

use super::Location;
use super::Lock;
use super::open::connect;
use super::refused::{damaged, explain};
use crate::foundation::db::{Refused, migrations};

/// As sqlx.toml names them; sqlx-cli applies the same.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!();

/// Two writers can corrupt the WAL of an older one.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

/// Migrations that this program has and the database has not.
pub(super) async fn pending(location: &Location) -> Result<Vec<i64>, Refused> {
    let options = SqliteConnectOptions::new()
        .filename(location.path())
        .read_only(true);
    let mut connection = connect(location, options).await?;
    let failed = |e: sqlx::Error| explain(location, &e);
    let applied = applied(&mut connection).await.map_err(failed)?;
    if let Some(version) = damaged_version(&applied).filter(|_| Lock::remembers(location)) {
        let how = format!("it has the migration {version}, which no version of Vestibule has");
        return Err(damaged(location, &how));
    }
    let is_foreign = applied.is_empty() && has_tables(&mut connection).await.map_err(failed)?;
    migrations::pending(
        &MIGRATIONS,
        &location.path().display(),
        &applied,
        is_foreign,
        None,
    )
}

/// One beside Vestibule's own that is older than the newest of them.
fn damaged_version(applied: &[i64]) -> Option<i64> {
    let is_ours = |version: &i64| MIGRATIONS.version_exists(*version);
    let newest = applied.iter().copied().filter(is_ours).max()?;
    let mut versions = applied.iter().copied();
    versions.find(|version| *version < newest && !is_ours(version))
}

pub(super) async fn applied(connection: &mut SqliteConnection) -> Result<Vec<i64>, sqlx::Error> {
    let table: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_optional(&mut *connection)
            .await?;
    if table.is_none() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
        .fetch_all(connection)
        .await
}

/// Whether somebody made tables here.
async fn has_tables(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'",
    )
    .fetch_one(connection)
    .await?;
    Ok(tables > 0)
}

pub(super) async fn require_sqlite(
    connection: &mut SqliteConnection,
) -> Result<Result<(), Refused>, sqlx::Error> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await?;
    let numbers: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    Ok(if numbers.as_slice() >= OLDEST_SQLITE.as_slice() {
        Ok(())
    } else {
        Err(Refused(format!(
            "SQLite {version} is linked in; Vestibule needs 3.51.3 or later"
        )))
    })
}
