//! What the migrations that a database has say of it, on either engine.

use std::fmt::Display;

use sqlx::migrate::Migrator;

use super::Refused;

/// Migrations that the program has and the database has not. `is_foreign`: it has tables, and no migration made them;
/// `oldest`: it says that programs run on it whose newest migration is this one.
///
/// # Errors
/// The database is another program's, or newer than this one.
pub fn pending(
    migrator: &Migrator,
    database: &impl Display,
    applied: &[i64],
    is_foreign: bool,
    oldest: Option<i64>,
) -> Result<Vec<i64>, Refused> {
    if is_foreign {
        return Err(Refused(format!(
            "{database}: this is not a database of Vestibule's; name another"
        )));
    }
    let first = migrator.iter().next().map(|migration| migration.version);
    if let Some(other) = applied.first()
        && first.is_some_and(|first| !applied.contains(&first))
    {
        return Err(Refused(format!(
            "{database}: this is not a database of Vestibule's: another program keeps its migrations there ({other} and others). \
             Vestibule needs one of its own; name it with VESTIBULE_DATABASE_URL, or database_url in the settings"
        )));
    }
    if let Some(newer) = applied
        .iter()
        .find(|version| !migrator.version_exists(**version))
        && !oldest.is_some_and(|oldest| migrator.version_exists(oldest))
    {
        return Err(newer_than_us(database, *newer));
    }
    let ours = migrator
        .iter()
        .filter(|m| m.migration_type.is_up_migration());
    Ok(ours
        .map(|m| m.version)
        .filter(|version| !applied.contains(version))
        .collect())
}

pub fn newer_than_us(database: &impl Display, version: i64) -> Refused {
    Refused(format!(
        "{database}: the database is newer than this program (it has migration {version}); start the newer vestibule"
    ))
}

/// Where a database was copied to, if it was.
pub const MOVED: &str = "SELECT target FROM moved LIMIT 1";

pub fn moved_to(database: &impl Display, target: &str) -> Refused {
    Refused(format!(
        "{database}: this database has moved to {target}, and sessions that were ended there would live again here. Name that \
         one in database_url; to use this one after all, DELETE FROM moved"
    ))
}

/// # Errors
/// There are migrations to be made first.
pub fn require_current(database: &impl Display, pending: &[i64]) -> Result<(), Refused> {
    if pending.is_empty() {
        return Ok(());
    }
    Err(Refused(format!(
        "{database}: is of an older version; bring it up to date first: vestibule --database … db migrate"
    )))
}
