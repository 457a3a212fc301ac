//! Where the database of a test is: in a folder, or on a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;
use vestibule::foundation::db::{self, Db, Location};

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
            Self::Server(database) => Db::connect(&database.options(), cached_sessions).await,
        };
        opened.expect("a database")
    }

    /// All that the database says, row by row.
    pub async fn dump(&self) -> Vec<String> {
        match self {
            Self::Folder(folder) => dump_file(&file(folder)).await,
            Self::Server(database) => dump_server(database).await,
        }
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("vestibule.db")
}

async fn dump_file(file: &Path) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .expect("a database");
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(tables)
        .fetch_all(&mut connection)
        .await
        .expect("tables");
    let mut rows = Vec::new();
    for table in tables {
        let columns: Vec<String> =
            sqlx::query_scalar("SELECT 'quote(\"' || name || '\")' FROM pragma_table_info($1)")
                .bind(&table)
                .fetch_all(&mut connection)
                .await
                .expect("columns");
        let query = format!(
            "SELECT '{table}: ' || concat_ws(', ', {}) FROM \"{table}\" ORDER BY 1",
            columns.join(", ")
        );
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_all(&mut connection)
            .await
            .expect("rows");
        rows.extend(found);
    }
    rows
}

async fn dump_server(database: &Database) -> Vec<String> {
    let mut connection = database.connect().await;
    let tables = "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let tables: Vec<String> = sqlx::query_scalar(tables)
        .fetch_all(&mut connection)
        .await
        .expect("tables");
    let mut rows = Vec::new();
    for table in tables {
        let query = format!("SELECT '{table}: ' || t::TEXT FROM {table} t ORDER BY 1");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_all(&mut connection)
            .await
            .expect("rows");
        rows.extend(found);
    }
    rows
}
