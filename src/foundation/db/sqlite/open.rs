//! Opening a database's file, and what is refused before.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::refused::{explain, newest_copy};
use super::schema::pending;
use super::{Location, Lock, options};
use crate::foundation::db::Refused;
use crate::foundation::db::migrations::{MOVED, moved_to, require_current};

pub fn take_lock(location: &Location) -> Result<Lock, Refused> {
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

/// # Errors
/// It was copied to another database, which is served in its place.
pub(super) async fn refuse_moved(location: &Location) -> Result<(), Refused> {
    let mut connection = open_existing(location).await?;
    let moved = sqlx::query_scalar(MOVED).fetch_optional(&mut connection);
    let target: Option<String> = moved.await.map_err(|e| explain(location, &e))?;
    target.map_or(Ok(()), |target| {
        Err(moved_to(&location.path().display(), &target))
    })
}

/// For a copy of all of it: of this program's version, and served by nobody.
pub async fn connect_current(location: &Location) -> Result<SqliteConnection, Refused> {
    open_existing(location).await?;
    require_current(&location.path().display(), &pending(location).await?)?;
    refuse_moved(location).await?;
    connect(location, options(location.path()).foreign_keys(true)).await
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

pub(super) async fn open_existing(location: &Location) -> Result<SqliteConnection, Refused> {
    let path = location.path();
    refuse_lost(location)?;
    if location.is_lost() {
        return Err(Refused(format!(
            "{}: there is no database yet; `vestibule db migrate` or a first start makes one",
            path.display()
        )));
    }
    connect(
        location,
        SqliteConnectOptions::new().filename(path).read_only(true),
    )
    .await
}
