//! What writes, in each engine's way.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

#[cfg(feature = "postgres")]
use super::postgres;
use super::{Connection, Nodes, sqlite};

#[derive(Clone)]
pub(super) enum Writer {
    Sqlite(Arc<sqlite::File>),
    #[cfg(feature = "postgres")]
    Postgres(Arc<postgres::Writers>),
}

impl Writer {
    pub async fn begin(&self) -> Result<Connection, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(file) => Box::pin(file.begin()).await?.into(),
            #[cfg(feature = "postgres")]
            Self::Postgres(writers) => Box::pin(writers.begin()).await?.into(),
        })
    }

    pub async fn begin_for(&self, whom: &[u8]) -> Result<Connection, sqlx::Error> {
        match (self, whom) {
            (Self::Sqlite(_), _) => self.begin().await,
            #[cfg(feature = "postgres")]
            (Self::Postgres(writers), whom) => Ok(Box::pin(writers.begin_for(whom)).await?.into()),
        }
    }

    pub async fn begin_apart(&self) -> Result<Connection, sqlx::Error> {
        match self {
            Self::Sqlite(_) => self.begin().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(writers) => Ok(Box::pin(writers.begin_apart()).await?.into()),
        }
    }

    /// Waits until the commits that were under way are over.
    pub async fn turn(&self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(file) => file.turn().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(writers) => Box::pin(writers.begin()).await.map(drop),
        }
    }

    /// Until when a change is not acknowledged.
    pub fn acknowledges_at(&self) -> Option<Instant> {
        match self {
            Self::Sqlite(_) => None,
            #[cfg(feature = "postgres")]
            Self::Postgres(writers) => writers.acknowledges_at(),
        }
    }

    pub async fn confirm(&self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(writers) => writers.confirm().await,
        }
    }

    /// Where several processes may serve one database.
    pub fn nodes(&self) -> Option<&Nodes> {
        match self {
            Self::Sqlite(_) => None,
            #[cfg(feature = "postgres")]
            Self::Postgres(writers) => Some(writers.nodes()),
        }
    }

    pub fn file(&self) -> Option<&sqlite::File> {
        match self {
            Self::Sqlite(file) => Some(file),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
        }
    }

    pub async fn close(&self, is_sound: bool) {
        match self {
            Self::Sqlite(file) => file.close(is_sound).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(writers) => writers.close().await,
        }
    }
}

/// Where the database is.
impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => file.path().display().fmt(f),
            #[cfg(feature = "postgres")]
            Self::Postgres(writers) => writers.fmt(f),
        }
    }
}
