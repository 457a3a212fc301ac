//! argon2id on a bounded number of threads, with a short queue, and a refusal beyond.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;

use super::Password;
use crate::error::Error;
use crate::settings;

/// The most that a stored hash, or a setting, may ask for: the hash obeys what is stored, so a row
/// from elsewhere could otherwise take all memory.
pub const MOST_MEMORY_KIB: u32 = 256 * 1024;
pub const MOST_ITERATIONS: u32 = 16;
pub const MOST_LANES: u32 = 16;

/// Hashes that may wait for each thread; about a third of a second with the default parameters.
const QUEUE_PER_THREAD: usize = 16;

/// How a password compares to a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Right,
    /// Right, and hashed with less than the settings ask for now.
    RightButOld,
    Wrong,
}

/// Hashes and verifies; cheap to clone.
#[derive(Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    computed: Counter,
    threads: usize,
    /// Of nobody's password; verified for unknown users, who then take as long as known ones.
    dummy: Arc<str>,
}

impl Hasher {
    /// # Errors
    /// The settings are outside what argon2 takes.
    pub fn new(settings: &settings::Passwords) -> Result<Self, Error> {
        let params = Params::new(
            settings.memory_kib,
            settings.iterations,
            settings.lanes,
            None,
        )
        .map_err(argon2::password_hash::Error::from)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let threads = settings.threads();
        let dummy = hash(&argon2, Password::generate().reveal())?;
        Ok(Self {
            argon2,
            running: Arc::new(Semaphore::new(threads)),
            waiting: Arc::new(Semaphore::new(threads * (QUEUE_PER_THREAD + 1))),
            computed: Counter::default(),
            threads,
            dummy: dummy.into(),
        })
    }

    /// The password's hash in PHC form, with a salt of its own.
    ///
    /// # Errors
    /// [`Error::Busy`]: the queue is full.
    pub async fn hash(&self, password: &Password) -> Result<String, Error> {
        let (argon2, password) = (self.argon2.clone(), password.clone());
        self.run(move || hash(&argon2, password.reveal())).await?
    }

    /// Compares a password to a stored hash; without one, takes as long and finds it wrong.
    ///
    /// # Errors
    /// [`Error::Busy`]: the queue is full. [`Error::Hash`]: the stored hash is not argon2id, or asks
    /// for more than it may.
    pub async fn verify(
        &self,
        password: &Password,
        stored: Option<&str>,
    ) -> Result<Verdict, Error> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.dummy).to_owned();
        let (argon2, password) = (self.argon2.clone(), password.clone());
        let verdict = self
            .run(move || verify(&argon2, password.reveal(), &stored))
            .await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    /// How many hashes were computed since the start.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed.get()
    }

    pub(crate) fn computed_counter(&self) -> Counter {
        self.computed.clone()
    }

    /// How many hashes wait for a thread now.
    #[must_use]
    pub fn queued(&self) -> usize {
        let running = self.threads - self.running.available_permits();
        let asked = self.threads * (QUEUE_PER_THREAD + 1) - self.waiting.available_permits();
        asked.saturating_sub(running)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let place = self
            .waiting
            .clone()
            .try_acquire_owned()
            .map_err(|_| Error::Busy)?;
        let turn = self
            .running
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Error::Busy)?;
        self.computed.inc();
        let done = tokio::task::spawn_blocking(move || {
            // Held until the hash is done, though the one who asked may have left.
            let _held = (place, turn);
            work()
        });
        done.await.map_err(|_| Error::Busy)
    }
}

fn hash(argon2: &Argon2, password: &str) -> Result<String, Error> {
    Ok(argon2.hash_password(password.as_bytes())?.to_string())
}

fn verify(argon2: &Argon2, password: &str, stored: &str) -> Result<Verdict, Error> {
    let parsed = PasswordHash::new(stored).map_err(argon2::password_hash::Error::from)?;
    let params = Params::try_from(&parsed)?;
    let hostile = parsed.algorithm != argon2::ARGON2ID_IDENT
        || parsed.hash.is_none()
        || params.m_cost() > MOST_MEMORY_KIB
        || params.t_cost() > MOST_ITERATIONS
        || params.p_cost() > MOST_LANES;
    if hostile {
        return Err(Error::Hash(argon2::password_hash::Error::Algorithm));
    }
    match argon2.verify_password(password.as_bytes(), &parsed) {
        Ok(()) if is_weaker(&params, argon2.params()) => Ok(Verdict::RightButOld),
        Ok(()) => Ok(Verdict::Right),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(error.into()),
    }
}

/// Lowered settings never weaken a hash that is there.
fn is_weaker(stored: &Params, wanted: &Params) -> bool {
    stored.m_cost() < wanted.m_cost() || stored.t_cost() < wanted.t_cost()
}
