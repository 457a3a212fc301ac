//! What users are told of their own accounts: written in the transaction of what it tells, shown at the next sign-in.

mod kinds;
mod store;

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::audit;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::mail::{self, NewMail};

pub use kinds::Kind;
pub(crate) use kinds::text_of;

/// One notice, as pages show it.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    at: Timestamp,
    text: String,
    detail: Option<String>,
}

/// Tells a user, in the transaction of what is told; by mail, too, where there is mail.
pub(crate) async fn tell(
    app: &App,
    tx: &mut Tx,
    user_id: Uuid,
    kind: Kind,
    detail: Option<&str>,
) -> Result<(), Error> {
    let now = app.clock.now();
    let id = audit::new_id_at(now);
    store::insert(tx, id, user_id, kind.word(), detail, now).await?;
    if kind.is_optional() && store::is_muted(tx, user_id, kind.word()).await? {
        return Ok(());
    }
    let data = json!({ "kind": kind.word(), "detail": detail.unwrap_or_default() });
    mail::queue(app, tx, letter(user_id, data)).await
}

/// Tells of a sign-in on a device that its user may not know; the mail has a link that ends that very session.
pub(crate) async fn tell_of_new_device(
    app: &App,
    tx: &mut Tx,
    user_id: Uuid,
    session_id: Uuid,
    device: &str,
) -> Result<(), Error> {
    let (now, kind) = (app.clock.now(), Kind::NewDevice.word());
    let id = audit::new_id_at(now);
    store::insert(tx, id, user_id, kind, Some(device), now).await?;
    let data = json!({ "kind": kind, "detail": device, "session": session_id });
    mail::queue(app, tx, letter(user_id, data)).await
}

/// Tells by mail alone, at an address that is the user's no more.
pub(crate) async fn tell_at(
    app: &App,
    tx: &mut Tx,
    user_id: Uuid,
    address: &str,
    kind: Kind,
    detail: &str,
) -> Result<(), Error> {
    let data = json!({ "kind": kind.word(), "detail": detail });
    let mail = NewMail {
        recipient: address.to_owned(),
        ..letter(user_id, data)
    };
    mail::queue(app, tx, mail).await
}

fn letter(user_id: Uuid, data: Value) -> NewMail {
    NewMail {
        kind: "notice",
        user_id: Some(user_id),
        recipient: String::new(),
        data,
        lifetime: MAIL_LIFETIME,
    }
}

/// A kind that a user may do without, and whether it is mailed.
#[derive(Debug, Serialize)]
pub struct Choice {
    pub word: &'static str,
    pub text: &'static str,
    pub is_mailed: bool,
}

/// What a user may choose of the mails.
///
/// # Errors
/// The database failed.
pub async fn choices(app: &App, user_id: Uuid) -> Result<Vec<Choice>, Error> {
    let muted = store::muted(app.db.reader(), user_id).await?;
    let choices = Kind::optional().map(|kind| Choice {
        word: kind.word(),
        text: text_of(kind.word()),
        is_mailed: !muted.iter().any(|muted| muted == kind.word()),
    });
    Ok(choices.collect())
}

/// Mails a user these of the kinds that may be chosen, and no others of them.
///
/// # Errors
/// The database failed; it is as it was then.
pub async fn choose(app: &App, user_id: Uuid, mailed: &[&str]) -> Result<(), Error> {
    let mut tx = app.db.begin_for(user_id.as_bytes()).await?;
    store::unmute(&mut tx, user_id).await?;
    for kind in Kind::optional() {
        if !mailed.contains(&kind.word()) {
            store::mute(&mut tx, user_id, kind.word()).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// A mail that comes later than this helps nobody.
const MAIL_LIFETIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What a user has not been shown yet, the newest first; as many as a person reads.
pub(crate) async fn unseen(app: &App, user_id: Uuid) -> Result<Vec<Notice>, Error> {
    let stored = store::unseen(app.db.reader(), user_id, MOST_SHOWN).await?;
    let notices = stored.into_iter().map(|stored| Notice {
        at: stored.created_at,
        text: text_of(&stored.kind).to_owned(),
        detail: stored.detail,
    });
    Ok(notices.collect())
}

const MOST_SHOWN: i64 = 20;

/// The user has read them.
///
/// # Errors
/// The database failed; they are shown again then.
pub async fn mark_seen(app: &App, user_id: Uuid) -> Result<(), Error> {
    let mut tx = app.db.begin_for(user_id.as_bytes()).await?;
    store::mark_seen(&mut tx, user_id, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

impl Notice {
    /// For the test that renders every page.
    pub(crate) fn sample(text: &str) -> Self {
        Self {
            at: Timestamp::from_micros(0),
            text: text.to_owned(),
            detail: Some(text.to_owned()),
        }
    }
}
