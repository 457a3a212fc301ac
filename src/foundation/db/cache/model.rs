//! A million overlaps of commits, questions and readings, drawn by lot.

use super::tests::{Read, asked, key};
use super::*;

/// A database of three rows, whose value is how often each was changed, and one server's cache beside it. What
/// happens when is drawn by lot: changes that are under way for any time, of others and of its own, questions and
/// readings that are on their way.
struct Model {
    cache: Cache,
    database: [u64; 3],
    /// The number of the next transaction.
    next: i64,
    /// Changes under way, and those that were committed: transaction and row.
    open: Vec<(i64, u8)>,
    committed: Vec<(i64, u8)>,
    questions: Vec<(i64, Changes, [u64; 3])>,
    readings: Vec<(Generation, u8, Option<u64>)>,
    /// The database as the last question that was answered saw it.
    seen: [u64; 3],
    mistake: Option<Mistake>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    /// One of the keys that a question comes back with is lost.
    LosesAKey,
    /// The next question begins after the newest change that was committed, though older ones are under way.
    ForgetsWhatIsUnderWay,
    /// A reading is kept whatever was changed since it began.
    KeepsWhateverWasRead,
}

impl Model {
    fn new(mistake: Option<Mistake>) -> Self {
        let cache = Cache::new(1);
        asked(&cache, 1, Changes::All);
        Self {
            cache,
            database: [0; 3],
            next: 1,
            open: Vec::new(),
            committed: Vec::new(),
            questions: Vec::new(),
            readings: Vec::new(),
            seen: [0; 3],
            mistake,
        }
    }

    fn step(&mut self, what: u32, row: u8) {
        match what % 9 {
            0 if self.open.len() < 8 => self.begin(row),
            8 => self.commit(usize::from(row)),
            6 => {
                self.begin(row);
                let own = self.open.len() - 1;
                let (oldest, changes) = self.changes(Some(own));
                self.commit(own);
                self.cache.drop_changed(oldest, &changes);
            }
            // One question is under way at a time.
            1 if self.questions.is_empty() => {
                let (oldest, changes) = self.changes(None);
                self.questions.push((oldest, changes, self.database));
            }
            2 => {
                if let Some((oldest, changes, database)) = self.questions.pop() {
                    asked(&self.cache, oldest, changes);
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
            _ => self.keep(),
        }
    }

    fn begin(&mut self, row: u8) {
        self.open.push((self.next, row));
        self.next += 1;
    }

    /// One of those that are under way, in whatever order.
    fn commit(&mut self, which: usize) {
        if self.open.is_empty() {
            return;
        }
        let change = self.open.remove(which % self.open.len());
        self.database[usize::from(change.1)] += 1;
        self.committed.push(change);
    }

    /// What a question comes back with, or a transaction just before its commit: the oldest that is under way, and the
    /// keys of all changes from the last such on.
    fn changes(&self, own: Option<usize>) -> (i64, Changes) {
        let last_id = self.cache.last_id().expect("asked before");
        let own = own.map(|own| self.open[own]);
        let changes = self.committed.iter().copied().chain(own);
        let rows = changes.filter(|(transaction, _)| *transaction >= last_id);
        let lost = usize::from(self.mistake == Some(Mistake::LosesAKey));
        let keys = rows.skip(lost).map(|(_, row)| key(row)).collect();
        let oldest = self.open.iter().map(|(transaction, _)| *transaction).min();
        let newest = self
            .committed
            .iter()
            .map(|(transaction, _)| transaction + 1)
            .max();
        let next = match self.mistake {
            Some(Mistake::ForgetsWhatIsUnderWay) => newest.unwrap_or(last_id),
            _ => oldest.unwrap_or(self.next),
        };
        (next, Changes::Keys(keys))
    }

    fn keep(&mut self) {
        for (began, row, read) in std::mem::take(&mut self.readings) {
            let began = match self.mistake {
                Some(Mistake::KeepsWhateverWasRead) => self.cache.generation(),
                _ => began,
            };
            if let Some(read) = read {
                let read: Arc<dyn Row> = Arc::new(Read(row, read));
                self.cache.insert(began, [read]);
            }
        }
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
fn first_stale(mistake: Option<Mistake>, steps: u32) -> Option<u32> {
    let mut model = Model::new(mistake);
    let mut lot: u32 = 1;
    (0..steps).find(|_| {
        // Marsaglia's xorshift.
        lot ^= lot << 13;
        lot ^= lot >> 17;
        lot ^= lot << 5;
        model.step(lot >> 8, (lot % 3) as u8);
        // What no question asks for any more.
        let last_id = model.cache.last_id().expect("asked before");
        model
            .committed
            .retain(|(transaction, _)| *transaction >= last_id - 8);
        !model.is_fresh()
    })
}

#[test]
fn no_row_is_older_than_the_last_question_whatever_overlaps() {
    assert_eq!(first_stale(None, 1_000_000), None);
}

#[test]
fn the_model_finds_each_mistake() {
    for mistake in [
        Mistake::LosesAKey,
        Mistake::ForgetsWhatIsUnderWay,
        Mistake::KeepsWhateverWasRead,
    ] {
        assert!(
            first_stale(Some(mistake), 1_000_000).is_some(),
            "{mistake:?}"
        );
    }
}
