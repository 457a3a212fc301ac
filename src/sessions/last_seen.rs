//! When sessions were last used: noted in memory on each request, written once a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::look_up::Row;
use super::{Session, store};
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;
use crate::foundation::settings;
use crate::foundation::token::TokenHash;

/// How often the notes are written.
pub const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// A use within this of the last one is not noted.
const COARSEST_STEP: Duration = Duration::from_secs(60);

/// Uses that are not in the database yet.
#[derive(Debug, Default)]
pub struct LastSeen(Mutex<HashMap<TokenHash, Use>>);

#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub at: Timestamp,
    pub idle_end: Timestamp,
}

impl Use {
    pub fn later(self, other: Self) -> Self {
        Self {
            at: self.at.max(other.at),
            idle_end: self.idle_end.max(other.idle_end),
        }
    }
}

impl LastSeen {
    pub(super) fn note(
        &self,
        hash: &TokenHash,
        session: &Session,
        last: Use,
        now: Timestamp,
        settings: &settings::Sessions,
    ) {
        let (idle, _) = settings.limits(session.remember);
        let step = COARSEST_STEP.min(idle / 10);
        if now.since(last.at) < step {
            return;
        }
        let idle_end = now.plus(idle).min(session.max_expires_at);
        self.notes().insert(*hash, Use { at: now, idle_end });
    }

    /// A use counts as soon as it is noted: else a session would run out before the write that
    /// puts its end off, and come back with it.
    pub(super) fn latest(&self, hash: &TokenHash, written: Use) -> Use {
        let noted = self.notes().get(hash).copied();
        noted.map_or(written, |noted| noted.later(written))
    }

    /// Of a session that has ended there is nothing to write.
    pub fn forget(&self, hash: &TokenHash) {
        self.notes().remove(hash);
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
    for together in noted.chunks(store::USES_TOGETHER) {
        if !store::touch(&mut tx, together).await? {
            // Which of them it was is not asked: they are read again.
            for (hash, _) in together {
                tx.touches(*hash.key());
            }
        }
    }
    tx.touches_nothing_more();
    app.clock.keep(&mut tx).await?;
    tx.commit().await?;
    for (hash, used) in noted {
        if let Some(row) = app.db.memory().peek().get::<Row>(hash.key()) {
            row.was_used(*used);
        }
    }
    Ok(())
}
