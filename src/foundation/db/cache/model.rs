//! A million overlaps of commits, questions and readings, drawn by lot.

use super::tests::{Read, asked, key};
use super::*;

/// A database of three rows, whose value is how often each was changed, and one server's cache beside it. What
/// happens when is drawn by lot: commits of others and of its own, questions and readings that are on their way for
/// any time.
struct Model {
    cache: Cache,
    database: [u64; 3],
    /// The rows that were changed, by the id of the invalidation.
    invalidations: Vec<u8>,
    questions: Vec<(i64, Changes, [u64; 3])>,
    readings: Vec<(Generation, u8, Option<u64>)>,
    /// The database as the last question that was answered saw it.
    seen: [u64; 3],
    /// A mistake: this many of the keys that a question comes back with are lost.
    lost: usize,
}

impl Model {
    fn new(lost: usize) -> Self {
        let cache = Cache::new(1);
        asked(&cache, 0, Changes::All);
        Self {
            cache,
            database: [0; 3],
            invalidations: Vec::new(),
            questions: Vec::new(),
            readings: Vec::new(),
            seen: [0; 3],
            lost,
        }
    }

    fn step(&mut self, what: u32, row: u8) {
        match what % 8 {
            0 => self.commit(row),
            6 => {
                let before = self.cache.last_id().expect("asked before");
                self.commit(row);
                let (newest, changes) = self.changes_since(before);
                self.cache.drop_changed(newest, &changes);
            }
            // One question is under way at a time.
            1 if self.questions.is_empty() => {
                let last_id = self.cache.last_id().expect("asked before");
                let new = &self.invalidations[usize::try_from(last_id).expect("an id")..];
                let keys = new.iter().skip(self.lost).map(|row| key(*row)).collect();
                let newest = i64::try_from(self.invalidations.len()).expect("few");
                self.questions
                    .push((newest, Changes::Keys(keys), self.database));
            }
            2 => {
                if let Some((newest, changes, database)) = self.questions.pop() {
                    asked(&self.cache, newest, changes);
                    self.seen = database;
                }
            }
            // A row that is kept is read, to be put in its own place later.
            7 => {
                let began = self.cache.generation();
                let kept = self.cache.snapshot().get::<Read>(&key(row));
                let renewed = kept.map(|kept| (began, row, Some(kept.1)));
                self.readings.extend(renewed);
            }
            3 => self.readings.push((self.cache.generation(), row, None)),
            4 => {
                for (_, row, read) in &mut self.readings {
                    read.get_or_insert(self.database[usize::from(*row)]);
                }
            }
            _ => {
                for (began, row, read) in std::mem::take(&mut self.readings) {
                    if let Some(read) = read {
                        let read: Arc<dyn Row> = Arc::new(Read(row, read));
                        self.cache.insert(began, [read]);
                    }
                }
            }
        }
    }

    fn commit(&mut self, row: u8) {
        self.database[usize::from(row)] += 1;
        self.invalidations.push(row);
    }

    fn changes_since(&self, last_id: i64) -> (i64, Changes) {
        let new = &self.invalidations[usize::try_from(last_id).expect("an id")..];
        let keys = new.iter().skip(self.lost).map(|row| key(*row)).collect();
        let newest = i64::try_from(self.invalidations.len()).expect("few");
        (newest, Changes::Keys(keys))
    }

    /// No row is older than what the last question saw.
    fn is_fresh(&self) -> bool {
        let snapshot = self.cache.snapshot();
        (0..3).all(|row| {
            let kept = snapshot.get::<Read>(&key(row));
            kept.is_none_or(|kept| kept.1 >= self.seen[usize::from(row)])
        })
    }
}

/// The first step after which a row is too old.
fn first_stale(mut model: Model, steps: u32) -> Option<u32> {
    let mut lot: u32 = 1;
    (0..steps).find(|_| {
        // Marsaglia's xorshift.
        lot ^= lot << 13;
        lot ^= lot >> 17;
        lot ^= lot << 5;
        model.step(lot >> 8, (lot % 3) as u8);
        !model.is_fresh()
    })
}

#[test]
fn no_row_is_older_than_the_last_question_whatever_overlaps() {
    assert_eq!(first_stale(Model::new(0), 1_000_000), None);
}

#[test]
fn the_model_finds_a_cache_that_drops_one_key_too_few() {
    assert!(first_stale(Model::new(1), 1_000_000).is_some());
}
