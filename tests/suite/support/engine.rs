//! A database of one engine or of the other: what a test says of both is written once.

use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use super::postgres::{self, Database};

pub const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");

pub enum Engine {
    Sqlite(SqliteConnection),
    Postgres(
        PgConnection,
        #[expect(dead_code, reason = "there as long as the connection")] Arc<Database>,
    ),
}

/// The same call on either connection.
macro_rules! on {
    ($engine:expr, |$connection:ident| $call:expr) => {
        match $engine {
            Engine::Sqlite($connection) => $call,
            Engine::Postgres($connection, _) => $call,
        }
    };
}

impl Engine {
    /// A database of each engine that is here, with all tables.
    pub async fn each() -> Vec<Self> {
        let mut engines = Self::both(Database::migrated().await).await;
        engines[0].migrate(i64::MAX).await;
        engines
    }

    /// The same without a table.
    pub async fn each_empty() -> Vec<Self> {
        Self::both(Database::empty().await).await
    }

    async fn both(postgres: Option<Database>) -> Vec<Self> {
        let sqlite = SqliteConnection::connect("sqlite::memory:").await;
        let mut engines = vec![Self::Sqlite(sqlite.expect("a database"))];
        if let Some(database) = postgres {
            engines.push(Self::Postgres(database.connect().await, Arc::new(database)));
        }
        engines
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(..) => "PostgreSQL",
        }
    }

    async fn migrator(&self) -> Migrator {
        let folder = match self {
            Self::Sqlite(_) => MIGRATIONS,
            Self::Postgres(..) => postgres::MIGRATIONS,
        };
        Migrator::new(Path::new(folder)).await.expect("migrations")
    }

    /// Up to the schema of a version.
    pub async fn migrate(&mut self, version: i64) {
        let migrator = self.migrator().await;
        on!(self, |connection| migrator
            .run_to(version, connection)
            .await)
        .expect("a way up");
    }

    /// Down to the schema of a version.
    pub async fn revert(&mut self, version: i64) {
        let migrator = self.migrator().await;
        on!(self, |connection| migrator.undo(connection, version).await).expect("a way down");
    }

    /// Statements in which `id(1)` to `id(60)` are ids, and `hash(1)` to `hash(60)` hashes.
    pub async fn try_execute(&mut self, statements: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(self.spell(statements));
        on!(self, |connection| sqlx::raw_sql(sql)
            .execute(connection)
            .await
            .map(drop))
    }

    pub async fn execute(&mut self, statements: &str) {
        let executed = self.try_execute(statements).await;
        executed.unwrap_or_else(|error| panic!("{}: {statements}: {error}", self.name()));
    }

    /// What a query of one text gives.
    pub async fn texts(&mut self, query: &str) -> Vec<String> {
        let sql = AssertSqlSafe(self.spell(query));
        let texts = on!(self, |connection| sqlx::query_scalar(sql)
            .fetch_all(connection)
            .await);
        texts.unwrap_or_else(|error| panic!("{}: {query}: {error}", self.name()))
    }

    pub async fn tables(&mut self) -> Vec<String> {
        let tables = match self {
            Self::Sqlite(_) => "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
            Self::Postgres(..) => {
                "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
            }
        };
        self.texts(tables).await
    }

    /// An expression for a row of a table that is read as `t`.
    pub async fn row(&mut self, table: &str) -> String {
        match self {
            Self::Sqlite(_) => {
                let columns =
                    format!("SELECT 'quote(\"' || name || '\")' FROM pragma_table_info('{table}')");
                format!("concat_ws(', ', {})", self.texts(&columns).await.join(", "))
            }
            Self::Postgres(..) => "t::TEXT".to_owned(),
        }
    }

    pub async fn close(self) {
        on!(self, |connection| connection.close().await).expect("a close");
    }

    /// An expression for a key in hex.
    pub fn hex(&self, key: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("hex({key})"),
            Self::Postgres(..) => format!("upper(replace(ltrim({key}::TEXT, '\\x'), '-', ''))"),
        }
    }

    /// From here on, a key may refer to nothing.
    pub async fn free_keys(&mut self) {
        let free = match self {
            Self::Sqlite(_) => "PRAGMA foreign_keys = OFF".to_owned(),
            Self::Postgres(..) => {
                let free = |table| {
                    format!(
                        "ALTER TABLE {table} DISABLE TRIGGER ALL; ALTER TABLE {table} ENABLE TRIGGER USER;"
                    )
                };
                self.tables().await.into_iter().map(free).collect()
            }
        };
        self.execute(&free).await;
    }

    /// As a literal, an id of PostgreSQL's is digits, and a hash has a mark before them.
    fn spell(&self, sql: &str) -> String {
        let (id, hash) = match self {
            Self::Sqlite(_) => ("x'", "x'"),
            Self::Postgres(..) => ("'", r"'\x"),
        };
        (1..=60).fold(sql.to_owned(), |sql, n| {
            sql.replace(&format!("hash({n})"), &format!("{hash}{n:064x}'"))
                .replace(&format!("id({n})"), &format!("{id}{n:032x}'"))
        })
    }
}
