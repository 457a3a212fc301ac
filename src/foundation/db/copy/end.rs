//! The database at either end of a copy.

use rocket::futures::stream::BoxStream;
use rocket::futures::{StreamExt as _, TryStreamExt as _};
use sqlx::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use super::value::{Column, Kind, Value, bind, read};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::postgres;
use crate::foundation::db::{Location, Refused, prepare, sqlite};

pub struct End {
    location: Location,
    connection: Connected,
}

enum Connected {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The same call on either.
macro_rules! on {
    ($end:expr, |$connection:ident| $call:expr) => {
        match &mut $end.connection {
            Connected::Sqlite($connection) => $call,
            Connected::Postgres($connection) => $call,
        }
    };
}

impl End {
    /// To be read as it is now.
    pub async fn source(location: &Location) -> Result<Self, Refused> {
        let connection = match location {
            Location::File(file) => Connected::Sqlite(sqlite::connect_current(file).await?),
            Location::Server(server) => {
                Connected::Postgres(postgres::connect_current(server).await?)
            }
        };
        let mut end = Self {
            location: location.clone(),
            connection,
        };
        end.begin().await.map_err(|e| end.failed(&e))?;
        let served = "SELECT count(*) FROM nodes WHERE left_at IS NULL";
        if end.number(served).await.map_err(|e| end.failed(&e))? > 0 {
            return Err(Refused(format!(
                "{location}: nodes run on it; stop them first"
            )));
        }
        Ok(end)
    }

    /// Empty, and of the newest schema; it is as it was unless [`End::finish`] is reached.
    pub async fn target(location: &Location) -> Result<Self, Refused> {
        prepare(location).await?;
        let mut end = Self::source(location).await?;
        let rows = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM audit) + (SELECT count(*) FROM sites)";
        if end.number(rows).await.map_err(|e| end.failed(&e))? > 0 {
            return Err(Refused(format!(
                "{location}: is not empty; name a database that is"
            )));
        }
        for filled in ["DELETE FROM policy", "DELETE FROM clock"] {
            end.execute(filled).await.map_err(|e| end.failed(&e))?;
        }
        Ok(end)
    }

    /// PostgreSQL's limits are for requests. On both engines, all is read as it was at one moment.
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        match &mut self.connection {
            Connected::Sqlite(connection) => sqlx::raw_sql("BEGIN IMMEDIATE")
                .execute(connection)
                .await
                .map(drop),
            Connected::Postgres(connection) => {
                let begin =
                    "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = 0;
                     SET LOCAL idle_in_transaction_session_timeout = 0";
                sqlx::raw_sql(begin).execute(connection).await.map(drop)
            }
        }
    }

    pub fn name(&self) -> String {
        self.location.to_string()
    }

    pub fn failed(&self, error: &sqlx::Error) -> Refused {
        Refused(format!("{}: {error}", self.location))
    }

    pub async fn count(&mut self, table: &str) -> Result<u64, sqlx::Error> {
        let count = self
            .number(&format!("SELECT count(*) FROM {table}"))
            .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn number(&mut self, query: &str) -> Result<i64, sqlx::Error> {
        let query = AssertSqlSafe(query.to_owned());
        on!(self, |connection| sqlx::query_scalar(query)
            .fetch_one(connection)
            .await)
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        on!(self, |connection| sqlx::raw_sql(statement)
            .execute(connection)
            .await
            .map(drop))
    }

    /// The columns of each table, as the end that is PostgreSQL's has them: it knows their types.
    pub async fn columns_beside(&mut self, source: &mut Self) -> Result<Vec<Vec<Column>>, Refused> {
        let end = if matches!(self.connection, Connected::Sqlite(_)) {
            source
        } else {
            self
        };
        let mut columns = Vec::new();
        for table in super::TABLES {
            columns.push(end.columns(table).await.map_err(|e| end.failed(&e))?);
        }
        Ok(columns)
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<Column>, sqlx::Error> {
        let rows: Vec<(String, String)> = match &mut self.connection {
            // What a copy between files would be for, a backup does.
            Connected::Sqlite(_) => {
                return Err(sqlx::Error::Protocol("one of both has to be of PostgreSQL's; `vestibule db backup` copies a file".into()));
            }
            Connected::Postgres(connection) => {
                sqlx::query_as(
                    "SELECT CAST(column_name AS TEXT), CAST(udt_name AS TEXT) FROM information_schema.columns
                     WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position",
                )
                .bind(table)
                .fetch_all(connection)
                .await?
            }
        };
        let column = |(name, type_name): (String, String)| {
            let unknown =
                || sqlx::Error::Protocol(format!("{table}.{name} is of the type {type_name}"));
            Kind::of(&type_name)
                .map(|kind| Column {
                    name: name.clone(),
                    kind,
                })
                .ok_or_else(unknown)
        };
        rows.into_iter().map(column).collect()
    }

    pub fn rows<'e>(
        &'e mut self,
        table: &str,
        columns: &'e [Column],
    ) -> BoxStream<'e, Result<Vec<Value>, sqlx::Error>> {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let query = AssertSqlSafe(format!("SELECT {} FROM {table}", names.join(", ")));
        on!(self, |connection| {
            let rows = sqlx::query(query).fetch(connection);
            rows.and_then(async |row| {
                let values = columns.iter().enumerate();
                values
                    .map(|(at, column)| Ok(read!(row, at, column.kind)))
                    .collect()
            })
            .boxed()
        })
    }

    pub async fn insert(
        &mut self,
        table: &str,
        columns: &[Column],
        values: Vec<Value>,
    ) -> Result<(), Refused> {
        let statement = insert(table, columns, values.len() / columns.len());
        let inserted = on!(self, |connection| {
            let query = sqlx::query(AssertSqlSafe(statement)).persistent(false);
            let query = values
                .into_iter()
                .fold(query, |query, value| bind!(query, value));
            query.execute(connection).await.map(drop)
        });
        inserted.map_err(|e| Refused(format!("{}: {table}: {e}", self.location)))
    }

    /// Nothing that a node knows of the database holds any more.
    pub async fn finish(&mut self) -> Result<(), sqlx::Error> {
        self.execute("UPDATE policy SET version = version + 1; DELETE FROM invalidations; COMMIT")
            .await
    }

    /// Whoever starts on it is told where to go.
    pub async fn mark_moved(&mut self, target: &str, now: Timestamp) -> Result<(), sqlx::Error> {
        on!(self, |connection| {
            let mark = sqlx::query("INSERT INTO moved (target, at) VALUES ($1, $2)");
            mark.bind(target)
                .bind(now.unix_micros())
                .execute(&mut *connection)
                .await?;
            sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
            connection.ping().await
        })
    }
}

fn insert(table: &str, columns: &[Column], rows: usize) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let row = |row: usize| {
        let places = (1..=columns.len()).map(|column| format!("${}", row * columns.len() + column));
        format!("({})", places.collect::<Vec<_>>().join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO {table} ({}) VALUES {}",
        names.join(", "),
        rows.join(", ")
    )
}
