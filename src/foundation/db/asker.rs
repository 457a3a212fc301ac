use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::Pool;
use super::invalidations::{self, Changes};
#[cfg(feature = "postgres")]
use super::postgres;

/// Asks for invalidations: on a connection of its own, for which no write and no page is waited.
#[derive(Clone)]
pub(super) enum Asker {
    Sqlite(Pool),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Asker),
}

impl Asker {
    /// What was changed after the invalidation `last_id`, and the last one now. `None`: nothing is known of before.
    pub async fn ask(&self, last_id: Option<i64>) -> Result<(i64, Changes), sqlx::Error> {
        match self {
            Self::Sqlite(pool) => invalidations::since(pool, last_id).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(asker) => asker.ask(last_id).await,
        }
    }

    /// Whether what the database says is still so: its server was not replaced.
    pub fn is_believed(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            #[cfg(feature = "postgres")]
            Self::Postgres(asker) => asker.is_believed(),
        }
    }

    pub fn told(&self) -> Option<Arc<AtomicI64>> {
        match self {
            Self::Sqlite(_) => None,
            #[cfg(feature = "postgres")]
            Self::Postgres(asker) => Some(asker.told().clone()),
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(asker) => asker.close().await,
        }
    }
}
