//! Signing in and out, and proving once more who one is.

mod destination;
pub mod first_admin;
mod metrics;
mod pages;
mod passkey;
mod routes;
mod second_factor;
mod second_step;
mod sensitive;
mod verification;

use std::time::Duration;

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::people::links;
use crate::people::notices::{self, Kind};
use crate::people::passkeys::Purpose;
use crate::people::passwords::Password;
use crate::people::users::User;
use crate::sessions::{
    self, CurrentSession, Device, EndReason, LastUses, Methods, Proven, Session, trusted,
};
use crate::web::Slice;
use crate::web::pages::PageKind;
use destination::ContinuePage;
use pages::{ReauthenticatePage, SignInPage, SignOutPage};
use passkey::{Checked, Given};
use second_factor::{Attempt, Proof, Spent};
use second_step::CodePage;
use sensitive::PasswordAgainPage;

pub(crate) use destination::{Destination, leave_for};
pub use destination::{Entrance, External, Gateway};
pub(crate) use passkey::malformed_passkey;
pub(crate) use routes::{cookie_for, forget_session};
pub(crate) use sensitive::{NoFields, Sensitive};
pub(crate) use verification::{Verification, verify_password};

#[must_use]
pub fn slice() -> Slice {
    let pages = vec![
        PageKind::of::<SignInPage>(),
        PageKind::of::<SignOutPage>(),
        PageKind::of::<ReauthenticatePage>(),
        PageKind::of::<PasswordAgainPage>(),
        PageKind::of::<ContinuePage>(),
        PageKind::of::<CodePage>(),
    ];
    let routes = [routes::routes(), second_step::routes(), passkey::routes()].concat();
    Slice::new(routes, pages).with_setup(|builder| {
        metrics::register(builder);
        builder.every_by_one(Duration::from_secs(60), |app| {
            Box::pin(second_step::sweep(app))
        });
        Ok(())
    })
}

/// What the sign-in form holds.
#[derive(Debug)]
pub struct LoginForm {
    pub username: String,
    pub password: Password,
    pub remember: bool,
    /// Where the browser continues, kept for the second step.
    pub rd: Option<String>,
    pub flow: Option<String>,
}

/// The browser in which somebody signs in.
#[derive(Debug)]
pub struct Browser<'a> {
    pub device: Device,
    /// The session that it has, in whose place the new one starts.
    pub current: Option<&'a Session>,
    /// What says that it is not asked for the second step.
    pub trusted: Option<Token>,
}

/// A session that has just begun. The token is for the browser alone.
#[derive(Debug)]
pub struct SignedIn {
    pub token: Token,
    pub session: Session,
    pub user: User,
}

/// What became of a sign-in.
#[derive(Debug)]
pub enum Outcome {
    SignedIn(Box<SignedIn>),
    /// The password is right, and a second factor is asked for in the browser that has this token.
    SecondStep(Token),
    /// No such user, a disabled one, or not the password: nobody learns which.
    Wrong,
    Throttled(Duration),
}

/// Checks a user name and a password, and starts a session in `browser` in place of the one that it has; where the user has
/// a second factor, that comes first.
///
/// # Errors
/// The database failed, or the hashing queue is full; no session is started then.
pub async fn sign_in(app: &App, form: &LoginForm, browser: &Browser<'_>) -> Result<Outcome, Error> {
    let outcome = try_to_sign_in(app, form, browser).await;
    let counted = match &outcome {
        Ok(Outcome::SignedIn(_) | Outcome::SecondStep(_)) => None,
        Ok(Outcome::Wrong) => Some(metrics::SignIn::Refused),
        Ok(Outcome::Throttled(_)) => Some(metrics::SignIn::Throttled),
        Err(_) => Some(metrics::SignIn::Failed),
    };
    if let Some(counted) = counted {
        metrics::count(app, counted);
    }
    outcome
}

async fn try_to_sign_in(
    app: &App,
    form: &LoginForm,
    browser: &Browser<'_>,
) -> Result<Outcome, Error> {
    let (event, device) = (Event::SignIn, &browser.device);
    let verified = match verify_password(app, event, &form.username, &form.password, device).await?
    {
        Verification::Right(verified) => verified,
        Verification::Wrong => return Ok(Outcome::Wrong),
        Verification::Throttled(wait) => return Ok(Outcome::Throttled(wait)),
    };
    let password_changed_at = verified.changed_at();
    let mut tx = app.db.begin_for(verified.username()).await?;
    let Some(user) = verified.settle(&mut tx).await? else {
        return Ok(Outcome::Wrong);
    };
    let trusted = user.has_second_factor()
        && trusted::is_trusted(app, &mut tx, user.id, browser.trusted.as_ref()).await?;
    if user.has_second_factor() && !trusted {
        let token = second_step::begin(app, &mut tx, &user, password_changed_at, form).await?;
        tx.commit().await?;
        return Ok(Outcome::SecondStep(token));
    }
    let proven = Proven {
        trusted,
        remember: form.remember,
        ..Proven::BY_PASSWORD
    };
    let signed_in = enter(app, &mut tx, user, browser, proven).await?;
    commit(app, tx, &signed_in, browser, Vec::new()).await?;
    Ok(Outcome::SignedIn(Box::new(signed_in)))
}

/// Starts the session of a user who was proven, in place of the one that the browser has.
pub(crate) async fn enter(
    app: &App,
    tx: &mut Tx,
    user: User,
    browser: &Browser<'_>,
    proven: Proven,
) -> Result<SignedIn, Error> {
    let actor = Actor::user(&user, browser.device.address);
    if let Some(current) = browser.current {
        let now = app.clock.now();
        sessions::end(tx, now, current.id, EndReason::Replaced, &actor).await?;
    }
    if sessions::is_new_device(tx, user.id, &browser.device).await? {
        let address = browser.device.address.to_canonical().to_string();
        notices::tell(app, tx, user.id, Kind::NewDevice, Some(&address)).await?;
    }
    let (token, session) = sessions::start(app, tx, user.id, &browser.device, proven).await?;
    Ok(SignedIn {
        token,
        session,
        user,
    })
}

/// Commits a sign-in with its audit record and these `more`, and counts it.
pub(crate) async fn commit(
    app: &App,
    mut tx: Tx,
    signed_in: &SignedIn,
    browser: &Browser<'_>,
    more: Vec<Record>,
) -> Result<(), Error> {
    let SignedIn { session, user, .. } = signed_in;
    // Whoever knows the password needs no new one.
    links::end(&mut tx, user.id, links::Purpose::Reset).await?;
    let mut record = Record::of(Event::SignIn, user).session(session.id);
    if session.trusted {
        record = record.detail("password, on a trusted device");
    } else if session.methods != Methods::PASSWORD {
        record = record.detail(session.methods.to_string());
    }
    let records: Vec<Record> = more
        .into_iter()
        .map(|more| more.session(session.id))
        .chain([record])
        .collect();
    let actor = Actor::user(user, browser.device.address);
    // A password's hash, even a new one, is not in memory.
    audit::commit(tx, app.clock.now(), &actor, &records).await?;
    metrics::count(app, metrics::SignIn::Ok);
    Ok(())
}

/// Ends the session that asks.
///
/// # Errors
/// The database failed; the session may still be live then, and the answer must not say otherwise.
pub async fn sign_out(app: &App, current: &CurrentSession, device: &Device) -> Result<(), Error> {
    let now = app.clock.now();
    let actor = Actor::user(&current.user, device.address);
    let mut tx = app.db.begin_for(&current.user.username).await?;
    if !sessions::end(
        &mut tx,
        now,
        current.session.id,
        EndReason::SignedOut,
        &actor,
    )
    .await?
    {
        return Ok(());
    }
    let record = Record::of(Event::SignOut, &current.user).session(current.session.id);
    audit::commit(tx, now, &actor, &[record]).await?;
    app.state::<LastUses>().forget(&current.token_hash);
    Ok(())
}

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
pub(crate) enum ProofAgain {
    Password(Password),
    SecondFactor(Proof),
    /// What a browser answered, and which one.
    Passkey(String, TokenHash),
}

/// Checks once more that it is the user who is signed in: by a second factor where that user has one, for whoever has
/// stolen the password has not proven as much; by the password otherwise.
///
/// # Errors
/// The database failed, or the hashing queue is full; the session is as it was then.
pub(crate) async fn reauthenticate(
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
