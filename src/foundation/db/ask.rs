//! Statements, asked on whichever engine runs: one text and one function body for each.

use std::mem;

use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Encode, FromRow, SqlSafeStr, SqlStr, Sqlite, SqlitePool,
    Transaction, Type,
};

/// What an engine takes for a `$n`.
pub trait Bind<'q>: Encode<'q, Sqlite> + Type<Sqlite> {}
impl<'q, T: Encode<'q, Sqlite> + Type<Sqlite>> Bind<'q> for T {}

/// What is read from an engine's rows.
pub trait Read: for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}
impl<T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin> Read for T {}

/// Connections for statements that stand alone.
#[derive(Clone, Debug)]
pub struct Pool(SqlitePool);

/// A transaction.
#[derive(Debug)]
pub struct Connection {
    inner: Transaction<'static, Sqlite>,
    /// No statement has failed, or was given up.
    is_sound: bool,
}

/// What a statement runs on.
pub enum Executor<'c> {
    Pool(&'c Pool),
    Connection(&'c mut Connection),
}

impl<'c> From<&'c Pool> for Executor<'c> {
    fn from(pool: &'c Pool) -> Self {
        Self::Pool(pool)
    }
}

impl<'c> From<&'c mut Connection> for Executor<'c> {
    fn from(connection: &'c mut Connection) -> Self {
        Self::Connection(connection)
    }
}

impl From<SqlitePool> for Pool {
    fn from(pool: SqlitePool) -> Self {
        Self(pool)
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
        Ok(Connection::new(self.0.begin().await?))
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}

impl Connection {
    pub(super) fn new(inner: Transaction<'static, Sqlite>) -> Self {
        Self {
            inner,
            is_sound: true,
        }
    }

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
        self.inner.commit().await
    }
}

/// A statement, with what is bound to it.
#[must_use = "a statement runs when its rows are asked for, or by `execute`"]
pub struct Query<'c> {
    sql: SqlStr,
    bound: Bound,
    on: Executor<'c>,
}

/// Values in the engine's own form, or why one has none.
struct Bound(Result<SqliteArguments, BoxDynError>);

impl Bound {
    fn none() -> Self {
        Self(Ok(SqliteArguments::default()))
    }

    fn add<'q>(&mut self, value: impl Bind<'q>) {
        if let Ok(arguments) = &mut self.0
            && let Err(error) = arguments.add(value)
        {
            self.0 = Err(error);
        }
    }
}

/// Runs a statement on what it was asked on.
macro_rules! run {
    ($query:expr, $prepare:path, $fetch:ident) => {{
        let prepared = $prepare($query.sql, $query.bound.0.map_err(sqlx::Error::Encode)?);
        match $query.on {
            Executor::Pool(pool) => prepared.$fetch(&pool.0).await,
            Executor::Connection(connection) => {
                let was_sound = mem::take(&mut connection.is_sound);
                let outcome = prepared.$fetch(&mut *connection.inner).await;
                connection.is_sound = was_sound && outcome.is_ok();
                outcome
            }
        }
    }};
}

impl<'c> Query<'c> {
    pub fn on(executor: impl Into<Executor<'c>>, sql: &'static str) -> Self {
        Self {
            sql: sql.into_sql_str(),
            bound: Bound::none(),
            on: executor.into(),
        }
    }

    /// The value of the next `$n`.
    pub fn bind<'q>(mut self, value: impl Bind<'q>) -> Self {
        self.bound.add(value);
        self
    }

    /// The first row, which there has to be.
    ///
    /// # Errors
    /// There is no row, or the database failed.
    pub async fn one<T: Read>(self) -> Result<T, sqlx::Error> {
        run!(self, sqlx::query_as_with, fetch_one)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn optional<T: Read>(self) -> Result<Option<T>, sqlx::Error> {
        run!(self, sqlx::query_as_with, fetch_optional)
    }

    /// # Errors
    /// The database failed.
    pub async fn all<T: Read>(self) -> Result<Vec<T>, sqlx::Error> {
        run!(self, sqlx::query_as_with, fetch_all)
    }

    /// The only column of the first row, which there has to be.
    ///
    /// # Errors
    /// There is no row, or the database failed.
    pub async fn scalar<T>(self) -> Result<T, sqlx::Error>
    where
        (T,): Read,
    {
        self.one().await.map(|(value,)| value)
    }

    /// The only column of the first row, if there is one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn optional_scalar<T>(self) -> Result<Option<T>, sqlx::Error>
    where
        (T,): Read,
    {
        Ok(self.optional().await?.map(|(value,)| value))
    }

    /// The only column of each row.
    ///
    /// # Errors
    /// The database failed.
    pub async fn scalars<T>(self) -> Result<Vec<T>, sqlx::Error>
    where
        (T,): Read,
    {
        let rows = self.all().await?;
        Ok(rows.into_iter().map(|(value,)| value).collect())
    }

    /// Says how many rows were written.
    ///
    /// # Errors
    /// The database failed.
    pub async fn execute(self) -> Result<u64, sqlx::Error> {
        let done = run!(self, sqlx::query_with, execute)?;
        Ok(done.rows_affected())
    }
}

/// A statement that is put together of parts.
pub struct Builder<'c> {
    sql: String,
    bound: Bound,
    count: usize,
    on: Executor<'c>,
}

impl<'c> Builder<'c> {
    fn on(executor: impl Into<Executor<'c>>, sql: &'static str) -> Self {
        Self {
            sql: sql.to_owned(),
            bound: Bound::none(),
            count: 0,
            on: executor.into(),
        }
    }

    pub fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    pub fn push_bind<'q>(&mut self, value: impl Bind<'q>) -> &mut Self {
        self.count += 1;
        self.sql.push_str(&format!("${}", self.count));
        self.bound.add(value);
        self
    }

    pub fn build(self) -> Query<'c> {
        Query {
            // Put together of constants alone.
            sql: AssertSqlSafe(self.sql).into_sql_str(),
            bound: self.bound,
            on: self.on,
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
