//! Passkeys: keys on a device, or in a password manager, that sign what this host asks them to once a person is recognised.
//!
//! A passkey is two factors in one gesture: who has it, and the fingerprint, face or PIN that unlocks it (`ceremony` asks
//! for both). A page carries a challenge that is stored nowhere (`challenge`); what is answered is spent in the transaction
//! that acts on it ([`proof::Proof::settle`]).

mod ceremony;
mod challenge;
mod proof;
mod refused;
mod registration;
mod store;

use std::time::Duration;

use uuid::Uuid;

use crate::foundation::app::{App, AppBuilder};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::secrets;
use crate::foundation::settings::Settings;
use crate::foundation::token::TokenHash;
use crate::foundation::version::Version;
use crate::people::users::{self, InvalidName, User};
use ceremony::{Assertion, Attestation};
use challenge::{Challenge, Scope};

pub(crate) use challenge::Purpose;
pub(crate) use proof::claim;
pub(crate) use refused::{Refused, Unavailable};
pub(crate) use registration::{Candidate, NotKept, candidate};
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

/// Whose passkey is made, as the device shows it.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub id: Uuid,
    pub username: &'a str,
    pub shown_name: &'a str,
}

impl<'a> From<&'a User> for Owner<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id,
            username: &user.username,
            shown_name: user.shown_name(),
        }
    }
}

/// For the page: what a new passkey of this user, or of an account that is to be made with it, is made from.
pub(crate) async fn creation_options(
    app: &App,
    browser: &TokenHash,
    purpose: Purpose,
    owner: Owner<'_>,
) -> Result<String, Error> {
    let own = of_user_here(app, owner.id).await?;
    let challenge = make_challenge(app, Scope { purpose, browser }).await?;
    Ok(ceremony::creation_options(
        &app.settings,
        &challenge,
        owner,
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

async fn spend(tx: &mut Tx, challenge: &Challenge) -> Result<bool, Error> {
    Ok(store::spend(tx, &challenge.hash(), challenge.expires_at()).await?)
}

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

/// How many were made for another host than this, and can be used no more.
pub(crate) async fn count_elsewhere(app: &App) -> Result<i64, Error> {
    let here = ceremony::rp_id(&app.settings);
    Ok(store::count_elsewhere(app.db.reader(), here).await?)
}

async fn warn_of_other_hosts(app: &App) -> Result<(), Error> {
    let elsewhere = count_elsewhere(app).await?;
    if elsewhere > 0 {
        let here = ceremony::rp_id(&app.settings);
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
pub(crate) fn judge_anything(settings: &Settings, passkey: &Passkey, answer: &str) {
    if let Some(assertion) = Assertion::read(answer)
        && let Some(challenge) = Challenge::claimed(&assertion.challenge)
    {
        let proven = assertion.verify(settings, &challenge, passkey);
        assert!(proven.is_err(), "nobody has the key of this passkey");
    }
    if let Some(attestation) = Attestation::read(answer)
        && let Some(challenge) = Challenge::claimed(&attestation.challenge)
        && let Ok(made) = attestation.verify(settings, &challenge)
    {
        assert!((1..=1023).contains(&made.credential_id.len()));
        assert!([-8, -7, -35, -257, -258].contains(&made.algorithm));
        assert!(made.backup_eligible || !made.backed_up);
    }
}
