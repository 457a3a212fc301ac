//! Which server is asked. After a fail-over there may be two that answer, and only one of them knows the last changes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgConnection;

/// A history of the database, and one run of its server: another of either may not have what was written before. A
/// standby does not answer this.
macro_rules! identity {
    () => {
        "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || ' ' || CAST(pg_postmaster_start_time() AS TEXT)"
    };
}
pub(super) use identity;

/// The server that all connections are of, once one has said who it is.
#[derive(Debug, Default)]
pub struct Primary(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    identity: String,
    since: Instant,
    /// Another was asked before.
    is_second: bool,
    /// Some node may believe that one for a moment yet.
    is_fenced: bool,
}

impl Primary {
    /// Takes the server that a question was answered by; says whether it is another than before. `was_fenced`: nodes
    /// have writes confirmed there.
    pub fn is_another(&self, identity: &str, was_fenced: bool) -> bool {
        let mut known = self.lock();
        let before = known.as_ref().map(|known| known.identity == identity);
        if before == Some(true) {
            return false;
        }
        *known = Some(Known {
            identity: identity.to_owned(),
            since: Instant::now(),
            is_second: before.is_some(),
            is_fenced: was_fenced,
        });
        before.is_some()
    }

    /// Refuses a new connection to a standby, or to another server.
    pub async fn require(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let identity: String = sqlx::query_scalar(concat!("SELECT ", identity!()))
            .persistent(false)
            .fetch_one(connection)
            .await?;
        let mut known = self.lock();
        let known = known.get_or_insert_with(|| Known {
            identity: identity.clone(),
            since: Instant::now(),
            is_second: false,
            is_fenced: false,
        });
        if known.identity == identity {
            Ok(())
        } else {
            Err(sqlx::Error::Protocol(
                "this is another server than the one that was asked last".into(),
            ))
        }
    }

    /// Whether a connection is younger than the last change of the server.
    pub fn is_younger(&self, age: Duration) -> bool {
        let known = self.lock();
        let second = known.as_ref().filter(|known| known.is_second);
        second.is_none_or(|known| age <= known.since.elapsed())
    }

    /// When this server was first seen, if writes are confirmed here or were at the one before.
    pub fn fenced_since(&self, is_fenced: bool) -> Option<Instant> {
        let known = self.lock();
        let known = known.as_ref().filter(|known| is_fenced || known.is_fenced);
        known.map(|known| known.since)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
