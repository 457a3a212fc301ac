//! Statements, asked on whichever engine runs: one text and one function body for each.

mod engine;

use std::mem;

use rocket::futures::TryFutureExt as _;
use rocket::futures::future::BoxFuture;
use sqlx::error::BoxDynError;
use sqlx::{Arguments as _, AssertSqlSafe, SqlSafeStr, SqlStr};

#[cfg(feature = "postgres")]
use super::postgres;

pub(crate) use engine::from_row;
pub use engine::{Bind, Connection, Engine, Executor, Pool, Read};
use engine::{On, on_each};

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
            let mut is_sound = query.executor.is_sound;
            let was_sound = is_sound.as_deref_mut().is_none_or(mem::take);
            query.bound.map_err(sqlx::Error::Encode)?;
            let outcome = match query.executor.on {
                On::SqlitePool($connection, arguments) => {
                    let $prepared = $prepare(query.sql, arguments);
                    $call.await
                }
                On::Sqlite($connection, arguments) => {
                    let $prepared = $prepare(query.sql, arguments);
                    $call.await
                }
                #[cfg(feature = "postgres")]
                On::PgPool(connections, arguments) => {
                    let mut lease = connections.lease().await?;
                    let $prepared = $prepare(query.sql, arguments);
                    let $connection = &mut *lease;
                    let outcome = postgres::in_time(false, $call).await;
                    lease.give_back_after(&outcome);
                    outcome
                }
                #[cfg(feature = "postgres")]
                On::Pg($connection, arguments) => {
                    let $prepared = $prepare(query.sql, arguments);
                    postgres::in_time(query.executor.is_long, $call).await
                }
            };
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
        run!(self, sqlx::query_as_with, |query, on| query.fetch_one(on))
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// The database failed.
    pub fn optional<T: Read>(self) -> Answer<'c, Option<T>> {
        run!(self, sqlx::query_as_with, |query, on| query
            .fetch_optional(on))
    }

    /// # Errors
    /// The database failed.
    pub fn all<T: Read>(self) -> Answer<'c, Vec<T>> {
        run!(self, sqlx::query_as_with, |query, on| query.fetch_all(on))
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
            query.execute(on).map_ok(|done| done.rows_affected())
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
