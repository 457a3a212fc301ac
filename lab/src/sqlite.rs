//! Databases as SQLite has them, behind the server's back.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

pub fn file(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path)
}

/// Works on a connection, and closes it.
pub fn connected<T, E: From<sqlx::Error>>(
    options: &SqliteConnectOptions,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, E> {
    block_on(async {
        let mut connection = SqliteConnection::connect_with(options).await?;
        let done = work(&mut connection).await?;
        connection.close().await?;
        Ok(done)
    })
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers")
        .block_on(future)
}
