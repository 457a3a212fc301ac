//! The address of one's own account: proven by a link that is sent there, and taken back by one that is sent to the old one.

mod pages;
mod routes;

use serde_json::Value;

use super::letters::{ask_for_proof, tell_old_address};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::people::app_tokens;
use crate::people::links::{self, Purpose};
use crate::people::notices::{self, Kind};
use crate::people::users::{self, User};
use crate::sessions::{self, CurrentSession, Device, EndReason};

pub use pages::{AddressPage, LinkPage};
pub use routes::routes;

/// What became of naming an address.
pub(crate) enum Named {
    /// A mail is on its way there; until its link is opened the address stays what it was.
    Asked(String),
    Refused(String),
}

/// Sends a link to an address that a user says is theirs.
pub(crate) async fn name_address(
    app: &App,
    current: &CurrentSession,
    text: &str,
    device: &Device,
) -> Result<Named, Error> {
    let user = &current.user;
    let address = match users::email(text) {
        Ok(Some(address)) => address,
        Ok(None) => return Ok(Named::Refused("Enter an address.".to_owned())),
        Err(invalid) => return Ok(Named::Refused(invalid.to_string())),
    };
    let mut tx = app.db.begin_for(&user.username).await?;
    ask_for_proof(app, &mut tx, user, &address).await?;
    let record = Record::of(Event::AddressProof, user).session(current.session.id);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, app.clock.now(), &actor, &[record]).await?;
    Ok(Named::Asked(address))
}

/// What became of a link.
pub(crate) enum Proven {
    Done,
    /// It is unknown, was used, is too old, or is another user's.
    NoLink,
    /// Somebody else's address or name.
    Taken,
}

/// The address that a link proves, for the user who asked for it alone.
pub(crate) async fn proven_by(
    app: &App,
    user: &User,
    token: &str,
) -> Result<Option<String>, Error> {
    let link = links::look(app, Purpose::Verify, token).await?;
    Ok(link
        .filter(|link| link.user_id == user.id)
        .map(|link| link.data))
}

/// Makes the address that a link proves the user's own.
pub(crate) async fn prove(
    app: &App,
    current: &CurrentSession,
    token: &str,
    device: &Device,
) -> Result<Proven, Error> {
    let user = &current.user;
    if proven_by(app, user, token).await?.is_none() {
        return Ok(Proven::NoLink);
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let Some(link) = links::take(app, &mut tx, Purpose::Verify, token).await? else {
        return Ok(Proven::NoLink);
    };
    let address = link.data;
    if users::is_address_taken(&mut tx, &address, user.id).await? {
        return Ok(Proven::Taken);
    }
    let Some(before) = users::by_name(&mut *tx, &user.username).await? else {
        return Ok(Proven::NoLink);
    };
    let is_other = before.email.as_deref() != Some(&address);
    let after = User {
        email: Some(address.clone()),
        email_verified: true,
        ..before.clone()
    };
    users::update(&mut tx, &after).await?;
    if is_other {
        links::end(&mut tx, user.id, Purpose::Reset).await?;
        tell_old_address(app, &mut tx, &before, &address).await?;
        notices::tell(app, &mut tx, user.id, Kind::AddressChanged, Some(&address)).await?;
    }
    let record = Record::of(Event::AddressChange, user)
        .session(current.session.id)
        .detail(address.clone());
    audit::commit(tx, now, &Actor::user(user, device.address), &[record]).await?;
    Ok(Proven::Done)
}

/// Takes a change of address back: the one of before is there again, all sessions, links and trust end, and nobody is signed
/// in. False: the link is no good any more.
pub(crate) async fn undo(app: &App, token: &str, device: &Device) -> Result<bool, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let Some(link) = links::take(app, &mut tx, Purpose::Undo, token).await? else {
        return Ok(false);
    };
    let Some(user) = users::by_id_in(&mut tx, link.user_id).await? else {
        return Ok(false);
    };
    let was: Value = serde_json::from_str(&link.data)?;
    let email = was["email"].as_str().map(str::to_owned);
    let is_taken = match &email {
        Some(email) => users::is_address_taken(&mut tx, email, user.id).await?,
        None => false,
    };
    let before = User {
        email_verified: was["verified"].as_bool().unwrap_or_default() && !is_taken,
        email,
        ..user.clone()
    };
    users::update(&mut tx, &before).await?;
    links::end_all(&mut tx, user.id).await?;
    let actor = Actor::visitor(device.address);
    sessions::end_all_of(&mut tx, now, user.id, EndReason::Revoked, &actor).await?;
    app_tokens::revoke_all_of(&mut tx, now, user.id).await?;
    notices::tell(app, &mut tx, user.id, Kind::AddressRestored, None).await?;
    audit::commit(tx, now, &actor, &[Record::of(Event::AddressUndo, &user)]).await?;
    Ok(true)
}
