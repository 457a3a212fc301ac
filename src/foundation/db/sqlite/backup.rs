//! Copies of a database: taken while the server writes, put back while it is stopped.

use std::path::Path;
use std::{fs, io};

use sqlx::Connection as _;

use super::copy::{copy_into, remove};
use super::files::sync_folder;
use super::open::{open_existing, take_lock};
use super::refused::explain;
use super::schema::applied;
use super::{Location, status};
use crate::foundation::db::Refused;

/// Writes a consistent copy to `file`, with every change that was acknowledged before it began.
///
/// # Errors
/// `file` is there already, or cannot be written; then nothing is left behind.
pub async fn backup(location: &Location, file: &Path) -> Result<(), Refused> {
    if file.exists() {
        return Err(Refused(format!(
            "{}: is there already; name a new file",
            file.display()
        )));
    }
    let mut connection = open_existing(location).await?;
    // Tells a fault of the original from one of the copy.
    applied(&mut connection)
        .await
        .map_err(|e| explain(location, &e))?;
    copy_into(&mut connection, file)
        .await
        .map_err(|e| Refused(format!("{}: {e}", file.display())))
}

/// Puts `file` in the database's place. A database that is there is kept beside it, under a new name
/// that is returned.
///
/// # Errors
/// A server runs on the database; `file` is no whole Vestibule database, or newer than this
/// program. Nothing was changed then.
pub async fn restore(
    location: &Location,
    file: &Path,
    stamp: &str,
) -> Result<Option<std::path::PathBuf>, Refused> {
    refuse_no_copy(file)?;
    let source = Location::of_copy(file);
    let mut lock = take_lock(location)?;
    status::check_whole(&source).await?;
    let mut connection = open_existing(&source).await?;
    let incoming = location.beside(".restoring");
    let failed = |e: io::Error| Refused(format!("{}: {e}", location.path().display()));
    remove(&incoming);
    copy_into(&mut connection, &incoming)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(|e| explain(&source, &e))?;
    let kept = put_aside(location, stamp).map_err(failed)?;
    fs::rename(&incoming, location.path()).map_err(failed)?;
    sync_folder(location.folder()).map_err(failed)?;
    lock.remember().map_err(failed)?;
    Ok(kept)
}

/// What can be seen without SQLite, which would say other things of it.
fn refuse_no_copy(file: &Path) -> Result<(), Refused> {
    let why = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => "there is no such file".to_owned(),
        Err(error) => error.to_string(),
        Ok(found) if !found.is_file() => {
            "this is no regular file; name one that `vestibule db backup` wrote".to_owned()
        }
        Ok(found) if found.len() == 0 => "the file is empty, and no copy of a database".to_owned(),
        Ok(_) => return Ok(()),
    };
    Err(Refused(format!(
        "{}: {why}; nothing was changed",
        file.display()
    )))
}

/// The old file keeps its WAL, or it would lose what stands there.
fn put_aside(location: &Location, stamp: &str) -> io::Result<Option<std::path::PathBuf>> {
    let name = format!(".replaced-{stamp}");
    let kept = location.beside(&name);
    for suffix in ["-shm", "-wal", ""] {
        let from = location.beside(suffix);
        if from.exists() {
            fs::rename(from, location.beside(&format!("{name}{suffix}")))?;
        }
    }
    Ok(kept.exists().then_some(kept))
}
