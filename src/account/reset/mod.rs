//! A new password for who has forgotten the old one, by a link that comes by mail or from an admin.

mod pages;
mod routes;

use std::time::Duration;

use super::letters::{RESET_LIFETIME, ask_for_reset};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::foundation::throttle::{self, Reserved};
use crate::people::app_tokens;
use crate::people::links::{self, Purpose};
use crate::people::notices::{self, Kind};
use crate::people::passwords::{Hasher, Password, Weakness};
use crate::people::users::{self, Outcome, Refused, User};
use crate::sessions::{self, Device, EndReason};

pub use pages::{AskPage, ChoosePage, DonePage};
pub use routes::routes;

/// Asks for a mail. Whoever it is for, if anybody, is looked up when it is sent: the answer, and the time it takes, tell
/// nothing. `Some`: too many were asked for from this address.
pub(crate) async fn ask(
    app: &App,
    typed: &str,
    device: &Device,
) -> Result<Option<Duration>, Error> {
    let now = app.clock.now();
    // No user name has a blank in it.
    let bucket = format!("resets from {}", throttle::network(device.address));
    let reserved = app
        .throttle
        .reserve(&app.db, now, Some(&bucket), false, device.address);
    let reservation = match reserved.await? {
        Reserved::Granted(reservation) => reservation,
        Reserved::Throttled { retry_after } => return Ok(Some(retry_after)),
    };
    let mut tx = app.db.begin().await?;
    reservation.failed(&mut tx, now).await?;
    ask_for_reset(app, &mut tx, typed).await?;
    let record = Record::anonymous(Event::ResetRequest);
    audit::commit(tx, now, &Actor::visitor(device.address), &[record]).await?;
    Ok(None)
}

/// What became of choosing a password.
pub(crate) enum Chosen {
    Done,
    Weak(Weakness),
    /// The link is unknown, was used, or is too old.
    NoLink,
}

/// Who may choose a password by this link.
pub(crate) async fn whose(app: &App, token: &str) -> Result<Option<User>, Error> {
    match links::look(app, Purpose::Reset, token).await? {
        Some(link) => {
            let user = users::by_id(app.db.reader(), link.user_id).await?;
            Ok(user.filter(|user| user.disabled_at.is_none()))
        }
        None => Ok(None),
    }
}

/// Sets a password by a link, which is used up. All sessions and app tokens end, second factors stay, and nobody is signed in.
pub(crate) async fn choose(
    app: &App,
    token: &str,
    password: &Password,
    device: &Device,
) -> Result<Chosen, Error> {
    let Some(user) = whose(app, token).await? else {
        return Ok(Chosen::NoLink);
    };
    if let Err(weakness) = app.check_password(password, &user.username) {
        return Ok(Chosen::Weak(weakness));
    }
    let hash = app.state::<Hasher>().hash(password).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if links::take(app, &mut tx, Purpose::Reset, token)
        .await?
        .is_none()
    {
        return Ok(Chosen::NoLink);
    }
    let actor = Actor::visitor(device.address);
    users::store_password(&mut tx, now, &user, &hash).await?;
    sessions::end_all_of(&mut tx, now, user.id, EndReason::PasswordChanged, &actor).await?;
    app_tokens::revoke_all_of(&mut tx, now, user.id).await?;
    notices::tell(app, &mut tx, user.id, Kind::PasswordReset, None).await?;
    audit::commit(tx, now, &actor, &[Record::of(Event::PasswordReset, &user)]).await?;
    Ok(Chosen::Done)
}

/// Makes a link for an admin to hand over, where there is no mail, or nobody reads it.
///
/// # Errors
/// The database failed.
pub async fn link_for(app: &App, actor: &Actor, username: &str) -> Outcome<String> {
    let mut tx = app.db.begin().await?;
    let Some(user) = users::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let token = links::mint(app, &mut tx, Purpose::Reset, user.id, "", RESET_LIFETIME).await?;
    let now = app.clock.now();
    audit::commit(tx, now, actor, &[Record::of(Event::ResetLink, &user)]).await?;
    Ok(Ok(app.settings.link(&format!("/reset/{}", token.reveal()))))
}
