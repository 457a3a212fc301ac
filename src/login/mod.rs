//! Signing in and out, and proving once more who one is.

mod destination;
pub mod first_admin;
mod interstitial;
mod metrics;
mod pages;
mod passkey;
mod reauthentication;
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
use crate::foundation::token::Token;
use crate::people::links;
use crate::people::notices;
use crate::people::passwords::Password;
use crate::people::users::User;
use crate::sessions::{
    self, CurrentSession, Denied, Device, EndReason, LastUses, Methods, Proven, Session, device,
    trusted,
};
use crate::web::pages::PageKind;
use crate::web::{Refusal, Slice, Visit};
use destination::ContinuePage;
use pages::{ReauthenticatePage, SignInPage, SignOutPage};
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
    let routes = [
        routes::routes(),
        second_step::routes(),
        passkey::routes(),
        reauthentication::routes(),
    ]
    .concat();
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

impl<'a> Browser<'a> {
    /// Refused while nobody can say which session the browser has: that one would outlive its cookie.
    pub(crate) fn new(
        visit: &Visit,
        current: &'a Result<CurrentSession, Denied>,
        trusted: Option<Token>,
    ) -> Result<Self, Refusal> {
        let current = match current {
            Ok(current) => Some(&current.session),
            Err(Denied::Unavailable) => return Err(Refusal::unavailable()),
            Err(_) => None,
        };
        Ok(Self {
            device: visit.device(),
            current,
            trusted,
        })
    }
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
    let is_new_device = sessions::is_new_device(tx, user.id, &browser.device).await?;
    let (token, session) = sessions::start(app, tx, user.id, &browser.device, proven).await?;
    if is_new_device {
        let device = device::with_address(&browser.device);
        notices::tell_of_new_device(app, tx, user.id, session.id, &device).await?;
    }
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
