//! The engines: what each takes and gives, and what statements run on.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Encode, FromRow, Sqlite, SqliteConnection, SqlitePool, Transaction, Type};
#[cfg(feature = "postgres")]
use sqlx::{
    PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
};

#[cfg(feature = "postgres")]
use crate::foundation::db::postgres;

use super::{Builder, Query};

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
    Postgres(postgres::Connections),
}

/// A transaction.
#[derive(Debug)]
pub struct Connection {
    inner: Inner,
    /// No statement has failed, or was given up.
    is_sound: bool,
    /// A statement may take as long as it takes to change all sessions.
    pub(in crate::foundation::db) is_long: bool,
}

#[derive(Debug)]
enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Transaction),
}

/// What a statement runs on.
pub struct Executor<'c> {
    pub(super) on: On<'c>,
    /// Of its transaction.
    pub(super) is_sound: Option<&'c mut bool>,
    #[cfg(feature = "postgres")]
    pub(super) is_long: bool,
}

/// A connection, with what is bound to the statement, in the engine's own form.
pub(super) enum On<'c> {
    SqlitePool(&'c SqlitePool, SqliteArguments),
    Sqlite(&'c mut SqliteConnection, SqliteArguments),
    #[cfg(feature = "postgres")]
    PgPool(&'c postgres::Connections, PgArguments),
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

pub(super) use on_each;

impl<'c> From<&'c Pool> for Executor<'c> {
    fn from(pool: &'c Pool) -> Self {
        let on = match pool {
            Pool::Sqlite(pool) => On::SqlitePool(pool, SqliteArguments::default()),
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => On::PgPool(pool, PgArguments::default()),
        };
        Self {
            on,
            is_sound: None,
            #[cfg(feature = "postgres")]
            is_long: false,
        }
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
            #[cfg(feature = "postgres")]
            is_long: connection.is_long,
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
                Box::pin(postgres::Transaction::begin(pool, begin))
                    .await?
                    .into()
            }
        })
    }

    pub(in crate::foundation::db) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(connections) => connections.pool.close().await,
        }
    }
}

impl From<Transaction<'static, Sqlite>> for Connection {
    fn from(transaction: Transaction<'static, Sqlite>) -> Self {
        Self {
            inner: Inner::Sqlite(transaction),
            is_sound: true,
            is_long: false,
        }
    }
}

#[cfg(feature = "postgres")]
impl From<postgres::Transaction> for Connection {
    fn from(transaction: postgres::Transaction) -> Self {
        Self {
            inner: Inner::Postgres(transaction),
            is_sound: true,
            is_long: false,
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
    pub(in crate::foundation::db) async fn commit(self) -> Result<(), sqlx::Error> {
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
