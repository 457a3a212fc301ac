//! What was read of the database and is kept in memory, for as long as nothing of it was changed.
//!
//! Why it never answers with what an acknowledged change has undone:
//!
//! - Changes of this process go through [`Tx::commit`](super::Tx::commit). After the commit and before
//!   it is acknowledged, memory forgets what the change touches: everything, unless the change says less.
//! - Each commit begins a new generation. Who keeps something says in which generation it began to read,
//!   and what was read in an older one is not kept.
//! - A commit that failed or whose future was dropped may happen yet. Memory then forgets everything and
//!   answers nothing until the next question below, which waits for its turn on the same connection.
//! - Changes of other processes are seen by `PRAGMA data_version`: on the writer's connection it moves for
//!   others' commits alone. Memory answers only if that question was sent less than [`WINDOW`] ago, and a
//!   command of ours acknowledges its change later than that ([`ACKNOWLEDGE_AFTER`]).
//! - The question is asked while someone wants an answer; its connection is held until its answer is taken
//!   in. Another connection counts otherwise: with a new one, memory begins anew.
//!
//! What is kept is what the rows say, never what follows from it: times, hosts and rules are judged for
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
const MOST: usize = 100_000;

/// A hash, or a name that no hash is equal to.
pub type Key = [u8; 32];

type Value = Arc<dyn Any + Send + Sync>;

/// Keys are hashes already, of secrets that were made here: a part of them spreads them as well as a hash of
/// theirs would, and nobody chooses keys that fall together.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
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
pub struct Memory {
    state: RwLock<State>,
    asking: AtomicBool,
    emptied: AtomicUsize,
}

#[derive(Default)]
struct State {
    rows: HashMap<Key, Value, BuildHasherDefault<Spread>>,
    generation: u64,
    /// When the question was sent whose answer was the last.
    asked_at: Option<Instant>,
    /// What the last answer was, on the connection that the writer has now.
    version: Option<i64>,
}

/// What a commit touches of the rows that may be in memory.
#[derive(Debug, PartialEq, Eq)]
pub enum Touched {
    Everything,
    Rows(Vec<Key>),
}

/// The generation in which a reading began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u64);

/// What is kept at one moment; nothing is forgotten before it is dropped, so it is held for a moment only.
pub struct View<'m>(RwLockReadGuard<'m, State>);

impl View<'_> {
    pub fn get<T: Any + Send + Sync>(&self, key: &Key) -> Option<Arc<T>> {
        self.0.rows.get(key)?.clone().downcast().ok()
    }
}

impl Memory {
    /// To be taken before what is to be kept is read.
    pub fn generation(&self) -> Generation {
        Generation(self.read().generation)
    }

    /// What is kept, if it is still so, and whether the question is due.
    pub fn view(&self) -> (Option<View<'_>>, bool) {
        let view = self.peek();
        let age = view.0.asked_at.map(|at| at.elapsed());
        let holds = age.is_some_and(|age| age < WINDOW);
        let due = age.is_none_or(|age| age >= WINDOW / 2);
        (holds.then_some(view), due)
    }

    /// What is kept, whether or not it is still so.
    pub fn peek(&self) -> View<'_> {
        View(self.read())
    }

    /// Keeps what was read, unless something was committed since the reading began.
    pub fn keep(&self, generation: Generation, key: Key, value: Value) {
        let mut state = self.write();
        if state.generation != generation.0 {
            return;
        }
        if state.rows.len() >= MOST {
            let full = std::mem::take(&mut state.rows);
            state.rows.insert(key, value);
            drop(state);
            drop(full);
            return;
        }
        state.rows.insert(key, value);
    }

    pub(super) fn forget(&self, touched: &Touched) {
        match touched {
            Touched::Everything => self.empty(|_| {}),
            Touched::Rows(keys) => {
                let mut state = self.write();
                state.generation += 1;
                for key in keys {
                    state.rows.remove(key);
                }
            }
        }
    }

    /// Answers nothing until the next question is answered.
    pub(super) fn doubt(&self) {
        self.empty(|state| {
            state.asked_at = None;
            state.version = None;
        });
    }

    /// Asks whether another process has changed anything, one question at a time.
    pub(super) fn ask(self: &Arc<Self>, writer: &SqlitePool) {
        if self.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (memory, writer) = (self.clone(), writer.clone());
        rocket::tokio::spawn(async move {
            if let Err(error) = memory.question(&writer).await {
                tracing::debug!("whether the database was changed is not known: {error}");
            }
            memory.asking.store(false, Ordering::Release);
        });
    }

    async fn question(&self, writer: &SqlitePool) -> Result<(), sqlx::Error> {
        let mut connection = writer.acquire().await?;
        let sent_at = Instant::now();
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut *connection)
            .await?;
        if self.read().version != Some(version) {
            self.empty(|state| state.version = Some(version));
        }
        self.write().asked_at = Some(sent_at);
        Ok(())
    }

    /// How often everything was forgotten.
    pub fn times_emptied(&self) -> usize {
        self.emptied.load(Ordering::Relaxed)
    }

    fn empty(&self, also: impl FnOnce(&mut State)) {
        let mut state = self.write();
        state.generation += 1;
        also(&mut state);
        let rows = std::mem::take(&mut state.rows);
        drop(state);
        // Nobody waits while thousands of rows are freed.
        drop(rows);
        self.emptied.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}
