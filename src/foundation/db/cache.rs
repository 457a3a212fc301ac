//! The cache: rows that were read, for as long as nothing of them was changed.
//!
//! Why it never answers with what an acknowledged change has undone:
//!
//! - Changes of this process go through [`Tx::commit`](super::Tx::commit). After the commit and before
//!   it is acknowledged, the cache invalidates what the change touches: everything, unless the change
//!   says less.
//! - Each commit begins a new generation. Whoever inserts a row says in which generation its reading
//!   began, and what was read in an older one is not kept.
//! - A commit that failed or whose future was dropped may still happen. The cache is then cleared and
//!   suspended until the next question below, which waits for its turn on the same connection.
//! - Changes of other processes are seen by `PRAGMA data_version`: on the writer's connection it moves for
//!   others' commits alone. The cache answers only if that question was sent less than [`WINDOW`] ago, and a
//!   command of Vestibule's acknowledges its change later than that ([`ACKNOWLEDGE_AFTER`]).
//! - The question is asked while someone wants an answer; its connection is held until its answer is
//!   stored. Another connection counts otherwise: with a new one, the cache begins anew.
//!
//! Rows are kept as they are, never what follows from them: times, hosts and rules are judged for
//! each request. That there is no such row is not kept.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use sqlx::SqlitePool;

/// How long the answer to a question holds.
pub const WINDOW: Duration = Duration::from_millis(50);

/// When a change of another process than the server's is acknowledged.
pub const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(75);

/// More than this is begun anew, so that it stays within some tens of megabytes.
const MAX_ENTRIES: usize = 100_000;

/// A hash, or a name that no hash is equal to.
pub type Key = [u8; 32];

type Value = Arc<dyn Any + Send + Sync>;

/// Keys are hashes already, of secrets that were made here: a part of them spreads them as well as a hash of
/// theirs would, and nobody chooses keys that fall together.
#[derive(Default)]
struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .first_chunk()
            .map_or(0, |part| u64::from_le_bytes(*part));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Default)]
pub struct Cache {
    state: RwLock<State>,
    asking: AtomicBool,
    cleared: AtomicUsize,
}

#[derive(Default)]
struct State {
    rows: HashMap<Key, Value, BuildHasherDefault<IdentityHasher>>,
    generation: u64,
    /// When the question was sent whose answer was the last.
    asked_at: Option<Instant>,
    /// What the last answer was, on the connection that the writer has now.
    version: Option<i64>,
}

/// What a commit touches of the rows that may be in memory.
#[derive(Debug, PartialEq, Eq)]
pub enum Invalidation {
    All,
    Keys(Vec<Key>),
}

/// The generation in which a reading began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u64);

/// What is kept at one moment; nothing is forgotten before it is dropped, so it is held for a moment only.
pub struct Snapshot<'m>(RwLockReadGuard<'m, State>);

impl Snapshot<'_> {
    pub fn get<T: Any + Send + Sync>(&self, key: &Key) -> Option<Arc<T>> {
        self.0.rows.get(key)?.clone().downcast().ok()
    }
}

impl Cache {
    /// To be taken before what is to be kept is read.
    pub fn generation(&self) -> Generation {
        Generation(self.read().generation)
    }

    /// What is kept, if it is still so, and whether the question is due.
    pub fn current(&self) -> (Option<Snapshot<'_>>, bool) {
        let snapshot = self.snapshot();
        let age = snapshot.0.asked_at.map(|at| at.elapsed());
        let holds = age.is_some_and(|age| age < WINDOW);
        let due = age.is_none_or(|age| age >= WINDOW / 2);
        (holds.then_some(snapshot), due)
    }

    /// What is kept, whether or not it is still so.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot(self.read())
    }

    /// Keeps what was read, unless something was committed since the reading began.
    pub fn insert(&self, generation: Generation, key: Key, value: Value) {
        let mut state = self.write();
        if state.generation != generation.0 {
            return;
        }
        if state.rows.len() >= MAX_ENTRIES {
            let full = std::mem::take(&mut state.rows);
            state.rows.insert(key, value);
            drop(state);
            drop(full);
            return;
        }
        state.rows.insert(key, value);
    }

    pub(super) fn invalidate(&self, invalidation: &Invalidation) {
        match invalidation {
            Invalidation::All => self.clear(|_| {}),
            Invalidation::Keys(keys) => {
                let mut state = self.write();
                state.generation += 1;
                for key in keys {
                    state.rows.remove(key);
                }
            }
        }
    }

    /// Answers nothing until the next question is answered.
    pub(super) fn suspend(&self) {
        self.clear(|state| {
            state.asked_at = None;
            state.version = None;
        });
    }

    /// Asks whether another process has changed anything, one question at a time.
    pub(super) fn ask(self: &Arc<Self>, writer: &SqlitePool) {
        if self.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (cache, writer) = (self.clone(), writer.clone());
        rocket::tokio::spawn(async move {
            if let Err(error) = cache.question(&writer).await {
                tracing::debug!("whether the database was changed is not known: {error}");
            }
            cache.asking.store(false, Ordering::Release);
        });
    }

    async fn question(&self, writer: &SqlitePool) -> Result<(), sqlx::Error> {
        let mut connection = writer.acquire().await?;
        let sent_at = Instant::now();
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut *connection)
            .await?;
        if self.read().version != Some(version) {
            self.clear(|state| state.version = Some(version));
        }
        self.write().asked_at = Some(sent_at);
        Ok(())
    }

    /// How often everything was forgotten.
    pub fn times_cleared(&self) -> usize {
        self.cleared.load(Ordering::Relaxed)
    }

    fn clear(&self, also: impl FnOnce(&mut State)) {
        let mut state = self.write();
        state.generation += 1;
        also(&mut state);
        let rows = std::mem::take(&mut state.rows);
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

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache")
    }
}
