//! Makes a database ready: creates it on a first start, brings its schema up to date.

use sqlx::migrate::MigrateError;
use sqlx::{Connection as _, SqliteConnection};

use super::copy::copy_into;
use super::files::{create_private, sync_folder};
use super::open::{connect, refuse_lost, refuse_moved, take_lock};
use super::refused::{explain, failed};
use super::schema::{MIGRATIONS, applied, pending, require_sqlite};
use super::{Location, Lock, options, status};
use crate::foundation::db::Refused;
use crate::foundation::db::migrations::newer_than_us;

/// For a command: creates or migrates the database where that is needed, under the lock.
///
/// # Errors
/// See [`migrate`]; or the database needs a migration while a server runs on it.
pub async fn prepare(location: &Location) -> Result<(), Refused> {
    refuse_lost(location)?;
    if location.path().exists() && pending(location).await?.is_empty() {
        make_private(location)?;
        return refuse_moved(location).await;
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
    // that closes. A larger one is read while it is served ([`Db::check_integrity`](crate::foundation::db::Db::check_integrity)), so that a
    // restart takes no longer the more there is to keep.
    if !location.is_lost() && !location.is_large() {
        status::refuse_damaged(location).await?;
    }
    migrate(location, &mut lock).await?;
    refuse_moved(location).await?;
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

fn create(location: &Location) -> Result<(), Refused> {
    create_private(location.path())
        .and_then(|file| file.sync_all())
        .and_then(|()| sync_folder(location.folder()))
        .map_err(|e| failed(location, &e))
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
        copy_into(connection, &copy).await.map_err(|e| {
            Refused(format!(
                "{}: no copy could be made before the migration: {e}",
                copy.display()
            ))
        })?;
    }
    tracing::info!(copy = %copy.display(), "the database was copied before its migration");
    Ok(())
}

fn make_private(location: &Location) -> Result<(), Refused> {
    location.make_private().map_err(|e| failed(location, &e))
}

fn explain_migration(location: &Location, error: MigrateError) -> Refused {
    match error {
        MigrateError::VersionMissing(version) => newer_than_us(&location.path().display(), version),
        MigrateError::Execute(error) => explain(location, &error),
        other => Refused(format!(
            "{}: the migration was not made, and nothing was changed: {other}",
            location.path().display()
        )),
    }
}
