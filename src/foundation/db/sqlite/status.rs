//! What can be said of a database without changing it.

use std::fs;

use sqlx::SqliteConnection;

use super::open::open_existing;
use super::refused::{damaged, explain};
use super::schema::{applied, pending};
use super::{Location, Lock};
use crate::foundation::db::DatabaseFailure;
use crate::foundation::db::Refused;
use crate::foundation::db::status::{COUNTS, Status};

/// # Errors
/// The file is missing, no database, or newer than this program.
pub async fn status(location: &Location) -> Result<Status, Refused> {
    let mut connection = open_existing(location).await?;
    let failed = |e: sqlx::Error| explain(location, &e);
    let pending = pending(location).await?;
    let applied = applied(&mut connection).await.map_err(failed)?;
    let (users, live_sessions) = if applied.is_empty() {
        (0, 0)
    } else {
        sqlx::query_as(COUNTS)
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?
    };
    let served = Lock::is_held(location)
        .map_err(|e| Refused(format!("{}: {e}", Lock::path(location).display())))?;
    Ok(Status {
        database: location.path().display().to_string(),
        bytes: fs::metadata(location.path()).map_or(0, |m| m.len()),
        applied,
        pending,
        users,
        live_sessions,
        served,
        server: None,
    })
}

/// Reads the whole database and reports what is wrong with it; nothing if it is sound.
///
/// # Errors
/// The file is missing, no database, newer than this program, or too damaged to be read.
pub async fn check(location: &Location) -> Result<Vec<String>, Refused> {
    let mut connection = open_existing(location).await?;
    pending(location).await?;
    match faults(&mut connection, None).await {
        Err(error) if DatabaseFailure::of(&error).is_some() => Ok(vec![error.to_string()]),
        faults => faults.map_err(|e| explain(location, &e)),
    }
}

/// What is wrong with a table and its indexes, or with all of them and the pages that are free.
pub(super) async fn faults(
    connection: &mut SqliteConnection,
    table: Option<&str>,
) -> Result<Vec<String>, sqlx::Error> {
    let lines: Vec<String> =
        sqlx::query_scalar("SELECT integrity_check FROM pragma_integrity_check($1)")
            .bind(table)
            .fetch_all(&mut *connection)
            .await?;
    let faults: Vec<String> = lines.into_iter().filter(|line| line != "ok").collect();
    // Some damage keeps SQLite from reading on.
    if !faults.is_empty() {
        return Ok(faults);
    }
    sqlx::query_scalar(
        "SELECT DISTINCT 'rows of ' || \"table\" || ' refer to nothing' FROM pragma_foreign_key_check($1)",
    )
    .bind(table)
    .fetch_all(connection)
    .await
}

pub(super) async fn refuse_damaged(location: &Location) -> Result<(), Refused> {
    match check(location).await?.first() {
        Some(fault) => Err(damaged(location, fault)),
        None => Ok(()),
    }
}

pub(super) async fn check_whole(location: &Location) -> Result<(), Refused> {
    refuse_damaged(location).await?;
    let mut connection = open_existing(location).await?;
    let applied = applied(&mut connection)
        .await
        .map_err(|e| explain(location, &e))?;
    if applied.is_empty() {
        return Err(Refused(format!(
            "{}: this is not a database of Vestibule's",
            location.path().display()
        )));
    }
    Ok(())
}
