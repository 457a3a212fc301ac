//! Makes a database ready: creates it on a first start, brings its schema up to date.

use std::{fmt, io};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::failure::code;
use super::files::{create_private, sync_folder};
use super::{Location, Lock, backup, options, status};

/// As sqlx.toml names them; sqlx-cli applies the same.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!();

/// Two writers can corrupt the WAL of an older one.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

/// Why a database is not opened: a sentence that says what to do.
#[derive(Debug)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// For a command: creates or migrates the database where that is needed, under the lock.
///
/// # Errors
/// See [`migrate`]; or the database needs a migration while a server runs on it.
pub async fn prepare(location: &Location) -> Result<(), Refused> {
    refuse_lost(location)?;
    if location.path().exists() && pending(location).await?.is_empty() {
        return make_private(location);
    }
    let mut lock = take_lock(location)?;
    migrate(location, &mut lock).await.map(drop)
}

/// For a server: makes the database ready and holds its lock.
///
/// # Errors
/// See [`migrate`]; or another server holds the lock.
pub async fn open_for_serving(location: &Location) -> Result<Lock, Refused> {
    refuse_lost(location)?;
    if location.path().exists() {
        // Looked at first: beside what is no database of Vestibule's, no lock is made.
        pending(location).await?;
    }
    let mut lock = take_lock(location)?;
    // Before anything is written: what stands in the WAL goes into the file with the first connection
    // that closes. A larger one is read while it is served ([`super::Db::examine`]), so that a
    // restart takes no longer the more there is to keep.
    if !location.is_lost() && !location.is_large() {
        status::refuse_damaged(location).await?;
    }
    migrate(location, &mut lock).await?;
    Ok(lock)
}

/// Creates or migrates the database, and says which migrations were applied.
///
/// A database with data is copied first, to a file that the log names.
///
/// # Errors
/// A database that was there is gone; the file is no database, newer than this program, damaged
/// or cannot be written.
pub async fn migrate(location: &Location, lock: &mut Lock) -> Result<Vec<i64>, Refused> {
    refuse_lost(location)?;
    if !location.path().exists() {
        create(location)?;
    }
    let pending = pending(location).await?;
    make_private(location)?;
    let options = options(location.path()).foreign_keys(false);
    let mut connection = connect(location, options).await?;
    require_sqlite(&mut connection)
        .await
        .map_err(|e| explain(location, &e))??;
    if !pending.is_empty() {
        let applied = applied(&mut connection)
            .await
            .map_err(|e| explain(location, &e))?;
        if let Some(version) = applied.last() {
            copy_first(location, &mut connection, *version).await?;
        }
        apply(&mut connection)
            .await
            .map_err(|e| explain_migration(location, e))?;
    }
    lock.remember().map_err(|e| failed(location, &e))?;
    connection
        .close()
        .await
        .map_err(|e| explain(location, &e))?;
    make_private(location)?;
    Ok(pending)
}

pub(super) fn take_lock(location: &Location) -> Result<Lock, Refused> {
    let path = Lock::path(location);
    match Lock::take(location) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Refused(format!(
            "{}: another Vestibule runs on this database and holds its lock, {}; stop it first",
            location.path().display(),
            path.display()
        ))),
        Err(error) => Err(Refused(format!(
            "{}: {error}; the database's folder must be there and writable",
            path.display()
        ))),
    }
}

/// Nothing is made in a lost database's place. A WAL that is left tells of one, too; opening an empty
/// file would delete it.
///
/// # Errors
/// There was a database here, and it is gone.
pub(super) fn refuse_lost(location: &Location) -> Result<(), Refused> {
    let was_here = || {
        let left = |suffix| location.beside(suffix).exists();
        Lock::remembers(location) || left("-wal") || left("-shm")
    };
    if !location.is_lost() || !was_here() {
        return Ok(());
    }
    let path = location.path().display();
    let copy = newest_copy(location);
    Err(Refused(format!(
        "{path}: the database is gone, though there was one here ({path}.lock remembers it). Bring it back with \
         `vestibule db restore FILE`{copy}, or remove {path}.lock, {path}-wal and {path}-shm to begin with an empty one"
    )))
}

/// Why nothing is served of a damaged database, and no damaged copy is put in its place.
pub(super) fn damaged(location: &Location, how: &str) -> Refused {
    if location.is_copy() {
        return Refused(format!(
            "{}: this copy is damaged ({how}); nothing was changed. Restore another one",
            location.path().display()
        ));
    }
    Refused(format!(
        "{}: the database is damaged ({how}); nothing was changed. Restore a backup with `vestibule db restore FILE`{}; \
         the damaged one is kept beside it",
        location.path().display(),
        newest_copy(location)
    ))
}

fn newest_copy(location: &Location) -> String {
    location
        .newest_copy()
        .map(|copy| format!(" (the newest copy in its folder is {})", copy.display()))
        .unwrap_or_default()
}

fn create(location: &Location) -> Result<(), Refused> {
    create_private(location.path())
        .and_then(|file| file.sync_all())
        .and_then(|()| sync_folder(location.folder()))
        .map_err(|e| failed(location, &e))
}

/// Migrations that this program has and the database has not.
pub(super) async fn pending(location: &Location) -> Result<Vec<i64>, Refused> {
    let options = SqliteConnectOptions::new()
        .filename(location.path())
        .read_only(true);
    let mut connection = connect(location, options).await?;
    let failed = |e: sqlx::Error| explain(location, &e);
    let applied = applied(&mut connection).await.map_err(failed)?;
    if applied.is_empty() && has_tables(&mut connection).await.map_err(failed)? {
        return Err(Refused(format!(
            "{}: this is not a database of Vestibule's; name another file",
            location.path().display()
        )));
    }
    let first = MIGRATIONS.iter().next().map(|migration| migration.version);
    if let Some(other) = applied.first()
        && first.is_some_and(|first| !applied.contains(&first))
    {
        return Err(Refused(format!(
            "{}: this is not a database of Vestibule's: another program keeps its migrations there ({other} and others). \
             Vestibule needs a file of its own; name one with VESTIBULE_DATABASE_URL, or database_url in the settings",
            location.path().display()
        )));
    }
    if let Some(newer) = applied
        .iter()
        .find(|version| !MIGRATIONS.version_exists(**version))
    {
        return Err(newer_than_us(location, *newer));
    }
    let ours = MIGRATIONS
        .iter()
        .filter(|m| m.migration_type.is_up_migration());
    Ok(ours
        .map(|m| m.version)
        .filter(|version| !applied.contains(version))
        .collect())
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

/// All or none: one transaction, whose rows still refer to each other before it is committed.
///
/// Foreign keys are off meanwhile: with them on, rebuilding a table would delete its children.
async fn apply(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    // What `run` calls, without the generic acquire that makes its future not Send everywhere.
    MIGRATIONS.run_direct(None, &mut *tx, false).await?;
    let orphans: Option<(String,)> =
        sqlx::query_as("SELECT \"table\" FROM pragma_foreign_key_check")
            .fetch_optional(&mut *tx)
            .await?;
    if let Some((table,)) = orphans {
        return Err(MigrateError::Source(
            format!("rows of {table} refer to nothing").into(),
        ));
    }
    tx.commit().await?;
    Ok(())
}

async fn copy_first(
    location: &Location,
    connection: &mut SqliteConnection,
    version: i64,
) -> Result<(), Refused> {
    let copy = location.beside(&format!(".before-migration-from-{version}"));
    if !copy.exists() {
        backup::copy_into(connection, &copy).await.map_err(|e| {
            Refused(format!(
                "{}: no copy could be made before the migration: {e}",
                copy.display()
            ))
        })?;
    }
    tracing::info!(copy = %copy.display(), "the database was copied before its migration");
    Ok(())
}

async fn require_sqlite(
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

pub(super) async fn connect(
    location: &Location,
    options: SqliteConnectOptions,
) -> Result<SqliteConnection, Refused> {
    if location.path().exists() && !location.path().is_file() {
        return Err(Refused(format!(
            "{}: is not a file; write sqlite: and a file's path, like sqlite:vestibule.db",
            location.path().display()
        )));
    }
    SqliteConnection::connect_with(&options)
        .await
        .map_err(|e| explain(location, &e))
}

fn make_private(location: &Location) -> Result<(), Refused> {
    location.make_private().map_err(|e| failed(location, &e))
}

fn failed(location: &Location, error: &io::Error) -> Refused {
    Refused(format!("{}: {error}", location.path().display()))
}

fn newer_than_us(location: &Location, version: i64) -> Refused {
    Refused(format!(
        "{}: the database is newer than this program (it has migration {version}); start the newer vestibule",
        location.path().display()
    ))
}

fn explain_migration(location: &Location, error: MigrateError) -> Refused {
    match error {
        MigrateError::VersionMissing(version) => newer_than_us(location, version),
        MigrateError::Execute(error) => explain(location, &error),
        other => Refused(format!(
            "{}: the migration was not made, and nothing was changed: {other}",
            location.path().display()
        )),
    }
}

/// SQLite's result codes as sentences: <https://sqlite.org/rescode.html>.
pub(super) fn explain(location: &Location, error: &sqlx::Error) -> Refused {
    let path = location.path().display();
    let code = code(error);
    Refused(match code.map(|code| code & 0xff) {
        Some(5 | 6) => format!(
            "{path}: the database is locked by another program; stop that program, then try again"
        ),
        Some(8) => format!(
            "{path}: the database is read-only; its file and folder must be writable for the user that runs Vestibule"
        ),
        Some(11) => return damaged(location, &error.to_string()),
        Some(13) => format!("{path}: the disk is full"),
        // Of the WAL's index SQLite tells no more than that it cannot grow.
        Some(10) if code == Some(4874) => {
            format!("{path}: {path}-shm cannot grow; it may be that the disk is full")
        }
        Some(14) => format!(
            "{path}: the file cannot be opened; it must be readable and writable, as must its folder"
        ),
        Some(26) if Lock::remembers(location) => {
            return damaged(location, "this file is not an SQLite database");
        }
        Some(26) => format!("{path}: this file is not an SQLite database"),
        _ => format!("{path}: {error}"),
    })
}
