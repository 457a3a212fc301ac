//! Accounts that people make by themselves: by an invitation, or by signing up.
//!
//! Where mail is sent, whoever signs up proves an address first: the mail brings a link as an invitation does. So both are
//! one way, and nobody can choose the password of an account whose address is somebody else's.

mod join;
mod pages;
mod routes;
mod way_in;

use std::time::Duration;

use super::letters::{ask_to_sign_up, invite as queue_invitation};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::foundation::throttle::{self, Reservation, Reserved};
use crate::foundation::token::Token;
use crate::people::invitations::{self, Invitation, NewInvitation};
use crate::people::users::{self, User};
use crate::sessions::Device;

pub(crate) use join::{Joined, Newcomer, granted_by, join};
pub use pages::JoinPage;
pub use routes::routes;
pub(crate) use way_in::WayIn;

/// Makes an invitation, whose link was made before, and mails it where it is to an address. `maker` is the admin with whose
/// rights it ends.
///
/// # Errors
/// The database failed.
pub async fn invite(
    app: &App,
    actor: &Actor,
    maker: Option<&User>,
    new: NewInvitation,
    link: &Token,
) -> Result<Result<Invitation, invitations::Refused>, Error> {
    let (now, lifetime) = (app.clock.now(), new.lifetime);
    let mut tx = app.db.begin().await?;
    let added = invitations::add(&mut tx, now, actor, maker, new, link).await?;
    let (invitation, record) = match added {
        Ok(added) => added,
        Err(refused) => return Ok(Err(refused)),
    };
    queue_invitation(app, &mut tx, &invitation, lifetime).await?;
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(Ok(invitation))
}

/// The address of the page that a link opens.
#[must_use]
pub fn link_to(app: &App, link: &Token) -> String {
    app.settings.link(&format!("/invitation/{}", link.reveal()))
}

/// What became of naming an address to sign up with.
pub(crate) enum Asked {
    Done,
    Throttled(Duration),
    Refused(String),
}

/// Asks for a mail with a link. Whether the address has an account is looked up when it is sent: the answer, and the time it
/// takes, tell nothing.
pub(crate) async fn ask(app: &App, typed: &str, device: &Device) -> Result<Asked, Error> {
    let address = match users::email(typed) {
        Ok(Some(address)) => address,
        Ok(None) => return Ok(Asked::Refused("Enter your address.".to_owned())),
        Err(invalid) => return Ok(Asked::Refused(invalid.to_string())),
    };
    if !app.settings.accounts.sign_up.takes(Some(&address)) {
        return Ok(Asked::Refused(
            "Addresses of that domain are not taken here.".to_owned(),
        ));
    }
    let reservation = match reserve(app, device).await? {
        Ok(reservation) => reservation,
        Err(wait) => return Ok(Asked::Throttled(wait)),
    };
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    reservation.failed(&mut tx, now).await?;
    ask_to_sign_up(app, &mut tx, &address).await?;
    let record = Record::anonymous(Event::SignUpRequest);
    audit::commit(tx, now, &Actor::visitor(device.address), &[record]).await?;
    Ok(Asked::Done)
}

/// A try for this address. `Err`: so long there is none.
async fn reserve(app: &App, device: &Device) -> Result<Result<Reservation, Duration>, Error> {
    // No user name has a blank in it.
    let bucket = format!("sign-ups from {}", throttle::network(device.address));
    let now = app.clock.now();
    let reserved = app
        .throttle
        .reserve(&app.db, now, Some(&bucket), false, device.address);
    Ok(match reserved.await? {
        Reserved::Granted(reservation) => Ok(reservation),
        Reserved::Throttled { retry_after } => Err(retry_after),
    })
}
