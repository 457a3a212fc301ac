//! Copies of a database, by PostgreSQL's own programs.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rocket::tokio::task::spawn_blocking;

use super::Server;
use super::schema::{connect, explain, has_tables, pending};
use crate::foundation::db::Refused;

/// What concerns the nodes that ran, and would mean something else on another server.
const LEFT_OUT: [&str; 2] = [
    "--exclude-table-data=*.invalidations",
    "--exclude-table-data=*.nodes",
];

/// Writes a consistent copy to `file` by `pg_dump`.
///
/// # Errors
/// `file` is there already, or `pg_dump` is missing, older than the server, or failed; then nothing is left behind.
pub async fn backup(server: &Server, file: &Path) -> Result<(), Refused> {
    if file.exists() {
        return Err(Refused(format!(
            "{}: is there already; name a new file",
            file.display()
        )));
    }
    let mut connection = connect(server).await?;
    pending(server, &mut connection).await?;
    drop(connection);
    let partial = file.with_added_extension("partial");
    let _ = fs::remove_file(&partial);
    let mut dump = Command::new("pg_dump");
    dump.args([
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        "--serializable-deferrable",
    ])
    .args(LEFT_OUT)
    .arg(format!("--schema={}", server.schema()))
    .arg(format!("--file={}", partial.display()));
    let done = run(server, dump, &partial).await.and_then(|()| {
        let synced = fs::File::open(&partial).and_then(|copy| copy.sync_all());
        let renamed = synced.and_then(|()| fs::rename(&partial, file));
        renamed.map_err(|e| Refused(format!("{}: {e}", file.display())))
    });
    if done.is_err() {
        let _ = fs::remove_file(&partial);
    }
    done
}

/// Fills an empty database from `file` by `pg_restore`, in one transaction.
///
/// # Errors
/// There are tables in the database, `file` is no copy of one of Vestibule's, or `pg_restore` is missing or failed. Nothing
/// was changed then.
pub async fn restore(server: &Server, file: &Path) -> Result<(), Refused> {
    if !file.is_file() {
        return Err(Refused(format!(
            "{}: there is no such file",
            file.display()
        )));
    }
    let mut connection = connect(server).await?;
    let failed = |e: sqlx::Error| explain(server, &e);
    if has_tables(&mut connection, server.schema())
        .await
        .map_err(failed)?
    {
        return Err(Refused(format!(
            "{server}: there are tables in this database; create a new one (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE \
             template0), restore into that, and name it in database_url"
        )));
    }
    // An index needs it, and no copy of a schema has it.
    let extension =
        sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm").execute(&mut connection);
    extension.await.map_err(failed)?;
    let mut restore = Command::new("pg_restore");
    restore.args([
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
    ]);
    restore
        .arg(format!("--schema={}", server.schema()))
        .arg(file);
    run(server, restore, file).await?;
    if pending(server, &mut connection).await.is_err()
        || !has_tables(&mut connection, server.schema())
            .await
            .map_err(failed)?
    {
        return Err(Refused(format!(
            "{}: this is not a copy of a database of Vestibule's",
            file.display()
        )));
    }
    Ok(())
}

/// With the password in a file that is gone afterwards, for everybody sees a program's arguments.
async fn run(server: &Server, mut command: Command, beside: &Path) -> Result<(), Refused> {
    let name = command.get_program().to_string_lossy().into_owned();
    let password = server
        .password()
        .map(|password| PasswordFile::write(beside, password));
    let password = password
        .transpose()
        .map_err(|e| Refused(format!("{}: {e}", beside.display())))?;
    command
        .arg(format!("--dbname={}", server.address()))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some(PasswordFile(path)) = &password {
        command.env("PGPASSFILE", path);
    }
    let output = spawn_blocking(move || command.output()).await;
    let output = output.map_err(|e| Refused(e.to_string()))?.map_err(|e| match e.kind() {
        ErrorKind::NotFound => Refused(format!(
            "{name} is not here; install PostgreSQL's client programs (Debian: apt install postgresql-client), of the \
             server's version or a later one"
        )),
        _ => Refused(format!("{name}: {e}")),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Refused(said.trim().to_owned()))
}

struct PasswordFile(PathBuf);

impl PasswordFile {
    fn write(beside: &Path, password: &str) -> std::io::Result<Self> {
        let file = Self(beside.with_added_extension("password"));
        let _ = fs::remove_file(&file.0);
        let escaped = password.replace('\\', r"\\").replace(':', r"\:");
        let mut opened = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file.0)?;
        writeln!(opened, "*:*:*:*:{escaped}")?;
        Ok(file)
    }
}

impl Drop for PasswordFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
