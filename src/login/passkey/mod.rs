//! Signing in by a passkey.
//!
//! Wrong answers count against the address alone: whoever knows the id of somebody's passkey shuts nobody out, and ids that
//! nobody has fill no memory.

mod routes;

use std::time::Duration;

use super::metrics::{self, SignIn};
use super::{Browser, SignedIn, commit, enter};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::throttle::{Reservation, Reserved};
use crate::foundation::token::TokenHash;
use crate::people::notices::{self, Kind};
use crate::people::passkeys::{self, Purpose, Refused};
use crate::people::users::{self, User};
use crate::sessions::{Device, Methods, Proven};

pub(crate) use routes::malformed_passkey;
pub(super) use routes::routes;

/// What a browser answered, and which one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub answer: &'a str,
    pub visitor: &'a TokenHash,
    pub device: &'a Device,
}

/// What became of a check of an answer.
pub(crate) enum Checked {
    /// Within the transaction that acts on it.
    Right(Tx, Box<User>),
    Refused(Refused),
    Throttled(Duration),
}

/// What became of a sign-in by a passkey.
enum Outcome {
    SignedIn(Box<SignedIn>),
    Refused(Refused),
    Throttled(Duration),
}

/// Checks an answer and starts a session in place of the one that the browser has.
async fn sign_in(
    app: &App,
    answer: &str,
    visitor: &TokenHash,
    remember: bool,
    browser: &Browser<'_>,
) -> Result<Outcome, Error> {
    let given = Given {
        answer,
        visitor,
        device: &browser.device,
    };
    let outcome = try_to_sign_in(app, given, remember, browser).await;
    let counted = match &outcome {
        Ok(Outcome::SignedIn(_)) => None,
        Ok(Outcome::Refused(_)) => Some(SignIn::Refused),
        Ok(Outcome::Throttled(_)) => Some(SignIn::Throttled),
        Err(_) => Some(SignIn::Failed),
    };
    if let Some(counted) = counted {
        metrics::count(app, counted);
    }
    outcome
}

async fn try_to_sign_in(
    app: &App,
    given: Given<'_>,
    remember: bool,
    browser: &Browser<'_>,
) -> Result<Outcome, Error> {
    let (mut tx, user) = match check(app, Event::SignIn, Purpose::SignIn, given).await? {
        Checked::Right(tx, user) => (tx, user),
        Checked::Refused(refused) => return Ok(Outcome::Refused(refused)),
        Checked::Throttled(wait) => return Ok(Outcome::Throttled(wait)),
    };
    let proven = Proven {
        methods: Methods::PASSKEY,
        trusted: false,
        remember,
    };
    let signed_in = enter(app, &mut tx, *user, browser, proven).await?;
    commit(app, tx, &signed_in, browser, Vec::new()).await?;
    Ok(Outcome::SignedIn(Box::new(signed_in)))
}

/// The one path on which an answer is checked, for the sake of `event`. What is malformed or stale costs nothing and is
/// written nowhere; what is wrong is written before it is answered.
pub(crate) async fn check(
    app: &App,
    event: Event,
    purpose: Purpose,
    given: Given<'_>,
) -> Result<Checked, Error> {
    let checked = judge(app, event, purpose, given).await?;
    if purpose != Purpose::SignIn {
        let result = match &checked {
            Checked::Right(..) => SignIn::Ok,
            Checked::Refused(_) => SignIn::Refused,
            Checked::Throttled(_) => SignIn::Throttled,
        };
        metrics::count_second_step(app, "passkey", result);
    }
    Ok(checked)
}

async fn judge(
    app: &App,
    event: Event,
    purpose: Purpose,
    given: Given<'_>,
) -> Result<Checked, Error> {
    let claim = match passkeys::claim(app, given.visitor, purpose, given.answer).await? {
        Ok(claim) => claim,
        Err(refused) => return Ok(Checked::Refused(refused)),
    };
    let owner = match claim.user_id() {
        Some(id) => users::by_id(app.db.reader(), id).await?,
        None => None,
    };
    let address = given.device.address;
    let reserved = app
        .throttle
        .reserve(&app.db, app.clock.now(), None, false, address);
    let reservation = match reserved.await? {
        Reserved::Granted(reservation) => reservation,
        Reserved::Throttled { retry_after } => return Ok(Checked::Throttled(retry_after)),
    };
    let tries = Tries {
        app,
        event,
        device: given.device,
        reservation,
    };
    let (owner, proof) = match (owner, claim.verify(&app.settings)) {
        (Some(owner), Ok(proof)) => (owner, proof),
        (Some(owner), Err(refused)) => {
            let tx = app.db.begin_for(&owner.username).await?;
            return tries.refuse(tx, Some(&owner), refused).await;
        }
        // Nobody's: no user's turn to wait for.
        (None, checked) => {
            let gone = || Refused::Wrong("the passkey was deleted".to_owned());
            let refused = checked.err().unwrap_or_else(gone);
            return tries
                .refuse(app.db.begin_apart().await?, None, refused)
                .await;
        }
    };
    let mut tx = app.db.begin_for(&owner.username).await?;
    if let Err(refused) = proof.settle(&mut tx, app.clock.now()).await? {
        return tries.refuse(tx, Some(&owner), refused).await;
    }
    match users::by_name(&mut *tx, &owner.username).await? {
        Some(user) if user.id == owner.id && user.disabled_at.is_none() => {
            tries.reservation.succeeded(&mut tx).await?;
            Ok(Checked::Right(tx, Box::new(user)))
        }
        _ => {
            let disabled = Refused::Wrong("the user is disabled".to_owned());
            tries.refuse(tx, Some(&owner), disabled).await
        }
    }
}

/// One try, until it is known how it went.
struct Tries<'a> {
    app: &'a App,
    event: Event,
    device: &'a Device,
    reservation: Reservation,
}

impl Tries<'_> {
    /// Writes that an answer was refused, and why.
    async fn refuse(
        self,
        mut tx: Tx,
        owner: Option<&User>,
        refused: Refused,
    ) -> Result<Checked, Error> {
        let now = self.app.clock.now();
        let record = |event| match owner {
            Some(user) => Record::of(event, user),
            None => Record::anonymous(event),
        };
        let mut records = vec![record(self.event).refused().detail(reason(&refused))];
        if let (Refused::Copied, Some(owner)) = (&refused, owner) {
            records.push(record(Event::PasskeyCounterRegressed));
            notices::tell(self.app, &mut tx, owner.id, Kind::PasskeySuspect, None).await?;
        }
        if self.reservation.failed(&mut tx, now).await? {
            records.push(record(Event::Throttle));
        }
        let actor = Actor::visitor(self.device.address);
        audit::commit(tx, now, &actor, &records).await?;
        Ok(Checked::Refused(refused))
    }
}

/// For the audit trail.
fn reason(refused: &Refused) -> String {
    let told = match refused {
        Refused::Wrong(reason) => reason,
        Refused::Copied => "its counter has gone back",
        Refused::Unverified => "the device did not check who used it",
        Refused::Malformed => "malformed",
        Refused::Stale => "too late",
    };
    format!("passkey: {told}")
}
