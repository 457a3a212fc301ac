//! argon2id: hashes and verifies passwords, on threads of its own.

use std::sync::Arc;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use prometheus_client::metrics::counter::Counter;
use zeroize::Zeroizing;

use super::Password;
use super::threads::{Memory, Threads};
use crate::foundation::error::Error;
use crate::foundation::settings::{self, MOST_ITERATIONS, MOST_LANES, MOST_MEMORY_KIB};

/// How the password was spelt that a stored hash is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "snake_case")]
pub enum HashForm {
    /// As it was typed: hashes from before passwords were normalised.
    Typed,
    /// In NFC, as every new one.
    Nfc,
}

/// How a password compares to a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Right,
    /// Right, and hashed with less than the settings ask for now, or in another form.
    RightButOld,
    Wrong,
}

/// Hashes and verifies; cheap to clone.
#[derive(Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    threads: Threads,
    computed: Counter,
    /// Of nobody's password; verified for unknown users, who then take as long as known ones.
    dummy: Arc<str>,
}

impl Hasher {
    /// # Errors
    /// The settings are outside what argon2 takes, or the system has no thread to give.
    pub fn new(settings: &settings::Passwords) -> Result<Self, Error> {
        let params = Params::new(
            settings.memory_kib,
            settings.iterations,
            settings.lanes,
            None,
        )?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash(
            &argon2,
            Password::generate().reveal(),
            &mut Memory::default(),
        )?;
        Ok(Self {
            argon2,
            threads: Threads::start(settings.threads())?,
            computed: Counter::default(),
            dummy: dummy.into(),
        })
    }

    /// The password's hash in PHC form, with a salt of its own.
    ///
    /// # Errors
    /// [`Error::Busy`]: the queue is full.
    pub async fn hash(&self, password: &Password) -> Result<String, Error> {
        let password = password.normalized();
        self.run(move |argon2, memory| hash(argon2, &password, memory))
            .await
    }

    /// Compares a password to a stored hash; without one, takes as long and finds it wrong.
    ///
    /// # Errors
    /// [`Error::Busy`]: the queue is full. [`Error::Hash`]: the stored hash is not argon2id, or asks
    /// for more than it may.
    pub async fn verify(
        &self,
        password: &Password,
        stored: Option<(&str, HashForm)>,
    ) -> Result<Verdict, Error> {
        let known = stored.is_some();
        let (stored, form) = stored.unwrap_or((&self.dummy, HashForm::Nfc));
        let stored = stored.to_owned();
        // One hash a try, so that none takes longer.
        let text = match form {
            HashForm::Typed => Zeroizing::new(password.reveal().to_owned()),
            HashForm::Nfc => password.normalized(),
        };
        let verdict = self
            .run(move |argon2, memory| verify(argon2, &text, &stored, memory))
            .await?;
        Ok(match verdict {
            _ if !known => Verdict::Wrong,
            Verdict::Right if form != HashForm::Nfc => Verdict::RightButOld,
            verdict => verdict,
        })
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
        self.threads.queued()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2, &mut Memory) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (argon2, computed) = (self.argon2.clone(), self.computed.clone());
        self.threads
            .run(move |memory| {
                computed.inc();
                work(&argon2, memory)
            })
            .await?
    }
}

fn hash(argon2: &Argon2, password: &str, memory: &mut Memory) -> Result<String, Error> {
    let salt = argon2::password_hash::generate_salt();
    let hash = PasswordHash {
        algorithm: argon2::ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params())?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(compute(argon2, password, &salt, memory)?),
    };
    Ok(hash.to_string())
}

fn verify(
    argon2: &Argon2,
    password: &str,
    stored: &str,
    memory: &mut Memory,
) -> Result<Verdict, Error> {
    let stored = Stored::parse(stored)?;
    let computed = compute(&stored.argon2, password, &stored.salt, memory)?;
    let weaker = is_weaker(stored.argon2.params(), argon2.params());
    // Outputs are compared in constant time.
    Ok(match (computed == stored.output, weaker) {
        (true, false) => Verdict::Right,
        (true, true) => Verdict::RightButOld,
        (false, _) => Verdict::Wrong,
    })
}

fn compute(
    argon2: &Argon2,
    password: &str,
    salt: &[u8],
    memory: &mut Memory,
) -> Result<Output, Error> {
    let mut output = [0; Output::MAX_LENGTH];
    let length = argon2.params().output_len();
    let output = &mut output[..length.unwrap_or(Params::DEFAULT_OUTPUT_LEN)];
    let blocks = memory.blocks(argon2.params());
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, blocks)?;
    Ok(Output::new(output)?)
}

/// A stored hash that asks for no more than it may.
struct Stored {
    argon2: Argon2<'static>,
    salt: Salt,
    output: Output,
}

impl Stored {
    fn parse(stored: &str) -> Result<Self, Error> {
        let unreadable = || Error::Hash(argon2::password_hash::Error::Algorithm);
        let parsed = PasswordHash::new(stored)?;
        let params = Params::try_from(&parsed)?;
        let hostile = parsed.algorithm != argon2::ARGON2ID_IDENT
            || params.m_cost() > MOST_MEMORY_KIB
            || params.t_cost() > MOST_ITERATIONS
            || params.p_cost() > MOST_LANES;
        if hostile {
            return Err(unreadable());
        }
        let version = parsed.version.map(Version::try_from).transpose()?;
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, version.unwrap_or_default(), params),
            salt: parsed.salt.ok_or_else(unreadable)?,
            output: parsed.hash.ok_or_else(unreadable)?,
        })
    }
}

/// Lowered settings never weaken a hash that is there.
fn is_weaker(stored: &Params, wanted: &Params) -> bool {
    stored.m_cost() < wanted.m_cost() || stored.t_cost() < wanted.t_cost()
}
