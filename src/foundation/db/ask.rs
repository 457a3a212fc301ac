//! Statements, asked on whichever engine runs: one text and one function body for each.

use std::mem;

use rocket::futures::TryFutureExt as _;
use rocket::futures::future::BoxFuture;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Encode, FromRow, SqlSafeStr, SqlStr, Sqlite, SqliteConnection,
    SqlitePool, Transaction, Type,
};
#[cfg(feature = "postgres")]
use sqlx::{
    PgConnection, PgPool, Postgres,
    postgres::{PgArguments, PgRow},
};

/// What each engine takes for a `$n`.
#[cfg(not(feature = "postgres"))]
pub trait Bind<'q>: Encode<'q, Sqlite> + Type<Sqlite> {}
#[cfg(not(feature = "postgres"))]
impl<'q, T: Encode<'q, Sqlite> + Type<Sqlite>> Bind<'q> for T {}

/// What each engine takes for a `$n`.
#[cfg(feature = "postgres")]
pub trait Bind<'q>:
    Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres>
{
}
#[cfg(feature = "postgres")]
impl<'q, T> Bind<'q> for T where
    T: Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres>
{
}

/// What is read from each engine's rows.
#[cfg(not(feature = "postgres"))]
pub trait Read: for<'r> FromRow<'r, SqliteRow> + Send + Unpin + 'static {}
#[cfg(not(feature = "postgres"))]
impl<T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin + 'static> Read for T {}

/// What is read from each engine's rows.
#[cfg(feature = "postgres")]
pub trait Read:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}
#[cfg(feature = "postgres")]
impl<T> Read for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}

/// Says how a type is read from a row, of each engine.
macro_rules! from_row {
    ($type:ty, |$row:ident| $read:expr) => {
        impl sqlx::FromRow<'_, sqlx::sqlite::SqliteRow> for $type {
            fn from_row($row: &sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
                $read
            }
        }
        #[cfg(feature = "postgres")]
        impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for $type {
            fn from_row($row: &sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
                $read
            }
        }
    };
}
pub(crate) use from_row;

/// Where one text does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// Connections for statements that stand alone.
#[derive(Clone, Debug)]
pub enum Pool {
    Sqlite(SqlitePool),
    #[cfg(feature = "postgres")]
    Postgres(PgPool),
}

/// A transaction.
#[derive(Debug)]
pub struct Connection {
    inner: Inner,
    /// No statement has failed, or was given up.
    is_sound: bool,
}

#[derive(Debug)]
enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(Transaction<'static, Postgres>),
}

/// What a statement runs on.
pub struct Executor<'c> {
    on: On<'c>,
    /// Of its transaction.
    is_sound: Option<&'c mut bool>,
}

/// A connection, with what is bound to the statement, in the engine's own form.
enum On<'c> {
    SqlitePool(&'c SqlitePool, SqliteArguments),
    Sqlite(&'c mut SqliteConnection, SqliteArguments),
    #[cfg(feature = "postgres")]
    PgPool(&'c PgPool, PgArguments),
    #[cfg(feature = "postgres")]
    Pg(&'c mut PgConnection, PgArguments),
}

/// The same call, whatever a statement runs on.
macro_rules! on_each {
    ($on:expr, |$connection:pat_param, $arguments:ident| $call:expr) => {
        match $on {
            On::SqlitePool($connection, $arguments) => $call,
            On::Sqlite($connection, $arguments) => $call,
            #[cfg(feature = "postgres")]
            On::PgPool($connection, $arguments) => $call,
            #[cfg(feature = "postgres")]
            On::Pg($connection, $arguments) => $call,
        }
    };
}

impl<'c> From<&'c Pool> for Executor<'c> {
    fn from(pool: &'c Pool) -> Self {
        let on = match pool {
            Pool::Sqlite(pool) => On::SqlitePool(pool, SqliteArguments::default()),
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => On::PgPool(pool, PgArguments::default()),
        };
        Self { on, is_sound: None }
    }
}

impl<'c> From<&'c mut Connection> for Executor<'c> {
    fn from(connection: &'c mut Connection) -> Self {
        let on = match &mut connection.inner {
            Inner::Sqlite(inner) => On::Sqlite(inner, SqliteArguments::default()),
            #[cfg(feature = "postgres")]
            Inner::Postgres(inner) => On::Pg(inner, PgArguments::default()),
        };
        Self {
            on,
            is_sound: Some(&mut connection.is_sound),
        }
    }
}

impl Executor<'_> {
    pub fn engine(&self) -> Engine {
        match self.on {
            On::SqlitePool(..) | On::Sqlite(..) => Engine::Sqlite,
            #[cfg(feature = "postgres")]
            On::PgPool(..) | On::Pg(..) => Engine::Postgres,
        }
    }
}

impl From<SqlitePool> for Pool {
    fn from(pool: SqlitePool) -> Self {
        Self::Sqlite(pool)
    }
}

#[cfg(feature = "postgres")]
impl From<PgPool> for Pool {
    fn from(pool: PgPool) -> Self {
        Self::Postgres(pool)
    }
}

impl Pool {
    pub fn query(&self, sql: &'static str) -> Query<'_> {
        Query::on(self, sql)
    }

    pub fn build(&self, sql: &'static str) -> Builder<'_> {
        Builder::on(self, sql)
    }

    /// A transaction whose statements all read the database as it is now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn snapshot(&self) -> Result<Connection, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => Box::pin(pool.begin()).await?.into(),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Box::pin(pool.begin_with(begin)).await?.into()
            }
        })
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl From<Transaction<'static, Sqlite>> for Connection {
    fn from(transaction: Transaction<'static, Sqlite>) -> Self {
        Self {
            inner: Inner::Sqlite(transaction),
            is_sound: true,
        }
    }
}

#[cfg(feature = "postgres")]
impl From<Transaction<'static, Postgres>> for Connection {
    fn from(transaction: Transaction<'static, Postgres>) -> Self {
        Self {
            inner: Inner::Postgres(transaction),
            is_sound: true,
        }
    }
}

impl Connection {
    pub fn query(&mut self, sql: &'static str) -> Query<'_> {
        Query::on(self, sql)
    }

    pub fn build(&mut self, sql: &'static str) -> Builder<'_> {
        Builder::on(self, sql)
    }

    /// # Errors
    /// A statement before failed, so that some of what was to be written is missing: nothing was written.
    /// Or the database failed.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        if !self.is_sound {
            let refused = "not committed: a statement of the transaction failed";
            return Err(sqlx::Error::Protocol(refused.into()));
        }
        match self.inner {
            Inner::Sqlite(inner) => Box::pin(inner.commit()).await,
            #[cfg(feature = "postgres")]
            Inner::Postgres(inner) => Box::pin(inner.commit()).await,
        }
    }
}

/// What a statement gives.
type Answer<'c, T> = BoxFuture<'c, Result<T, sqlx::Error>>;

/// A statement, with what is bound to it.
#[must_use = "a statement runs when its rows are asked for, or by `execute`"]
pub struct Query<'c> {
    sql: SqlStr,
    executor: Executor<'c>,
    bound: Result<(), BoxDynError>,
}

/// Runs a statement on what it was asked on. Boxed, for what asks would be as large as all that an engine does.
macro_rules! run {
    ($query:expr, $prepare:path, |$prepared:ident, $connection:ident| $call:expr) => {
        Box::pin(async move {
            let query = $query;
            query.bound.map_err(sqlx::Error::Encode)?;
            let mut is_sound = query.executor.is_sound;
            let was_sound = is_sound.as_deref_mut().is_none_or(mem::take);
            let outcome = on_each!(query.executor.on, |$connection, arguments| {
                let $prepared = $prepare(query.sql, arguments);
                $call
            });
            if let Some(is_sound) = is_sound {
                *is_sound = was_sound && outcome.is_ok();
            }
            outcome
        })
    };
}

impl<'c> Query<'c> {
    pub fn on(executor: impl Into<Executor<'c>>, sql: &'static str) -> Self {
        Self {
            sql: sql.into_sql_str(),
            executor: executor.into(),
            bound: Ok(()),
        }
    }

    /// The value of the next `$n`.
    pub fn bind<'q>(mut self, value: impl Bind<'q>) -> Self {
        self.add(value);
        self
    }

    fn add<'q>(&mut self, value: impl Bind<'q>) {
        let added = on_each!(&mut self.executor.on, |_, arguments| arguments.add(value));
        if self.bound.is_ok() {
            self.bound = added;
        }
    }

    /// The first row, which there has to be.
    ///
    /// # Errors
    /// There is no row, or the database failed.
    pub fn one<T: Read>(self) -> Answer<'c, T> {
        run!(self, sqlx::query_as_with, |query, on| query
            .fetch_one(on)
            .await)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// The database failed.
    pub fn optional<T: Read>(self) -> Answer<'c, Option<T>> {
        run!(self, sqlx::query_as_with, |query, on| query
            .fetch_optional(on)
            .await)
    }

    /// # Errors
    /// The database failed.
    pub fn all<T: Read>(self) -> Answer<'c, Vec<T>> {
        run!(self, sqlx::query_as_with, |query, on| query
            .fetch_all(on)
            .await)
    }

    /// The only column of the first row, which there has to be.
    ///
    /// # Errors
    /// There is no row, or the database failed.
    pub fn scalar<T: Send + 'static>(self) -> Answer<'c, T>
    where
        (T,): Read,
    {
        Box::pin(self.one().map_ok(|(value,)| value))
    }

    /// The only column of the first row, if there is one.
    ///
    /// # Errors
    /// The database failed.
    pub fn optional_scalar<T: Send + 'static>(self) -> Answer<'c, Option<T>>
    where
        (T,): Read,
    {
        Box::pin(self.optional().map_ok(|row| row.map(|(value,)| value)))
    }

    /// The only column of each row.
    ///
    /// # Errors
    /// The database failed.
    pub fn scalars<T: Send + 'static>(self) -> Answer<'c, Vec<T>>
    where
        (T,): Read,
    {
        let all = self.all();
        Box::pin(all.map_ok(|rows| rows.into_iter().map(|(value,)| value).collect()))
    }

    /// Says how many rows were written.
    ///
    /// # Errors
    /// The database failed.
    pub fn execute(self) -> Answer<'c, u64> {
        run!(self, sqlx::query_with, |query, on| {
            let done = query.execute(on).await;
            done.map(|done| done.rows_affected())
        })
    }
}

/// A statement that is put together of parts.
pub struct Builder<'c> {
    sql: String,
    bound: usize,
    query: Query<'c>,
}

impl<'c> Builder<'c> {
    fn on(executor: impl Into<Executor<'c>>, sql: &'static str) -> Self {
        Self {
            sql: sql.to_owned(),
            bound: 0,
            // Its text comes at last.
            query: Query::on(executor, ""),
        }
    }

    pub fn engine(&self) -> Engine {
        self.query.executor.engine()
    }

    pub fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    pub fn push_bind<'q>(&mut self, value: impl Bind<'q>) -> &mut Self {
        self.bound += 1;
        self.sql.push_str(&format!("${}", self.bound));
        self.query.add(value);
        self
    }

    pub fn build(self) -> Query<'c> {
        Query {
            // Put together of constants alone.
            sql: AssertSqlSafe(self.sql).into_sql_str(),
            ..self.query
        }
    }

    /// How SQLite runs it, a step a line.
    #[cfg(test)]
    pub async fn steps(mut self) -> Vec<String> {
        self.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
        let steps = self.build().all::<(i64, i64, i64, String)>().await;
        let steps = steps.expect("an explanation").into_iter();
        steps.map(|(.., detail)| detail).collect()
    }
}

#[cfg(test)]
mod tests;
