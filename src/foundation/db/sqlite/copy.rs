//! A consistent copy of a database, taken while the server writes.

use std::path::Path;
use std::{fs, io};

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::files::{create_private, sync_folder};

/// `VACUUM INTO` under a name of its own, then a rename: a half-written copy is never taken for one.
pub(super) async fn copy_into(connection: &mut SqliteConnection, file: &Path) -> io::Result<()> {
    let partial = file.with_added_extension("partial");
    // What a copy that was killed has left.
    remove(&partial);
    create_private(&partial)?;
    let copied = vacuum_into(connection, &partial).await;
    let finished = copied.and_then(|()| {
        fs::File::open(&partial)?.sync_all()?;
        fs::rename(&partial, file)?;
        sync_folder(
            file.parent()
                .filter(|p| !p.as_os_str().is_empty())
                .unwrap_or(Path::new(".")),
        )
    });
    if finished.is_err() {
        remove(&partial);
    }
    finished
}

/// With the journal that SQLite keeps beside a database that it fills.
pub(super) fn remove(partial: &Path) {
    let _ = fs::remove_file(partial);
    let mut journal = partial.as_os_str().to_owned();
    journal.push("-journal");
    let _ = fs::remove_file(journal);
}

async fn vacuum_into(connection: &mut SqliteConnection, file: &Path) -> io::Result<()> {
    let name = file
        .to_str()
        .ok_or_else(|| io::Error::other("the name is not UTF-8"))?;
    // VACUUM takes no parameters; the only text in it is a quoted file name.
    let sql = AssertSqlSafe(format!("VACUUM INTO '{}'", name.replace('\'', "''")));
    sqlx::query(sql)
        .execute(connection)
        .await
        .map_err(io::Error::other)?;
    Ok(())
}
