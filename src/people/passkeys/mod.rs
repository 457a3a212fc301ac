//! Passkeys: keys on a device, or in a password manager, that sign what this host asks them to once a person is recognised.
//!
//! A passkey is two factors in one gesture: who has it, and the fingerprint, face or PIN that unlocks it (`ceremony` asks
//! for both). A page carries a challenge that is stored nowhere (`challenge`); what is answered is spent in the transaction
//! that acts on it ([`Proof::settle`]).

mod ceremony;
mod challenge;
mod store;

use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use crate::foundation::app::{App, AppBuilder};
use crate::foundation::audit;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::secrets;
use crate::foundation::settings::{Settings, on_loopback};
use crate::foundation::token::TokenHash;
use crate::foundation::version::Version;
use crate::people::users::{self, InvalidName, User};
use ceremony::{Assertion, Attestation, Use};
use challenge::{Challenge, Scope};

pub(crate) use challenge::Purpose;
pub(crate) use store::Passkey;

/// More than anybody has devices; lists stay short, and so does what a sign-in asks for.
pub(crate) const MOST: usize = 20;

/// Characters of a name.
const LONGEST_NAME: usize = 64;

/// How long a challenge is remembered after its end: no clock among nodes differs as much.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Rows a transaction, so that no other write waits long.
const BATCH: u32 = 500;

pub(super) fn setup(builder: &mut AppBuilder) {
    builder.every_by_one(SWEEP_INTERVAL, |app| Box::pin(sweep(app)));
    builder.on_launch(|app| Box::pin(warn_of_other_hosts(app)));
}

/// Why browsers would make no passkey here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    IpAddress,
    PlainHttp,
}

impl Unavailable {
    /// `None`: they can be used.
    pub fn of(settings: &Settings) -> Option<Self> {
        let url = settings.url();
        match url.domain() {
            None => Some(Self::IpAddress),
            Some(_) if settings.secure() || on_loopback(url) => None,
            Some(_) => Some(Self::PlainHttp),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IpAddress => {
                "Passkeys are off: public_url is an IP address, and browsers make passkeys for names only."
            }
            Self::PlainHttp => {
                "Passkeys are off: public_url is http, and browsers make passkeys over https only."
            }
        })
    }
}

/// Why an answer is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No browser writes it so.
    Malformed,
    /// It answers no challenge of this browser's, or too late.
    Stale,
    /// The device did not check that it is this person.
    Unverified,
    /// The text is for the audit trail.
    Wrong(String),
    /// The counter has gone back: there may be two of this passkey.
    Copied,
}

impl Refused {
    fn wrong(reason: &str) -> Self {
        Self::Wrong(reason.to_owned())
    }

    /// For the person whose new passkey it is.
    pub fn text_for_new(&self) -> &'static str {
        match self {
            Self::Malformed | Self::Stale => self.text(),
            Self::Unverified => {
                "The passkey was made without a PIN, a fingerprint or a face. Set one up for the device, then try again."
            }
            Self::Wrong(_) | Self::Copied => {
                "That passkey cannot be used here. Try another device or password manager."
            }
        }
    }

    /// For the person: what to do now.
    pub fn text(&self) -> &'static str {
        match self {
            Self::Malformed | Self::Stale => {
                "This page was open for too long, or in another browser. Try again."
            }
            Self::Unverified => {
                "The passkey was used without a PIN, a fingerprint or a face. Set one up for it, or come in another way."
            }
            Self::Wrong(_) | Self::Copied => {
                "That passkey was not accepted. Use another one, or come in another way."
            }
        }
    }
}

/// For the page: what a passkey of this user, or of anyone, is asked for. `None` where there is none to ask.
pub(crate) async fn request_options(
    app: &App,
    browser: &TokenHash,
    purpose: Purpose,
) -> Result<Option<String>, Error> {
    if Unavailable::of(&app.settings).is_some() {
        return Ok(None);
    }
    let allowed = match purpose.user() {
        None => Vec::new(),
        Some(user) => match of_user_here(app, user).await? {
            none if none.is_empty() => return Ok(None),
            some => some,
        },
    };
    let challenge = make_challenge(app, Scope { purpose, browser }).await?;
    Ok(Some(ceremony::request_options(
        &app.settings,
        &challenge,
        &allowed,
    )))
}

/// For the page: what a new passkey of this user is made from.
pub(crate) async fn creation_options(
    app: &App,
    browser: &TokenHash,
    user: &User,
) -> Result<String, Error> {
    let own = of_user_here(app, user.id).await?;
    let purpose = Purpose::Register(user.id);
    let challenge = make_challenge(app, Scope { purpose, browser }).await?;
    Ok(ceremony::creation_options(
        &app.settings,
        &challenge,
        user,
        &own,
    ))
}

pub(crate) async fn of_user(app: &App, user_id: Uuid) -> Result<Vec<Passkey>, Error> {
    Ok(store::of_user(app.db.reader(), user_id).await?)
}

impl Passkey {
    /// Of what the form that renames it edits.
    pub fn version(&self) -> Version {
        Version::of([&self.name])
    }

    /// Whether it was made for the host that this service has now.
    pub fn is_for(&self, settings: &Settings) -> bool {
        self.rp_id == ceremony::rp_id(settings)
    }
}

async fn of_user_here(app: &App, user_id: Uuid) -> Result<Vec<Passkey>, Error> {
    let mut all = of_user(app, user_id).await?;
    all.retain(|passkey| passkey.is_for(&app.settings));
    Ok(all)
}

async fn make_challenge(app: &App, scope: Scope<'_>) -> Result<Challenge, Error> {
    let keys = secrets::keys(app).await?;
    let key = keys.derived(PURPOSE_OF_KEY).next();
    let key = key.ok_or_else(|| Error::Secrets("there is no key".to_owned()))?;
    Ok(Challenge::make(&key, scope, app.clock.now()))
}

/// What the key is derived for that challenges are known by.
const PURPOSE_OF_KEY: &str = "challenge";

async fn read_challenge(
    app: &App,
    scope: Scope<'_>,
    signed: &[u8],
) -> Result<Option<Challenge>, Error> {
    let keys = secrets::keys(app).await?;
    let keys = keys.derived(PURPOSE_OF_KEY);
    Ok(Challenge::read(keys, scope, app.clock.now(), signed))
}

/// An answer that a challenge of ours was given to a browser for. Nothing else is known of it yet.
pub(crate) struct Claim {
    assertion: Assertion,
    challenge: Challenge,
    purpose: Purpose,
    /// The one that it names, if it is registered.
    passkey: Option<Passkey>,
}

/// Reads what a browser answered; nothing is written, whatever it is.
pub(crate) async fn claim(
    app: &App,
    browser: &TokenHash,
    purpose: Purpose,
    answer: &str,
) -> Result<Result<Claim, Refused>, Error> {
    let Some(assertion) = Assertion::read(answer) else {
        return Ok(Err(Refused::Malformed));
    };
    let scope = Scope { purpose, browser };
    let Some(challenge) = read_challenge(app, scope, &assertion.challenge).await? else {
        return Ok(Err(Refused::Stale));
    };
    let passkey = store::by_credential_id(app.db.reader(), &assertion.credential_id).await?;
    Ok(Ok(Claim {
        assertion,
        challenge,
        purpose,
        passkey,
    }))
}

impl Claim {
    /// Whose the passkey is that it names; `None` if nobody has that.
    pub fn user_id(&self) -> Option<Uuid> {
        self.passkey.as_ref().map(|passkey| passkey.user_id)
    }

    pub fn verify(self, settings: &Settings) -> Result<Proof, Refused> {
        let passkey = self
            .passkey
            .ok_or_else(|| Refused::wrong("no such passkey"))?;
        if self
            .purpose
            .user()
            .is_some_and(|user| user != passkey.user_id)
        {
            return Err(Refused::wrong("another user's passkey"));
        }
        match &self.assertion.user_handle {
            Some(handle) if handle != passkey.user_id.as_bytes() => {
                return Err(Refused::wrong("the passkey names another user"));
            }
            // A device that was asked for one of these passkeys need not say whose it is.
            None if self.purpose.user().is_none() => {
                return Err(Refused::wrong("the passkey names no user"));
            }
            _ => {}
        }
        if !passkey.is_for(settings) {
            return Err(Refused::wrong("made for another host"));
        }
        let used = self.assertion.verify(settings, &self.challenge, &passkey)?;
        Ok(Proof {
            passkey,
            challenge: self.challenge,
            used,
        })
    }
}

/// An answer that a passkey signed; [`Proof::settle`] says whether it counts.
pub(crate) struct Proof {
    passkey: Passkey,
    challenge: Challenge,
    used: Use,
}

impl Proof {
    /// Spends the challenge and writes the use, in the transaction that acts on it. An answer counts once; it is spent when
    /// it is refused, too.
    pub async fn settle(self, tx: &mut Tx, now: Timestamp) -> Result<Result<(), Refused>, Error> {
        if !spend(tx, &self.challenge).await? {
            return Ok(Err(Refused::wrong("the answer was used before")));
        }
        let stored = find(tx, self.passkey.user_id, self.passkey.id).await?;
        let Some(stored) = stored else {
            return Ok(Err(Refused::wrong("the passkey was deleted")));
        };
        let Use {
            counter,
            backup_eligible,
            backed_up,
        } = self.used;
        if backup_eligible != stored.backup_eligible {
            // Fixed for life (WebAuthn L3, 7.2).
            return Ok(Err(Refused::wrong(
                "the passkey changed whether it can be copied",
            )));
        }
        // Those on several devices count nothing and say 0.
        let counts = counter != 0 || stored.counter != 0;
        if counts && i64::from(counter) <= stored.counter {
            return Ok(Err(Refused::Copied));
        }
        store::mark_used(tx, stored.id, counter, backed_up, now).await?;
        Ok(Ok(()))
    }
}

async fn spend(tx: &mut Tx, challenge: &Challenge) -> Result<bool, Error> {
    Ok(store::spend(tx, &challenge.hash(), challenge.expires_at()).await?)
}

/// Why a new passkey is not kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotKept {
    Refused(Refused),
    /// There are [`MOST`] already.
    TooMany,
    /// It is somebody's already.
    Known,
}

/// A new passkey, as a browser's answer has it.
pub(crate) struct Candidate {
    made: ceremony::Made,
    challenge: Challenge,
}

/// Checks what a browser answered to [`creation_options`]; nothing is written yet.
pub(crate) async fn candidate(
    app: &App,
    browser: &TokenHash,
    user: &User,
    answer: &str,
) -> Result<Result<Candidate, Refused>, Error> {
    let Some(attestation) = Attestation::read(answer) else {
        return Ok(Err(Refused::Malformed));
    };
    let purpose = Purpose::Register(user.id);
    let scope = Scope { purpose, browser };
    let Some(challenge) = read_challenge(app, scope, &attestation.challenge).await? else {
        return Ok(Err(Refused::Stale));
    };
    let made = attestation.verify(&app.settings, &challenge, user);
    Ok(made.map(|made| Candidate { made, challenge }))
}

impl Candidate {
    /// Keeps it as the user's, under this name.
    pub async fn keep(
        self,
        app: &App,
        tx: &mut Tx,
        user: &User,
        name: &str,
    ) -> Result<Result<Passkey, NotKept>, Error> {
        if !spend(tx, &self.challenge).await? {
            return Ok(Err(NotKept::Refused(Refused::Stale)));
        }
        if store::of_user(&mut **tx, user.id).await?.len() >= MOST {
            return Ok(Err(NotKept::TooMany));
        }
        let now = app.clock.now();
        let made = self.made;
        let passkey = Passkey {
            id: audit::new_id_at(now),
            user_id: user.id,
            credential_id: made.credential_id,
            public_key: made.public_key,
            algorithm: made.algorithm.into(),
            counter: made.counter.into(),
            aaguid: made.aaguid.to_vec(),
            transports: made.transports,
            rp_id: ceremony::rp_id(&app.settings).to_owned(),
            name: checked_name(name).unwrap_or_else(|_| UNNAMED.to_owned()),
            backup_eligible: made.backup_eligible,
            backed_up: made.backed_up,
            created_at: now,
            last_used_at: None,
        };
        if !store::insert(tx, &passkey).await? {
            return Ok(Err(NotKept::Known));
        }
        Ok(Ok(passkey))
    }
}

/// What one is called whose browser says nothing of itself.
const UNNAMED: &str = "Passkey";

/// A name that people gave to a passkey.
pub(crate) fn checked_name(text: &str) -> Result<String, InvalidName> {
    let name = users::text_of_person(text)?;
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(InvalidName::Text);
    }
    Ok(name)
}

/// One of a user's; `None` if it is not that user's, or of nobody.
pub(crate) async fn find(tx: &mut Tx, user_id: Uuid, id: Uuid) -> Result<Option<Passkey>, Error> {
    let all = store::of_user(&mut **tx, user_id).await?;
    Ok(all.into_iter().find(|passkey| passkey.id == id))
}

pub(crate) async fn rename(tx: &mut Tx, passkey: &Passkey, name: &str) -> Result<(), Error> {
    Ok(store::rename(tx, passkey.id, name).await?)
}

/// Deletes a user's passkey; false if its owner could not sign in without it.
pub(crate) async fn delete(
    tx: &mut Tx,
    settings: &Settings,
    passkey: &Passkey,
) -> Result<bool, Error> {
    let user_id = passkey.user_id;
    let all = store::of_user(&mut **tx, user_id).await?;
    let mut others = all.iter().filter(|other| other.id != passkey.id);
    let has_another_way = others.any(|other| other.is_for(settings));
    if !has_another_way && !store::has_password(tx, user_id).await? {
        return Ok(false);
    }
    store::delete(tx, passkey.id).await?;
    Ok(true)
}

/// Forgets challenges an hour after their end, a batch at a time.
async fn sweep(app: &App) -> Result<(), Error> {
    let ended_before = app.clock.now().minus(REMEMBERED);
    loop {
        let mut tx = app.db.begin().await?;
        let deleted = store::delete_spent(&mut tx, ended_before, BATCH).await?;
        tx.commit().await?;
        if deleted < u64::from(BATCH) {
            return Ok(());
        }
    }
}

async fn warn_of_other_hosts(app: &App) -> Result<(), Error> {
    let here = ceremony::rp_id(&app.settings);
    let elsewhere = store::count_elsewhere(app.db.reader(), here).await?;
    if elsewhere > 0 {
        tracing::warn!(
            "{elsewhere} passkeys were made for another host than {here} and are of no use here: public_url has changed, and their owners need new ones"
        );
    }
    Ok(())
}

/// For the fuzzers: takes a text for an answer to whatever challenge it names. What comes of it is dropped.
///
/// # Panics
/// A proof was believed that nobody can have made, or a new passkey that could not be used.
pub(crate) fn judge_anything(settings: &Settings, user: &User, passkey: &Passkey, answer: &str) {
    if let Some(assertion) = Assertion::read(answer)
        && let Some(challenge) = Challenge::claimed(&assertion.challenge)
    {
        let proven = assertion.verify(settings, &challenge, passkey);
        assert!(proven.is_err(), "nobody has the key of this passkey");
    }
    if let Some(attestation) = Attestation::read(answer)
        && let Some(challenge) = Challenge::claimed(&attestation.challenge)
        && let Ok(made) = attestation.verify(settings, &challenge, user)
    {
        assert!((1..=1023).contains(&made.credential_id.len()));
        assert!([-8, -7, -35, -257, -258].contains(&made.algorithm));
        assert!(made.backup_eligible || !made.backed_up);
    }
}
