//! Signing in and out, and proving once more who one is.

mod destination;
pub mod first_admin;
mod metrics;
mod pages;
mod passkey;
mod routes;
mod sensitive;
mod verification;

use std::time::Duration;

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::Token;
use crate::people::passwords::Password;
use crate::people::users::User;
use crate::sessions::{
    self, CurrentSession, Device, EndReason, LastUses, Methods, Proven, Session,
};
use crate::web::Slice;
use crate::web::pages::PageKind;
use destination::ContinuePage;
use pages::{ReauthenticatePage, SignInPage, SignOutPage};
use sensitive::PasswordAgainPage;

pub(crate) use destination::Destination;
pub use destination::{Entrance, External, Gateway};
pub(crate) use routes::{cookie_for, malformed_assertion};
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
    ];
    Slice::new(routes::routes(), pages).with_setup(|builder| {
        metrics::register(builder);
        Ok(())
    })
}

/// What the sign-in form holds.
#[derive(Debug)]
pub struct LoginForm {
    pub username: String,
    pub password: Password,
    pub remember: bool,
}

/// What became of a sign-in.
#[derive(Debug)]
pub enum Outcome {
    /// The token is for the browser alone.
    SignedIn(Token, Session, Box<User>),
    /// No such user, a disabled one, or not the password: nobody learns which.
    Wrong,
    Throttled(Duration),
}

/// Checks a user name and a password, and starts a session on `device` in place of the `current`
/// one.
///
/// # Errors
/// The database failed, or the hashing queue is full; no session is started then.
pub async fn sign_in(
    app: &App,
    form: &LoginForm,
    device: &Device,
    current: Option<&Session>,
) -> Result<Outcome, Error> {
    let outcome = try_to_sign_in(app, form, device, current).await;
    metrics::count(
        app,
        match &outcome {
            Ok(Outcome::SignedIn(..)) => metrics::SignIn::Ok,
            Ok(Outcome::Wrong) => metrics::SignIn::Refused,
            Ok(Outcome::Throttled(_)) => metrics::SignIn::Throttled,
            Err(_) => metrics::SignIn::Failed,
        },
    );
    outcome
}

async fn try_to_sign_in(
    app: &App,
    form: &LoginForm,
    device: &Device,
    current: Option<&Session>,
) -> Result<Outcome, Error> {
    let verified =
        match verify_password(app, Event::SignIn, &form.username, &form.password, device).await? {
            Verification::Right(verified) => verified,
            Verification::Wrong => return Ok(Outcome::Wrong),
            Verification::Throttled(wait) => return Ok(Outcome::Throttled(wait)),
        };
    let mut tx = app.db.begin_for(verified.username()).await?;
    let Some(user) = verified.settle(&mut tx).await? else {
        return Ok(Outcome::Wrong);
    };
    let proven = Proven {
        remember: form.remember,
        ..Proven::BY_PASSWORD
    };
    let (token, session) = start_session(app, tx, &user, device, current, proven).await?;
    Ok(Outcome::SignedIn(token, session, Box::new(user)))
}

/// Starts the session of a user who was proven in this transaction, in place of the `current` one.
async fn start_session(
    app: &App,
    mut tx: Tx,
    user: &User,
    device: &Device,
    current: Option<&Session>,
    proven: Proven,
) -> Result<(Token, Session), Error> {
    let now = app.clock.now();
    let actor = Actor::user(user, device.address);
    if let Some(current) = current {
        sessions::end(&mut tx, now, current.id, EndReason::Replaced, &actor).await?;
    }
    let (token, session) = sessions::start(app, &mut tx, user.id, device, proven).await?;
    // A password's hash, even a new one, is not in memory.
    let record = Record::of(Event::SignIn, user).session(session.id);
    audit::commit(tx, now, &actor, &[record]).await?;
    Ok((token, session))
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
    Throttled(Duration),
}

/// Checks the password of the user who is signed in once more.
///
/// # Errors
/// The database failed, or the hashing queue is full; the session is as it was then.
pub async fn reauthenticate(
    app: &App,
    current: &CurrentSession,
    password: &Password,
    device: &Device,
) -> Result<Reauthenticated, Error> {
    let verified = match verify_password(
        app,
        Event::Reauthenticate,
        &current.user.username,
        password,
        device,
    )
    .await?
    {
        Verification::Right(verified) => verified,
        Verification::Wrong => return Ok(Reauthenticated::Wrong),
        Verification::Throttled(wait) => return Ok(Reauthenticated::Throttled(wait)),
    };
    let mut tx = app.db.begin_for(verified.username()).await?;
    let Some(user) = verified.settle(&mut tx).await? else {
        return Ok(Reauthenticated::Wrong);
    };
    let token = sessions::rotate(app, &mut tx, &current.session, Methods::PASSWORD).await?;
    let record = Record::of(Event::Reauthenticate, &user).session(current.session.id);
    audit::commit(
        tx,
        app.clock.now(),
        &Actor::user(&user, device.address),
        &[record],
    )
    .await?;
    Ok(Reauthenticated::Done(token))
}
