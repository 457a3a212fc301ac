//! What comes before a user's first factor: a code that comes by mail, or from an admin. Whoever knows the password alone sets
//! up no factor, and shuts its owner out by none.

mod pages;
mod routes;

use std::time::Duration;

use uuid::Uuid;

use super::letters::ask_for_code;
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::TokenHash;
use crate::people::links::{self, Purpose};
use crate::people::recovery_codes::RecoveryCode;
use crate::people::users::{self, Outcome, Refused};
use crate::sessions::{CurrentSession, Device};

pub use pages::EnrolmentPage;
pub use routes::routes;

/// As long as it takes to install an app.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// How long a code from an admin is good: it may be handed over tomorrow.
const HANDED_OVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether this session has to prove by a code whose it is, before a first factor is set up. Where there is no mail, nobody is
/// asked, and the first to come sets one up.
pub(super) async fn is_due(app: &App, current: &CurrentSession) -> Result<bool, Error> {
    let (user, settings) = (&current.user, &app.settings);
    if !settings.mail.is_on() || user.has_second_factor() {
        return Ok(false);
    }
    let proof = proof_of(current.session.id);
    let found = links::find(app, Purpose::Enrolling, &proof).await?;
    Ok(found.is_none())
}

/// Asks for a mail with a code, to the stored address.
async fn ask(app: &App, current: &CurrentSession, device: &Device) -> Result<(), Error> {
    let user = &current.user;
    let mut tx = app.db.begin_for(&user.username).await?;
    ask_for_code(app, &mut tx, current).await?;
    let record = Record::of(Event::EnrolmentCode, user).session(current.session.id);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, app.clock.now(), &actor, &[record]).await
}

/// Makes a code for an admin to hand over, where the user has no address, or nobody reads it. It is good in any session of the
/// user.
///
/// # Errors
/// The database failed.
pub async fn code_for(app: &App, actor: &Actor, username: &str) -> Outcome<String> {
    let mut tx = app.db.begin().await?;
    let Some(user) = users::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let code = RecoveryCode::generate();
    let (hash, purpose) = (code.hash(), Purpose::Enrol);
    links::put(
        app,
        &mut tx,
        &hash,
        purpose,
        user.id,
        ANY_SESSION,
        HANDED_OVER,
    )
    .await?;
    let record = Record::of(Event::EnrolmentCode, &user);
    audit::commit(tx, app.clock.now(), actor, &[record]).await?;
    Ok(Ok(code.written()))
}

/// In place of the session that a code is good in.
const ANY_SESSION: &str = "";

/// Takes a code, which is good in the session that asked for it, or in any if an admin made it. False: it is no good, or not any more.
async fn confirm(
    app: &App,
    current: &CurrentSession,
    code: &RecoveryCode,
    device: &Device,
) -> Result<bool, Error> {
    let (user, session) = (&current.user, current.session.id);
    let mut tx = app.db.begin_for(&user.username).await?;
    let taken = links::take_by(app, &mut tx, Purpose::Enrol, &code.hash()).await?;
    let is_own = taken.is_some_and(|code| code.user_id == user.id && is_for(&code.data, session));
    if !is_own {
        return Ok(false);
    }
    has_read(app, &mut tx, user.id, session).await?;
    let record = Record::of(Event::EnrolmentProof, user).session(session);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, app.clock.now(), &actor, &[record]).await?;
    Ok(true)
}

fn is_for(data: &str, session: Uuid) -> bool {
    data == ANY_SESSION || data == session.to_string()
}

/// Whoever is in this session reads the user's mail.
pub(super) async fn has_read(
    app: &App,
    tx: &mut Tx,
    user_id: Uuid,
    session: Uuid,
) -> Result<(), Error> {
    let (proof, purpose) = (proof_of(session), Purpose::Enrolling);
    links::end(tx, user_id, purpose).await?;
    links::put(app, tx, &proof, purpose, user_id, "", LIFETIME).await
}

/// What stands for the proof among the links: no secret, for it is looked for in a session alone.
fn proof_of(session: Uuid) -> TokenHash {
    TokenHash::of_text(&format!("enrolling in {session}"))
}
