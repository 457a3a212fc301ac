//! One's own passkeys: made, named, taken away.

mod routes;

use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::people::passkeys::{self, NotKept};
use crate::sessions::{self, CurrentSession, Device, Methods, device};

pub(super) use routes::{PasskeysPage, routes};

/// Keeps the passkey that a browser has just made. The session goes on under a new token, proven by it: nobody makes a
/// passkey without using it, and being recognised.
async fn add(
    app: &App,
    current: &CurrentSession,
    browser: &TokenHash,
    answer: &str,
    device: &Device,
) -> Result<Result<Token, NotKept>, Error> {
    let user = &current.user;
    let candidate = match passkeys::candidate(app, browser, user, answer).await? {
        Ok(candidate) => candidate,
        Err(refused) => return Ok(Err(NotKept::Refused(refused))),
    };
    let mut tx = app.db.begin_for(&user.username).await?;
    let name = device::describe(&device.user_agent);
    let passkey = match candidate.keep(app, &mut tx, user, &name).await? {
        Ok(passkey) => passkey,
        Err(refused) => return Ok(Err(refused)),
    };
    let token = sessions::rotate(app, &mut tx, &current.session, Methods::PASSKEY).await?;
    let record = Record::of(Event::PasskeyAdd, user)
        .session(current.session.id)
        .detail(passkey.name);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, app.clock.now(), &actor, &[record]).await?;
    Ok(Ok(token))
}

/// What became of a change to one.
#[derive(Debug, PartialEq, Eq)]
enum Changed {
    Done,
    /// It is not this user's, or of nobody.
    Unknown,
    /// Its owner could not sign in without it.
    LastWayIn,
}

async fn rename(
    app: &App,
    current: &CurrentSession,
    id: Uuid,
    name: &str,
    device: &Device,
) -> Result<Changed, Error> {
    let user = &current.user;
    let mut tx = app.db.begin_for(&user.username).await?;
    let Some(passkey) = passkeys::find(&mut tx, user.id, id).await? else {
        return Ok(Changed::Unknown);
    };
    passkeys::rename(&mut tx, &passkey, name).await?;
    let record = Record::of(Event::PasskeyRename, user)
        .session(current.session.id)
        .detail(format!("{} is now {name}", passkey.name));
    let actor = Actor::user(user, device.address);
    audit::commit(tx, app.clock.now(), &actor, &[record]).await?;
    Ok(Changed::Done)
}

async fn delete(
    app: &App,
    current: &CurrentSession,
    id: Uuid,
    device: &Device,
) -> Result<Changed, Error> {
    let user = &current.user;
    let mut tx = app.db.begin_for(&user.username).await?;
    let Some(passkey) = passkeys::find(&mut tx, user.id, id).await? else {
        return Ok(Changed::Unknown);
    };
    if !passkeys::delete(&mut tx, &app.settings, &passkey).await? {
        return Ok(Changed::LastWayIn);
    }
    let record = Record::of(Event::PasskeyRemove, user)
        .session(current.session.id)
        .detail(passkey.name);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, app.clock.now(), &actor, &[record]).await?;
    Ok(Changed::Done)
}
