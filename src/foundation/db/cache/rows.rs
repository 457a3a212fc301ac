//! What the cache keeps: rows that know their keys.

use std::any::Any;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use uuid::Uuid;

/// What a row is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The hash of a secret that was made here.
    Secret([u8; 32]),
    /// An id of ours, such as a user's.
    Id(Uuid),
    /// There is one policy.
    Policy,
}

impl Key {
    /// A part of a hash, or of an id's random end, spreads keys as well as a hash of them would, and nobody
    /// chooses keys that fall together.
    fn spread(&self) -> u64 {
        let part = match self {
            Self::Secret(hash) => hash.last_chunk(),
            Self::Id(id) => id.as_bytes().last_chunk(),
            Self::Policy => None,
        };
        part.map_or(0, |part| u64::from_le_bytes(*part))
    }
}

/// A row that is kept, with what it is found by.
pub trait Row: Any + Send + Sync {
    fn key(&self) -> Key;
}

/// Rows by their keys, which stand in the rows alone.
#[derive(Default)]
pub(super) struct Rows(HashTable<Arc<dyn Row>>);

impl Rows {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, key: &Key) -> Option<&Arc<dyn Row>> {
        self.0.find(key.spread(), |row| row.key() == *key)
    }

    pub fn insert(&mut self, row: Arc<dyn Row>) {
        let key = row.key();
        let spread = |row: &Arc<dyn Row>| row.key().spread();
        match self
            .0
            .entry(key.spread(), |other| other.key() == key, spread)
        {
            Entry::Occupied(mut entry) => *entry.get_mut() = row,
            Entry::Vacant(entry) => drop(entry.insert(row)),
        }
    }

    pub fn remove(&mut self, key: &Key) -> Option<Arc<dyn Row>> {
        let entry = self.0.find_entry(key.spread(), |row| row.key() == *key);
        entry.ok().map(|entry| entry.remove().0)
    }
}
