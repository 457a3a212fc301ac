//! Why a database is not opened, as sentences that say what to do.

use std::io;

use super::{Location, Lock};
use crate::foundation::db::Refused;
use crate::foundation::db::failure::code;

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
        // The index for searches has a form of its own, of which SQLite itself knows nothing.
        Some(1) if error.to_string().contains("fts5") => {
            return damaged(location, &error.to_string());
        }
        // The schema says of each column what it holds.
        None if matches!(error, sqlx::Error::ColumnDecode { .. }) => {
            return damaged(location, &error.to_string());
        }
        _ => format!("{path}: {error}"),
    })
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

/// The newest copy beside a database, as a hint in brackets; nothing if there is none.
pub(super) fn newest_copy(location: &Location) -> String {
    location
        .newest_copy()
        .map(|copy| format!(" (the newest copy in its folder is {})", copy.display()))
        .unwrap_or_default()
}

pub(super) fn failed(location: &Location, error: &io::Error) -> Refused {
    Refused(format!("{}: {error}", location.path().display()))
}
