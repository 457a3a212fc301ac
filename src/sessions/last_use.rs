//! When sessions were last used: recorded in memory on each request, written once a second.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Session;
use crate::foundation::clock::Timestamp;
use crate::foundation::settings;
use crate::foundation::token::TokenHash;
use crate::foundation::unwritten::Unwritten;

/// A use within this of the last one is not recorded.
const COARSEST_STEP: Duration = Duration::from_secs(60);

/// Room for so many uses is kept when they are written.
const ROOM: usize = 1_024;

#[derive(Clone, Copy, Debug)]
pub(super) struct LastUse {
    pub at: Timestamp,
    pub idle_end: Timestamp,
}

impl LastUse {
    pub fn later(self, other: Self) -> Self {
        Self {
            at: self.at.max(other.at),
            idle_end: self.idle_end.max(other.idle_end),
        }
    }
}

/// When protected hosts were last used, by their secrets, where their sites ask for that.
pub(super) type SiteUses = Unwritten<Timestamp>;

/// Uses that are not in the database yet.
#[derive(Debug, Default)]
pub struct LastUses(Mutex<HashMap<TokenHash, LastUse>>);

impl LastUses {
    pub(super) fn record(
        &self,
        hash: &TokenHash,
        session: &Session,
        last: LastUse,
        now: Timestamp,
        settings: &settings::Sessions,
    ) {
        let (idle, _) = settings.limits(session.remember);
        let step = COARSEST_STEP.min(idle / 10);
        if now.since(last.at) < step {
            return;
        }
        let idle_end = now.plus(idle).min(session.max_expires_at);
        self.recorded().insert(*hash, LastUse { at: now, idle_end });
    }

    /// A use counts as soon as it is recorded: else a session would run out before the write that
    /// puts its end off, and come back with it.
    pub(super) fn latest(&self, hash: &TokenHash, written: LastUse) -> LastUse {
        let recorded = self.recorded().get(hash).copied();
        recorded.map_or(written, |recorded| recorded.later(written))
    }

    /// Of a session that has ended there is nothing to write.
    pub fn forget(&self, hash: &TokenHash) {
        self.recorded().remove(hash);
    }

    pub(super) fn all(&self) -> Vec<(TokenHash, LastUse)> {
        let recorded = self.recorded();
        recorded.iter().map(|(hash, used)| (*hash, *used)).collect()
    }

    /// Forgets uses that were written; what was recorded meanwhile stays.
    pub(super) fn forget_written(&self, written: &[(TokenHash, LastUse)]) {
        let mut recorded = self.recorded();
        for (hash, written) in written {
            if recorded.get(hash).is_some_and(|used| used.at == written.at) {
                recorded.remove(hash);
            }
        }
        recorded.shrink_to(ROOM);
    }

    fn recorded(&self) -> MutexGuard<'_, HashMap<TokenHash, LastUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
