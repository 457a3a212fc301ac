//! Proving once more who one is, for a session that has begun.

mod routes;

use std::time::Duration;

use super::passkey::{self, Checked, Given};
use super::second_factor::{Attempt, Proof, Spent};
use super::verification::{Verification, verify_password};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::people::passkeys::Purpose;
use crate::people::passwords::Password;
use crate::sessions::{self, CurrentSession, Device, Methods};
use crate::web::Visitor;

pub use routes::{routes, wrong_again};

/// What became of a reauthentication.
#[derive(Debug)]
pub enum Reauthenticated {
    /// The session goes on under this new token.
    Done(Token),
    Wrong,
    /// The text is for the person.
    WrongPasskey(&'static str),
    Throttled(Duration),
}

/// What a user who is signed in gives to prove it once more.
pub enum ProofAgain {
    Password(Password),
    SecondFactor(Proof),
    /// What a browser answered, and which one.
    Passkey(String, TokenHash),
}

impl ProofAgain {
    /// Of the one field that was filled in. `None`: it cannot be right.
    pub fn of_one(
        password: Option<String>,
        code: Option<String>,
        assertion: Option<String>,
        visitor: &Visitor,
    ) -> Option<Self> {
        match (password, code, assertion) {
            (Some(password), None, None) => Some(Self::Password(Password::new(password))),
            (None, Some(code), None) => Proof::parse(code).map(Self::SecondFactor),
            (None, None, Some(assertion)) => Some(Self::Passkey(assertion, visitor.hash())),
            _ => None,
        }
    }
}

/// Checks once more that it is the user who is signed in: by a second factor where that user has one, for whoever has
/// stolen the password has not proven as much; by the password otherwise.
///
/// # Errors
/// The database failed, or the hashing queue is full; the session is as it was then.
pub async fn reauthenticate(
    app: &App,
    current: &CurrentSession,
    proof: ProofAgain,
    device: &Device,
) -> Result<Reauthenticated, Error> {
    match proof {
        ProofAgain::SecondFactor(proof) => by_second_factor(app, current, proof, device).await,
        ProofAgain::Passkey(answer, visitor) => {
            let given = Given {
                answer: &answer,
                visitor: &visitor,
                device,
            };
            by_passkey(app, current, given).await
        }
        ProofAgain::Password(_) if current.user.has_second_factor() => Ok(Reauthenticated::Wrong),
        ProofAgain::Password(password) => by_password(app, current, &password, device).await,
    }
}

async fn by_password(
    app: &App,
    current: &CurrentSession,
    password: &Password,
    device: &Device,
) -> Result<Reauthenticated, Error> {
    let (event, username) = (Event::Reauthenticate, &current.user.username);
    let verified = match verify_password(app, event, username, password, device).await? {
        Verification::Right(verified) => verified,
        Verification::Wrong => return Ok(Reauthenticated::Wrong),
        Verification::Throttled(wait) => return Ok(Reauthenticated::Throttled(wait)),
    };
    let mut tx = app.db.begin_for(verified.username()).await?;
    let Some(user) = verified.settle(&mut tx).await? else {
        return Ok(Reauthenticated::Wrong);
    };
    // One was set up since the request began.
    if user.has_second_factor() {
        return Ok(Reauthenticated::Wrong);
    }
    go_on(app, tx, current, Methods::PASSWORD, Vec::new(), device).await
}

async fn by_second_factor(
    app: &App,
    current: &CurrentSession,
    proof: Proof,
    device: &Device,
) -> Result<Reauthenticated, Error> {
    let user = &current.user;
    let attempt = match Attempt::begin(app, Event::Reauthenticate, user, proof, device).await? {
        Ok(attempt) => attempt,
        Err(wait) => return Ok(Reauthenticated::Throttled(wait)),
    };
    let mut tx = app.db.begin_for(&user.username).await?;
    match attempt.spend(app, &mut tx).await? {
        Some(Spent { method, records }) => go_on(app, tx, current, method, records, device).await,
        None => {
            drop(tx);
            attempt.failed(app).await?;
            Ok(Reauthenticated::Wrong)
        }
    }
}

async fn by_passkey(
    app: &App,
    current: &CurrentSession,
    given: Given<'_>,
) -> Result<Reauthenticated, Error> {
    let purpose = Purpose::Reauthenticate(current.user.id);
    match passkey::check(app, Event::Reauthenticate, purpose, given).await? {
        Checked::Right(tx, _) => {
            let (method, records) = (Methods::PASSKEY, Vec::new());
            go_on(app, tx, current, method, records, given.device).await
        }
        Checked::Refused(refused) => Ok(Reauthenticated::WrongPasskey(refused.text())),
        Checked::Throttled(wait) => Ok(Reauthenticated::Throttled(wait)),
    }
}

/// Gives the session of a user who was proven once more its new token.
async fn go_on(
    app: &App,
    mut tx: Tx,
    current: &CurrentSession,
    method: Methods,
    mut records: Vec<Record>,
    device: &Device,
) -> Result<Reauthenticated, Error> {
    let token = sessions::rotate(app, &mut tx, &current.session, method).await?;
    let mut record = Record::of(Event::Reauthenticate, &current.user);
    if method != Methods::PASSWORD {
        record = record.detail(method.to_string());
    }
    records.push(record);
    let records: Vec<Record> = records
        .into_iter()
        .map(|record| record.session(current.session.id))
        .collect();
    let actor = Actor::user(&current.user, device.address);
    audit::commit(tx, app.clock.now(), &actor, &records).await?;
    Ok(Reauthenticated::Done(token))
}
