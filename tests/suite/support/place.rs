//! Where the database of a test is: in a folder, or on a server.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;
use vestibule::foundation::db::{self, Db, Location, Server};

use super::engine::Engine;
use super::postgres::Database;

/// A place for a database of the engine that the run is for.
#[derive(Clone)]
pub enum Place {
    Folder(Arc<TempDir>),
    Server(Arc<Database>),
}

impl Place {
    pub async fn new(folder: &Arc<TempDir>) -> Self {
        if std::env::var("TEST_ENGINE").is_ok_and(|engine| engine == "postgres") {
            let database = Database::migrated().await.expect("PostgreSQL");
            return Self::Server(Arc::new(database));
        }
        Self::Folder(folder.clone())
    }

    pub async fn open(&self, cached_sessions: usize) -> Db {
        let opened = match self {
            Self::Folder(folder) => {
                let location = Location::parse(&file(folder).to_string_lossy());
                let location = location.expect("a path");
                db::prepare(&location).await.expect("a database");
                Db::open(&location, cached_sessions).await
            }
            Self::Server(database) => {
                let server = Location::from(Server::of(database.options()));
                Db::open(&server, cached_sessions).await
            }
        };
        opened.expect("a database")
    }

    /// All that the database says, row by row.
    pub async fn dump(&self) -> Vec<String> {
        let mut engine = self.engine().await;
        let mut rows = Vec::new();
        for table in engine.tables().await {
            let row = engine.row(&table).await;
            let query = format!("SELECT '{table}: ' || {row} FROM {table} AS t ORDER BY 1");
            rows.extend(engine.texts(&query).await);
        }
        rows
    }

    /// A connection of its own.
    async fn engine(&self) -> Engine {
        match self {
            Self::Folder(folder) => {
                let options = SqliteConnectOptions::new().filename(file(folder));
                let connection = SqliteConnection::connect_with(&options.read_only(true)).await;
                Engine::Sqlite(connection.expect("a database"))
            }
            Self::Server(database) => Engine::Postgres(database.connect().await, database.clone()),
        }
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("vestibule.db")
}
