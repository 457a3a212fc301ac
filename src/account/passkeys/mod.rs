//! One's own passkeys: made, named, taken away.

mod routes;

use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::foundation::version::Version;
use crate::people::notices::{self, Kind};
use crate::people::passkeys::{self, NotKept, Purpose};
use crate::people::{recovery_codes, second_factors};
use crate::sessions::{self, CurrentSession, Device, Methods, device};

pub(super) use routes::{PasskeysPage, routes};

/// A passkey that was kept. The session goes on under this new token, with new recovery codes where there were none.
struct Added {
    token: Token,
    codes: Vec<String>,
}

/// Keeps the passkey that a browser has just made. The session is proven by it: nobody makes a passkey without using it, and
/// being recognised.
async fn add(
    app: &App,
    current: &CurrentSession,
    browser: &TokenHash,
    answer: &str,
    device: &Device,
) -> Result<Result<Added, NotKept>, Error> {
    let user = &current.user;
    let candidate =
        match passkeys::candidate(app, browser, Purpose::Register(user.id), answer).await? {
            Ok(candidate) => candidate,
            Err(refused) => return Ok(Err(NotKept::Refused(refused))),
        };
    let mut tx = app.db.begin_for(&user.username).await?;
    let name = device::describe(&device.user_agent);
    let passkey = match candidate.keep(app, &mut tx, user, &name).await? {
        Ok(passkey) => passkey,
        Err(refused) => return Ok(Err(refused)),
    };
    sessions::trusted::forget_all(&mut tx, user.id).await?;
    let codes = match recovery_codes::left(&mut *tx, user.id).await? {
        0 => recovery_codes::renew(&mut tx, user.id).await?,
        _ => Vec::new(),
    };
    let token = sessions::rotate(app, &mut tx, &current.session, Methods::PASSKEY).await?;
    let (now, name) = (app.clock.now(), passkey.name);
    notices::tell(app, &mut tx, user.id, Kind::PasskeyAdded, Some(&name)).await?;
    let record = Record::of(Event::PasskeyAdd, user)
        .session(current.session.id)
        .detail(name);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, now, &actor, &[record]).await?;
    Ok(Ok(Added { token, codes }))
}

/// What became of a change to one.
#[derive(Debug, PartialEq, Eq)]
enum Changed {
    Done,
    /// It is not this user's, or of nobody.
    Unknown,
    /// The form was made from another name than this, which it has now.
    Conflict(String),
    /// Its owner could not sign in without it.
    LastWayIn,
}

async fn rename(
    app: &App,
    current: &CurrentSession,
    id: Uuid,
    name: &str,
    made_from: Option<&Version>,
    device: &Device,
) -> Result<Changed, Error> {
    let user = &current.user;
    let mut tx = app.db.begin_for(&user.username).await?;
    let Some(passkey) = passkeys::find(&mut tx, user.id, id).await? else {
        return Ok(Changed::Unknown);
    };
    if Version::is_stale(made_from, &passkey.version()) {
        return Ok(Changed::Conflict(passkey.name));
    }
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
    second_factors::after_removal(&mut tx, user.id).await?;
    sessions::trusted::forget_all(&mut tx, user.id).await?;
    let (now, name) = (app.clock.now(), passkey.name);
    notices::tell(app, &mut tx, user.id, Kind::PasskeyRemoved, Some(&name)).await?;
    let record = Record::of(Event::PasskeyRemove, user)
        .session(current.session.id)
        .detail(name);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, now, &actor, &[record]).await?;
    Ok(Changed::Done)
}
