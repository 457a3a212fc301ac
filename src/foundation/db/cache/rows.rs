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
pub trait Row: AnyRow {
    fn key(&self) -> Key;
}

/// A row of whichever type.
pub trait AnyRow: Any + Send + Sync {
    /// A table for rows of this type, with this one in it.
    fn into_table(self: Arc<Self>) -> Box<dyn Table>;
}

impl<T: Row> AnyRow for T {
    fn into_table(self: Arc<Self>) -> Box<dyn Table> {
        let mut table = Typed(HashTable::new());
        table.insert_typed(self);
        Box::new(table)
    }
}

/// Rows by their keys, which stand in the rows alone: a table for each type, whose places are half as large as
/// those for rows of any type.
#[derive(Default)]
pub(super) struct Rows(Vec<Box<dyn Table>>);

impl Rows {
    pub fn len(&self) -> usize {
        self.0.iter().map(|table| table.len()).sum()
    }

    pub fn get<T: Row>(&self, key: &Key) -> Option<&Arc<T>> {
        let mut tables = self.0.iter().map(|table| &**table as &dyn Any);
        let Typed::<T>(rows) = tables.find_map(|table| table.downcast_ref())?;
        rows.find(key.spread(), |row| row.key() == *key)
    }

    pub fn insert(&mut self, row: Arc<dyn Row>) {
        if !self.0.iter_mut().any(|table| table.insert(&row)) {
            self.0.push(row.into_table());
        }
    }

    pub fn remove(&mut self, key: &Key) -> Option<Arc<dyn Row>> {
        let removed = self.0.iter_mut().filter_map(|table| table.remove(key));
        removed.last()
    }
}

/// Rows of one type.
pub trait Table: Any + Send + Sync {
    fn len(&self) -> usize;

    /// False: the row is of another type.
    fn insert(&mut self, row: &Arc<dyn Row>) -> bool;

    fn remove(&mut self, key: &Key) -> Option<Arc<dyn Row>>;
}

struct Typed<T>(HashTable<Arc<T>>);

impl<T: Row> Typed<T> {
    fn insert_typed(&mut self, row: Arc<T>) {
        let key = row.key();
        let spread = |row: &Arc<T>| row.key().spread();
        match self
            .0
            .entry(key.spread(), |other| other.key() == key, spread)
        {
            Entry::Occupied(mut entry) => *entry.get_mut() = row,
            Entry::Vacant(entry) => drop(entry.insert(row)),
        }
    }
}

impl<T: Row> Table for Typed<T> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn insert(&mut self, row: &Arc<dyn Row>) -> bool {
        let row: Arc<dyn Any + Send + Sync> = row.clone();
        row.downcast().map(|row| self.insert_typed(row)).is_ok()
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<dyn Row>> {
        let entry = self.0.find_entry(key.spread(), |row| row.key() == *key);
        entry.ok().map(|entry| entry.remove().0 as Arc<dyn Row>)
    }
}
