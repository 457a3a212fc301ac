//! Between the password and the session: a sign-in waits five minutes for its second step, in the browser that began it.

mod pages;
mod routes;
mod store;

use std::time::Duration;

use super::passkey::{self, Checked, Given};
use super::second_factor::{Attempt, Proof};
use super::{Browser, LoginForm, SignedIn, commit, enter};
use crate::foundation::app::App;
use crate::foundation::audit::{Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::people::notices::{self, Kind};
use crate::people::passkeys::{Purpose, Refused};
use crate::people::users::User;
use crate::sessions::{Methods, Proven, trusted};

pub use pages::CodePage;
pub use routes::routes;

const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A sign-in whose password was right.
pub(crate) struct Pending {
    pub user: User,
    pub remember: bool,
    pub rd: Option<String>,
    pub flow: Option<String>,
}

/// Remembers a sign-in whose password was right; the token is for the browser alone, and opens nothing.
pub(super) async fn begin(
    app: &App,
    tx: &mut Tx,
    user: &User,
    password_changed_at: Timestamp,
    form: &LoginForm,
) -> Result<Token, Error> {
    let token = Token::generate();
    let expires_at = app.clock.now().plus(LIFETIME);
    store::insert(
        tx,
        &token.hash(),
        user,
        password_changed_at,
        form,
        expires_at,
    )
    .await?;
    Ok(token)
}

/// The sign-in that waits in this browser. `None`: there is none, it is too old, or the user was disabled or has another
/// password by now.
pub(crate) async fn find(app: &App, token: &Token) -> Result<Option<Pending>, Error> {
    Ok(store::find(app.db.reader(), &token.hash(), app.clock.now()).await?)
}

/// What became of a second step.
pub(crate) enum Finished {
    SignedIn {
        signed_in: Box<SignedIn>,
        trusted: Option<Token>,
    },
    Wrong,
    WrongPasskey(Refused),
    Throttled(Duration),
    /// The sign-in does not wait any more.
    Gone,
}

/// Takes the second step, and starts the session.
pub(crate) async fn finish(
    app: &App,
    token: &Token,
    proof: Proof,
    trust: bool,
    browser: &Browser<'_>,
) -> Result<Finished, Error> {
    let Some(pending) = find(app, token).await? else {
        return Ok(Finished::Gone);
    };
    let user = &pending.user;
    let attempt =
        match Attempt::begin(app, Event::SecondFactor, user, proof, &browser.device).await? {
            Ok(attempt) => attempt,
            Err(wait) => return Ok(Finished::Throttled(wait)),
        };
    let mut tx = app.db.begin_for(&user.username).await?;
    // Whichever of several answers comes first has it.
    let Some(pending) = store::take(&mut tx, &token.hash(), app.clock.now()).await? else {
        drop(tx);
        attempt.release(app).await?;
        return Ok(Finished::Gone);
    };
    let Some(spent) = attempt.spend(app, &mut tx).await? else {
        drop(tx);
        attempt.failed(app).await?;
        return Ok(Finished::Wrong);
    };
    let proven = Proven {
        methods: Methods::PASSWORD.and(spent.method),
        remember: pending.remember,
        trusted: false,
    };
    let signed_in = enter(app, &mut tx, pending.user, browser, proven).await?;
    let mut records = spent.records;
    // Who came with a recovery code may have lost the device for good.
    let trusted = match trust && spent.method == Methods::TOTP {
        true => trusted::trust(app, &mut tx, &signed_in.session, &browser.device).await?,
        false => None,
    };
    if trusted.is_some() {
        let user = &signed_in.user;
        notices::tell(app, &mut tx, user.id, Kind::DeviceTrusted, None).await?;
        records.push(Record::of(Event::DeviceTrust, user));
    }
    commit(app, tx, &signed_in, browser, records).await?;
    Ok(Finished::SignedIn {
        signed_in: Box::new(signed_in),
        trusted,
    })
}

/// The same by a passkey of that user.
pub(crate) async fn finish_by_passkey(
    app: &App,
    token: &Token,
    answer: &str,
    visitor: &TokenHash,
    browser: &Browser<'_>,
) -> Result<Finished, Error> {
    let Some(pending) = find(app, token).await? else {
        return Ok(Finished::Gone);
    };
    let given = Given {
        answer,
        visitor,
        device: &browser.device,
    };
    let purpose = Purpose::SecondStep(pending.user.id);
    let mut tx = match passkey::check(app, Event::SecondFactor, purpose, given).await? {
        Checked::Right(tx, _) => tx,
        Checked::Refused(refused) => return Ok(Finished::WrongPasskey(refused)),
        Checked::Throttled(wait) => return Ok(Finished::Throttled(wait)),
    };
    let Some(pending) = store::take(&mut tx, &token.hash(), app.clock.now()).await? else {
        return Ok(Finished::Gone);
    };
    let proven = Proven {
        methods: Methods::PASSWORD.and(Methods::PASSKEY),
        remember: pending.remember,
        trusted: false,
    };
    let signed_in = enter(app, &mut tx, pending.user, browser, proven).await?;
    commit(app, tx, &signed_in, browser, Vec::new()).await?;
    Ok(Finished::SignedIn {
        signed_in: Box::new(signed_in),
        trusted: None,
    })
}

/// Removes sign-ins that nobody went on with.
pub(super) async fn sweep(app: &App) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::delete_expired(&mut tx, app.clock.now()).await?;
    Ok(tx.commit().await?)
}
