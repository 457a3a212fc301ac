//! Hashes passwords with argon2id and verifies them, on threads of its own.

use std::sync::Arc;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use prometheus_client::metrics::counter::Counter;
use zeroize::Zeroizing;

use super::Password;
use super::cost::{Cost, Dearest};
use super::foreign::Foreign;
use super::threads::{Memory, Threads};
use crate::foundation::error::Error;
use crate::foundation::settings::{self, MOST_ITERATIONS, MOST_LANES, MOST_MEMORY_KIB};

/// How the password was spelt that a stored hash is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
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
    /// What each verification costs, whatever the stored hash asks for.
    dearest: Arc<Dearest>,
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
        Ok(Self {
            threads: Threads::start(settings.threads())?,
            computed: Counter::default(),
            dearest: Arc::new(Dearest::new(Cost::of_argon2(&params))),
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
        })
    }

    /// Verifications cost from now on what this stored hash costs, if that is more. What is no such hash
    /// changes nothing.
    pub(crate) fn allow_for(&self, stored: &str) {
        if let Some(cost) = cost_of(stored) {
            self.dearest.raise(cost);
        }
    }

    /// Whether this stored hash costs more than verifications do now.
    pub(crate) fn is_dearer(&self, stored: &str) -> bool {
        cost_of(stored).is_some_and(|cost| self.dearest.is_below(cost))
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

    /// Compares a password to a stored hash; without one, finds it wrong. Takes as long in each case as
    /// the dearest hash there is.
    ///
    /// # Errors
    /// [`Error::Busy`]: the queue is full. [`Error::Hash`]: the stored hash is not argon2id, or asks
    /// for more than it may.
    pub async fn verify(
        &self,
        password: &Password,
        stored: Option<(&str, HashForm)>,
    ) -> Result<Verdict, Error> {
        let (stored, form) = stored.unzip();
        let stored = stored.map(str::to_owned);
        // One form a try, so that none takes longer.
        let text = match form {
            Some(HashForm::Typed) => Zeroizing::new(password.reveal().to_owned()),
            Some(HashForm::Nfc) | None => password.normalized(),
        };
        let dearest = self.dearest.clone();
        let verdict = self
            .run(move |argon2, memory| verify(argon2, &text, stored.as_deref(), &dearest, memory))
            .await?;
        Ok(match verdict {
            Verdict::Right if form != Some(HashForm::Nfc) => Verdict::RightButOld,
            verdict => verdict,
        })
    }

    /// Compares the secret of a program to a hash that another program made of it. It takes the time of that hash alone, for
    /// which program has which is told to nobody's harm.
    ///
    /// # Errors
    /// [`Error::Busy`]: the queue is full. [`Error::Hash`]: the hash is of no kind that is known here, or asks for more than it may.
    pub(crate) async fn is_of(&self, secret: &str, stored: &str) -> Result<bool, Error> {
        let (secret, stored) = (Zeroizing::new(secret.to_owned()), stored.to_owned());
        self.run(move |_, memory| {
            Ok(match Stored::parse(&stored)? {
                Stored::Own(own) => compute(&own.argon2, &secret, &own.salt, memory)? == own.output,
                Stored::Foreign(foreign) => foreign.is_of(secret.as_bytes()),
            })
        })
        .await
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

/// Whether a password can be compared to it.
#[must_use]
pub fn can_be_verified(stored: &str) -> bool {
    Stored::parse(stored).is_ok()
}

/// What a stored hash, or one without its salt and output, costs. `None`: it is of no kind that is known here.
fn cost_of(stored: &str) -> Option<Cost> {
    if let Some(foreign) = Foreign::parse(stored) {
        return Some(Cost::of_foreign(&foreign));
    }
    let parsed = PasswordHash::new(stored).ok()?;
    let params = bounded_params(&parsed).ok()?;
    Some(Cost::of_argon2(&params))
}

fn verify(
    argon2: &Argon2,
    password: &str,
    stored: Option<&str>,
    dearest: &Dearest,
    memory: &mut Memory,
) -> Result<Verdict, Error> {
    let (verdict, cost) = match stored.map(Stored::parse).transpose()? {
        None => (Verdict::Wrong, Cost::default()),
        Some(Stored::Own(stored)) => {
            let cost = Cost::of_argon2(stored.argon2.params());
            (compare(argon2, password, &stored, memory)?, cost)
        }
        Some(Stored::Foreign(foreign)) => {
            let cost = Cost::of_foreign(&foreign);
            let verdict = match foreign.is_of(password.as_bytes()) {
                true => Verdict::RightButOld,
                false => Verdict::Wrong,
            };
            (verdict, cost)
        }
    };
    // A right password, too: that of a disabled user is answered as a wrong one.
    let dearest = dearest.raise(cost);
    if let Some(rest) = dearest.argon2_less(cost) {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, rest);
        let salt = argon2::password_hash::generate_salt();
        compute(&argon2, password, &salt, memory)?;
    }
    for (scheme, rounds) in dearest.foreign_less(cost) {
        scheme.spend(rounds, password.as_bytes());
    }
    Ok(verdict)
}

fn compare(
    argon2: &Argon2,
    password: &str,
    stored: &OwnHash,
    memory: &mut Memory,
) -> Result<Verdict, Error> {
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
enum Stored<'a> {
    Own(OwnHash),
    Foreign(Foreign<'a>),
}

/// One of argon2id.
struct OwnHash {
    argon2: Argon2<'static>,
    salt: Salt,
    output: Output,
}

impl<'a> Stored<'a> {
    fn parse(stored: &'a str) -> Result<Self, Error> {
        if let Some(foreign) = Foreign::parse(stored) {
            return Ok(Self::Foreign(foreign));
        }
        let parsed = PasswordHash::new(stored)?;
        let params = bounded_params(&parsed)?;
        let version = parsed.version.map(Version::try_from).transpose()?;
        Ok(Self::Own(OwnHash {
            argon2: Argon2::new(Algorithm::Argon2id, version.unwrap_or_default(), params),
            salt: parsed.salt.ok_or_else(unreadable)?,
            output: parsed.hash.ok_or_else(unreadable)?,
        }))
    }
}

fn bounded_params(stored: &PasswordHash) -> Result<Params, Error> {
    let params = Params::try_from(stored)?;
    let hostile = stored.algorithm != argon2::ARGON2ID_IDENT
        || params.m_cost() > MOST_MEMORY_KIB
        || params.t_cost() > MOST_ITERATIONS
        || params.p_cost() > MOST_LANES;
    if hostile {
        return Err(unreadable());
    }
    Ok(params)
}

fn unreadable() -> Error {
    Error::Hash(argon2::password_hash::Error::Algorithm)
}

/// Lowered settings never weaken a hash that is there.
fn is_weaker(stored: &Params, wanted: &Params) -> bool {
    stored.m_cost() < wanted.m_cost() || stored.t_cost() < wanted.t_cost()
}
