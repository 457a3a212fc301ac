//! When sessions were last used: noted in memory on each request, written once a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Session, store};
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::settings;
use crate::token::TokenHash;

/// How often the notes are written.
pub const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// A use within this of the last one is not noted.
const COARSEST_STEP: Duration = Duration::from_secs(60);

/// Uses that are not in the database yet.
#[derive(Debug, Default)]
pub struct LastSeen(Mutex<HashMap<TokenHash, Use>>);

#[derive(Clone, Copy, Debug)]
struct Use {
    at: Timestamp,
    idle_end: Timestamp,
}

impl LastSeen {
    pub(super) fn note(
        &self,
        hash: &TokenHash,
        session: &Session,
        now: Timestamp,
        settings: &settings::Sessions,
    ) {
        let (idle, _) = settings.limits(session.remember);
        let step = COARSEST_STEP.min(idle / 10);
        if now.since(session.last_seen_at) < step {
            return;
        }
        let idle_end = now.plus(idle).min(session.max_expires_at);
        self.notes().insert(*hash, Use { at: now, idle_end });
    }

    /// A use counts as soon as it is noted: else a session would run out before the write that
    /// puts its end off, and come back with it.
    pub(super) fn count(&self, hash: &TokenHash, session: &mut Session) {
        if let Some(used) = self.notes().get(hash) {
            session.last_seen_at = session.last_seen_at.max(used.at);
            session.idle_expires_at = session.idle_expires_at.max(used.idle_end);
        }
    }

    /// Writes what was noted since the last time, in one transaction.
    ///
    /// # Errors
    /// The database failed; the notes are kept for the next time.
    pub async fn write(&self, app: &App) -> Result<(), Error> {
        let noted: Vec<_> = self
            .notes()
            .iter()
            .map(|(hash, used)| (*hash, *used))
            .collect();
        let counted = app.clock.take_counted();
        if noted.is_empty() && !counted {
            return Ok(());
        }
        write_all(app, &noted)
            .await
            .inspect_err(|_| app.clock.count())?;
        let mut notes = self.notes();
        for (hash, written) in noted {
            if notes.get(&hash).is_some_and(|used| used.at == written.at) {
                notes.remove(&hash);
            }
        }
        Ok(())
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, HashMap<TokenHash, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write_all(app: &App, noted: &[(TokenHash, Use)]) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    for (hash, used) in noted {
        store::touch(&mut tx, hash, used.at, used.idle_end).await?;
    }
    app.clock.keep(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}
