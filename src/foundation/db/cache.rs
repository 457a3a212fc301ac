//! The cache: rows that were read, for as long as nothing of them was changed.
//!
//! Why it never answers with what an acknowledged change has undone:
//!
//! - Whoever changes a row that may be in here, in whatever program, leaves its key in the table
//!   `invalidations`, in the same transaction: triggers see to it.
//! - The cache asks for the keys that are newer than the last it has seen, and drops these rows. It answers only
//!   if that question was sent less than [`WINDOW`] ago, and a command of Vestibule's acknowledges its change
//!   later than that ([`ACKNOWLEDGE_AFTER`]).
//! - A change of this process drops its keys after the commit and before it is acknowledged
//!   ([`Tx::commit`](super::Tx::commit)).
//! - Dropping begins a new generation. Whoever inserts a row says in which generation its reading began; a row
//!   whose key was dropped since is not kept, nor one whose reading began longer ago than is remembered.
//! - A commit that failed or whose future was dropped may still happen. The cache is then cleared and suspended until
//!   the writer's next turn, and a question after it.
//!
//! Rows are kept as they are, never what follows from them: times, hosts and rules are judged for
//! each request. That there is no such row is not kept.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use sqlx::SqlitePool;
use uuid::Uuid;

use super::invalidations::{self, Changes};

/// How long the answer to a question holds.
pub const WINDOW: Duration = Duration::from_millis(50);

/// When a change of another process than the server's is acknowledged.
pub const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(75);

/// How many dropped keys are remembered; then no reading that has begun is kept.
const REMEMBERED: usize = 4_096;

/// A session is kept in three rows at most: its own, that of its secret at a site, and its user's.
const ROWS_A_SESSION: usize = 3;

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
struct Rows(HashTable<Arc<dyn Row>>);

impl Rows {
    fn get(&self, key: &Key) -> Option<&Arc<dyn Row>> {
        self.0.find(key.spread(), |row| row.key() == *key)
    }

    fn insert(&mut self, row: Arc<dyn Row>) {
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

    fn remove(&mut self, key: &Key) -> Option<Arc<dyn Row>> {
        let entry = self.0.find_entry(key.spread(), |row| row.key() == *key);
        entry.ok().map(|entry| entry.remove().0)
    }
}

pub struct Cache {
    max_rows: usize,
    state: RwLock<State>,
    /// Keys that were found among the older half and are wanted among the newer.
    wanted: Mutex<Vec<Key>>,
    asking: AtomicBool,
    cleared: AtomicUsize,
}

#[derive(Default)]
struct State {
    newer: Rows,
    /// Dropped when the newer half is full.
    older: Rows,
    generation: u64,
    /// Keys that were dropped, with the generation that began with it.
    dropped: HashMap<Key, u64>,
    /// What was read in a generation before is not kept.
    oldest_kept: u64,
    /// When the question was sent whose answer was the last.
    asked_at: Option<Instant>,
    /// The last invalidation that was seen.
    last_id: Option<i64>,
    /// Commits that nobody waits for and that may happen yet, and how many of them the writer has had its turn after.
    doubts: u64,
    settled: u64,
}

/// The generation in which a reading began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u64);

/// What is kept at one moment; nothing is dropped before this is, so it is held for a moment only.
pub struct Snapshot<'m> {
    cache: &'m Cache,
    state: RwLockReadGuard<'m, State>,
}

impl Snapshot<'_> {
    pub fn get<T: Row>(&self, key: &Key) -> Option<Arc<T>> {
        let row = self.state.newer.get(key).or_else(|| {
            let row = self.state.older.get(key)?;
            self.cache.want(*key);
            Some(row)
        });
        let row: Arc<dyn Any + Send + Sync> = row?.clone();
        row.downcast().ok()
    }
}

impl Cache {
    /// Room for so many sessions; none: nothing is ever answered.
    pub(super) fn new(max_sessions: usize) -> Self {
        Self {
            max_rows: max_sessions.saturating_mul(ROWS_A_SESSION),
            state: RwLock::default(),
            wanted: Mutex::default(),
            asking: AtomicBool::default(),
            cleared: AtomicUsize::default(),
        }
    }

    /// To be taken before what is to be kept is read.
    pub fn generation(&self) -> Generation {
        Generation(self.read().generation)
    }

    /// What is kept, if it is still so, and whether the question is due.
    pub(super) fn current(&self) -> (Option<Snapshot<'_>>, bool) {
        if self.max_rows == 0 {
            return (None, false);
        }
        let snapshot = self.snapshot();
        let age = snapshot.state.asked_at.map(|at| at.elapsed());
        let holds = age.is_some_and(|age| age < WINDOW);
        let due = age.is_none_or(|age| age >= WINDOW / 2);
        (holds.then_some(snapshot), due)
    }

    /// What is kept, whether or not it is still so.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            cache: self,
            state: self.read(),
        }
    }

    /// Keeps what was read, but for what was changed since the reading began.
    pub fn insert(&self, generation: Generation, rows: impl IntoIterator<Item = Arc<dyn Row>>) {
        let mut state = self.write();
        if generation.0 < state.oldest_kept {
            return;
        }
        for row in rows {
            let key = row.key();
            let dropped = state.dropped.get(&key);
            if dropped.is_none_or(|dropped| *dropped <= generation.0) {
                state.older.remove(&key);
                state.newer.insert(row);
            }
        }
        let full = self.make_room(&mut state);
        drop(state);
        drop(full);
    }

    /// What to free when nobody waits for it.
    fn make_room(&self, state: &mut State) -> Rows {
        if state.newer.0.len() <= self.max_rows / 2 {
            return Rows::default();
        }
        let newer = std::mem::take(&mut state.newer);
        std::mem::replace(&mut state.older, newer)
    }

    fn want(&self, key: Key) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted.len() < REMEMBERED {
            wanted.push(key);
        }
    }

    /// Drops what was changed, up to the invalidation `last_id`.
    pub(super) fn drop_changed(&self, last_id: i64, changes: &Changes) {
        let saw = |state: &mut State| state.last_id = state.last_id.max(Some(last_id));
        match changes {
            Changes::All => self.clear(saw),
            Changes::Keys(keys) => {
                let mut state = self.write();
                saw(&mut state);
                state.drop_keys(keys);
            }
        }
    }

    /// Answers nothing until the next question is answered, which waits for the writer's turn.
    pub(super) fn suspend(&self) {
        self.clear(|state| {
            state.asked_at = None;
            state.doubts += 1;
        });
    }

    /// The last invalidation that was seen; `None` before the first question.
    pub(super) fn last_id(&self) -> Option<i64> {
        self.read().last_id
    }

    /// Asks what was changed, one question at a time.
    pub(super) fn ask(self: &Arc<Self>, asker: &SqlitePool, writer: &SqlitePool) {
        if self.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (cache, asker, writer) = (self.clone(), asker.clone(), writer.clone());
        rocket::tokio::spawn(async move {
            if let Err(error) = cache.question(&asker, &writer).await {
                tracing::debug!("whether the database was changed is not known: {error}");
            }
            cache.asking.store(false, Ordering::Release);
        });
    }

    async fn question(&self, asker: &SqlitePool, writer: &SqlitePool) -> Result<(), sqlx::Error> {
        let doubts = self.doubts();
        if doubts != self.read().settled {
            drop(writer.acquire().await?);
        }
        let sent_at = Instant::now();
        let (last_id, changes) = invalidations::since(asker, self.last_id()).await?;
        self.answered(sent_at, doubts, last_id, &changes);
        Ok(())
    }

    /// Takes in the answer to a question that was sent then, when there were so many doubts.
    fn answered(&self, sent_at: Instant, doubts: u64, last_id: i64, changes: &Changes) {
        self.drop_changed(last_id, changes);
        let mut state = self.write();
        // Another was given up meanwhile: the next question answers.
        if state.doubts != doubts {
            return;
        }
        state.settled = doubts;
        state.asked_at = Some(sent_at);
        self.renew_wanted(&mut state);
    }

    fn doubts(&self) -> u64 {
        self.read().doubts
    }

    fn renew_wanted(&self, state: &mut State) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        for key in wanted.drain(..) {
            if let Some(row) = state.older.remove(&key) {
                state.newer.insert(row);
            }
        }
    }

    /// How often everything was dropped.
    pub fn times_cleared(&self) -> usize {
        self.cleared.load(Ordering::Relaxed)
    }

    fn clear(&self, also: impl FnOnce(&mut State)) {
        let mut state = self.write();
        state.generation += 1;
        state.oldest_kept = state.generation;
        also(&mut state);
        let rows = [
            std::mem::take(&mut state.newer),
            std::mem::take(&mut state.older),
        ];
        drop(state);
        // Nobody waits while thousands of rows are freed.
        drop(rows);
        self.cleared.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drop_keys(&mut self, keys: &[Key]) {
        if keys.is_empty() {
            return;
        }
        self.generation += 1;
        if self.dropped.len() + keys.len() > REMEMBERED {
            self.dropped.clear();
            self.oldest_kept = self.generation;
        }
        for key in keys {
            self.newer.remove(key);
            self.older.remove(key);
            self.dropped.insert(*key, self.generation);
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row's number, and what was read of it.
    struct Read(u8, u64);

    impl Row for Read {
        fn key(&self) -> Key {
            key(self.0)
        }
    }

    fn key(number: u8) -> Key {
        Key::Secret([number; 32])
    }

    fn row(number: u8) -> Arc<dyn Row> {
        Arc::new(Read(number, 0))
    }

    fn asked(cache: &Cache, last_id: i64, changes: Changes) {
        cache.answered(Instant::now(), cache.doubts(), last_id, &changes);
    }

    fn keep(cache: &Cache, numbers: impl IntoIterator<Item = u8>) {
        cache.insert(cache.generation(), numbers.into_iter().map(row));
    }

    fn kept(cache: &Cache, numbers: impl IntoIterator<Item = u8>) -> Vec<u8> {
        let snapshot = cache.snapshot();
        numbers
            .into_iter()
            .filter(|n| snapshot.get::<Read>(&key(*n)).is_some())
            .collect()
    }

    #[test]
    fn a_full_cache_drops_what_was_not_used_of_its_older_half() {
        let cache = Cache::new(2);
        asked(&cache, 0, Changes::All);
        keep(&cache, 0..4);
        keep(&cache, 4..5);
        assert_eq!(kept(&cache, [1, 3]), [1, 3]);
        asked(&cache, 0, Changes::Keys(Vec::new()));
        keep(&cache, 5..8);
        assert_eq!(kept(&cache, 0..8), [1, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_reading_is_kept_but_for_what_was_changed_since_it_began() {
        let cache = Cache::new(10);
        asked(&cache, 0, Changes::All);
        let began = cache.generation();
        asked(&cache, 1, Changes::Keys(vec![key(1)]));
        cache.insert(began, [1, 2].map(row));
        assert_eq!(kept(&cache, 1..3), [2]);
    }

    #[test]
    fn atk_03_a_reading_from_before_what_is_remembered_is_not_kept() {
        let cache = Cache::new(10);
        asked(&cache, 0, Changes::All);
        let began = cache.generation();
        for id in 0..=u16::try_from(REMEMBERED).expect("few") {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&id.to_le_bytes());
            asked(&cache, id.into(), Changes::Keys(vec![Key::Secret(bytes)]));
        }
        cache.insert(began, [row(9)]);
        assert!(kept(&cache, [9]).is_empty());
        keep(&cache, [9]);
        assert_eq!(kept(&cache, [9]), [9]);
    }

    #[test]
    fn after_a_commit_that_may_happen_yet_nothing_is_answered_before_a_question_that_was_sent_later()
     {
        let cache = Cache::new(10);
        asked(&cache, 0, Changes::All);
        let doubts = cache.doubts();
        cache.suspend();
        cache.answered(Instant::now(), doubts, 0, &Changes::Keys(Vec::new()));
        assert!(cache.current().0.is_none());
        asked(&cache, 0, Changes::Keys(Vec::new()));
        assert!(cache.current().0.is_some());
    }

    #[test]
    fn without_room_nothing_is_answered_and_nothing_asked() {
        let cache = Cache::new(0);
        asked(&cache, 0, Changes::All);
        let (snapshot, due) = cache.current();
        assert!(snapshot.is_none() && !due);
    }

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
            match what % 7 {
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
}
