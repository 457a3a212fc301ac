//! What comes before a user's first factor: a code that comes by mail. Whoever knows the password
//! alone sets up no factor, and shuts its owner out by none.

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
use crate::sessions::{CurrentSession, Device};

pub use pages::EnrolmentPage;
pub use routes::routes;

/// As long as it takes to install an app.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Whether this session has to prove by a mailed code that its user reads the mail, before a first factor is set up.
pub(super) async fn is_due(app: &App, current: &CurrentSession) -> Result<bool, Error> {
    let (user, settings) = (&current.user, &app.settings);
    let is_asked = settings.mail.is_on() && user.email_verified && !user.has_second_factor();
    if !is_asked {
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

/// Takes a code, which is good in the session that asked for it. False: it is no good, or not any more.
async fn confirm(
    app: &App,
    current: &CurrentSession,
    code: &RecoveryCode,
    device: &Device,
) -> Result<bool, Error> {
    let (user, session) = (&current.user, current.session.id);
    let mut tx = app.db.begin_for(&user.username).await?;
    let taken = links::take_by(app, &mut tx, Purpose::Enrol, &code.hash()).await?;
    let is_own =
        taken.is_some_and(|code| code.user_id == user.id && code.data == session.to_string());
    if !is_own {
        return Ok(false);
    }
    has_read(app, &mut tx, user.id, session).await?;
    let record = Record::of(Event::EnrolmentProof, user).session(session);
    let actor = Actor::user(user, device.address);
    audit::commit(tx, app.clock.now(), &actor, &[record]).await?;
    Ok(true)
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
