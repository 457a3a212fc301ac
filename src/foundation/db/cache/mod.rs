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

mod rows;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::invalidations::Changes;
use super::{Asker, Writer};
use rows::Rows;

pub use rows::{Key, Row};

/// How long the answer to a question holds.
pub const WINDOW: Duration = Duration::from_millis(50);

/// When a change of another process than the server's is acknowledged.
pub const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(75);

/// How many dropped keys are remembered; then no reading that has begun is kept.
const REMEMBERED: usize = 4_096;

/// A session is kept in three rows at most: its own, that of its secret at a site, and its user's.
const ROWS_A_SESSION: usize = 3;

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
        row.cloned()
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
        if state.newer.len() <= self.max_rows / 2 {
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
        match changes {
            // Of another server, it may be less than before.
            Changes::All => self.clear(|state| state.last_id = Some(last_id)),
            Changes::Keys(keys) => {
                let mut state = self.write();
                state.last_id = state.last_id.max(Some(last_id));
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
    pub(super) fn ask(self: &Arc<Self>, asker: &Asker, writer: &Writer) {
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

    /// # Errors
    /// Whether anything was changed is not known, or a commit may happen yet.
    pub(super) async fn question(&self, asker: &Asker, writer: &Writer) -> Result<(), sqlx::Error> {
        let doubts = self.doubts();
        let is_settled = doubts == self.read().settled;
        let turn = match is_settled {
            true => Ok(()),
            false => writer.turn().await,
        };
        let sent_at = Instant::now();
        // Without a turn, too: only a question tells that it is another server now, which gives no turn before.
        let (last_id, changes) = asker.ask(self.last_id()).await?;
        match turn {
            Ok(()) => self.answered(sent_at, doubts, last_id, &changes),
            Err(_) => self.drop_changed(last_id, &changes),
        }
        turn
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
mod model;
#[cfg(test)]
mod tests;
