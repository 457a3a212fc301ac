//! One's own second factors: an authenticator app, and recovery codes.

mod pages;
mod routes;

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::foundation::token::Token;
use crate::people::notices::{self, Kind};
use crate::people::totp::{Code, Secret};
use crate::people::{recovery_codes, second_factors, totp};
use crate::sessions::{self, CurrentSession, Device, Methods};

pub use pages::{FactorsPage, RecoveryCodesPage, TotpPage};
pub use routes::routes;

/// What became of setting up an authenticator app.
pub(crate) enum Enrolled {
    /// The session goes on under this new token, proven by the app as well; with new recovery codes where there were none.
    Done {
        token: Token,
        codes: Vec<String>,
    },
    WrongCode,
}

/// Sets up an authenticator app that shows the right code of a secret which this session was offered, in place of another
/// app.
///
/// # Errors
/// The database failed; nothing was changed then.
pub(crate) async fn set_up_totp(
    app: &App,
    current: &CurrentSession,
    code: &Code,
    device: &Device,
) -> Result<Enrolled, Error> {
    let user = &current.user;
    let now = app.clock.now();
    let offered = Secret::offered(app, user, &current.token_hash).await?;
    let right = offered
        .iter()
        .find_map(|secret| Some((secret, secret.step_of(code, now)?)));
    let Some((secret, step)) = right else {
        return Ok(Enrolled::WrongCode);
    };
    let mut tx = app.db.begin_for(&user.username).await?;
    totp::confirm(app, &mut tx, user.id, secret, step).await?;
    sessions::trusted::forget_all(&mut tx, user.id).await?;
    let codes = match recovery_codes::left(&mut *tx, user.id).await? {
        0 => recovery_codes::renew(&mut tx, user.id).await?,
        _ => Vec::new(),
    };
    let token = sessions::rotate(app, &mut tx, &current.session, Methods::TOTP).await?;
    notices::tell(app, &mut tx, user.id, Kind::TotpAdded, None).await?;
    let record = Record::of(Event::TotpAdd, user).session(current.session.id);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, now, &actor, &[record]).await?;
    Ok(Enrolled::Done { token, codes })
}

/// Removes the authenticator app. False: there is none.
///
/// # Errors
/// The database failed; it is there still.
pub(crate) async fn remove_totp(
    app: &App,
    current: &CurrentSession,
    device: &Device,
) -> Result<bool, Error> {
    let (user, now) = (&current.user, app.clock.now());
    let mut tx = app.db.begin_for(&user.username).await?;
    if !totp::remove(&mut tx, user.id).await? {
        return Ok(false);
    }
    second_factors::after_removal(&mut tx, user.id).await?;
    sessions::trusted::forget_all(&mut tx, user.id).await?;
    notices::tell(app, &mut tx, user.id, Kind::TotpRemoved, None).await?;
    let record = Record::of(Event::TotpRemove, user).session(current.session.id);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, now, &actor, &[record]).await?;
    Ok(true)
}

/// Makes new recovery codes; the old ones are void. `None`: there is no second factor that they could replace.
///
/// # Errors
/// The database failed; the old ones are good still.
pub(crate) async fn renew_recovery_codes(
    app: &App,
    current: &CurrentSession,
    device: &Device,
) -> Result<Option<Vec<String>>, Error> {
    let (user, now) = (&current.user, app.clock.now());
    let mut tx = app.db.begin_for(&user.username).await?;
    if !second_factors::any(&mut tx, user.id).await? {
        return Ok(None);
    }
    let codes = recovery_codes::renew(&mut tx, user.id).await?;
    notices::tell(app, &mut tx, user.id, Kind::RecoveryCodesRenewed, None).await?;
    let record = Record::of(Event::RecoveryCodesNew, user).session(current.session.id);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, now, &actor, &[record]).await?;
    Ok(Some(codes))
}
