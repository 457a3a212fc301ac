//! What was noted in memory and is written later: the latest of each key.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::token::TokenHash;

/// Room for so many notes is kept when they are written.
const ROOM: usize = 1_024;

#[derive(Debug)]
pub struct Unwritten<V>(Mutex<HashMap<TokenHash, V>>);

impl<V> Default for Unwritten<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Copy + PartialEq> Unwritten<V> {
    pub fn note(&self, hash: &TokenHash, latest: V) {
        self.noted().insert(*hash, latest);
    }

    pub fn of(&self, hash: &TokenHash) -> Option<V> {
        self.noted().get(hash).copied()
    }

    pub fn all(&self) -> Vec<(TokenHash, V)> {
        let noted = self.noted();
        noted
            .iter()
            .map(|(hash, latest)| (*hash, *latest))
            .collect()
    }

    /// Forgets what was written; what was noted meanwhile stays.
    pub fn forget_written(&self, written: &[(TokenHash, V)]) {
        let mut noted = self.noted();
        for (hash, written) in written {
            if noted.get(hash) == Some(written) {
                noted.remove(hash);
            }
        }
        noted.shrink_to(ROOM);
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<TokenHash, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
