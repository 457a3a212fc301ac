//! Trusted devices: browsers that are not asked for the second step, for the time of `second_factor.trust_device`.
//!
//! Trust spares the step and proves nothing. It hangs on the session in which it was given, and ends when that is revoked,
//! and with whatever changes how its user signs in.

mod store;

use serde::Serialize;
use uuid::Uuid;

use super::{Device, Session, device};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::Token;
use crate::people::users::User;

pub(crate) use store::forget_all;
pub(super) use store::{forget_of_revoked, forget_others};

/// One of them, as its user sees it.
#[derive(Clone, Debug, Serialize)]
pub struct TrustedDevice {
    id: Uuid,
    device: String,
    address: String,
    created_at: Timestamp,
    last_used_at: Timestamp,
    expires_at: Timestamp,
}

/// Trusts the browser of this session, if the settings allow it. The token is for the browser alone.
pub(crate) async fn trust(
    app: &App,
    tx: &mut Tx,
    session: &Session,
    device: &Device,
) -> Result<Option<Token>, Error> {
    let Some(span) = app.settings.second_factor.trust_device.0 else {
        return Ok(None);
    };
    let now = app.clock.now();
    let token = Token::generate();
    let trusted = TrustedDevice {
        id: audit::new_id_at(now),
        device: device::describe(&audit::sanitize(&device.user_agent)),
        address: device.address.to_canonical().to_string(),
        created_at: now,
        last_used_at: now,
        expires_at: now.plus(span),
    };
    store::insert(tx, &token.hash(), &trusted, session).await?;
    Ok(Some(token))
}

/// Whether this user's browser is trusted now; notes its use.
pub(crate) async fn is_trusted(
    app: &App,
    tx: &mut Tx,
    user_id: Uuid,
    token: Option<&Token>,
) -> Result<bool, Error> {
    match token {
        Some(token) if app.settings.second_factor.trust_device.0.is_some() => {
            Ok(store::use_of(tx, &token.hash(), user_id, app.clock.now()).await?)
        }
        _ => Ok(false),
    }
}

/// A user's own, the newest first.
///
/// # Errors
/// The database failed.
pub async fn list(app: &App, user_id: Uuid) -> Result<Vec<TrustedDevice>, Error> {
    Ok(store::list(app.db.reader(), user_id, app.clock.now()).await?)
}

/// Trusts a browser no longer; false if it is none of this user's.
///
/// # Errors
/// The database failed; it is trusted still.
pub async fn distrust(app: &App, actor: &Actor, user: &User, id: Uuid) -> Result<bool, Error> {
    let mut tx = app.db.begin_for(&user.username).await?;
    let Some(device) = store::forget(&mut tx, user.id, id).await? else {
        return Ok(false);
    };
    let record = Record::of(Event::DeviceDistrust, user).detail(device);
    audit::commit(tx, app.clock.now(), actor, &[record]).await?;
    Ok(true)
}

/// Removes what has ended by time.
pub(super) async fn sweep(app: &App) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::forget_expired(&mut tx, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

impl TrustedDevice {
    /// For the test that renders every page.
    pub(crate) fn sample(text: &str) -> Self {
        let at = Timestamp::from_micros(0);
        Self {
            id: Uuid::nil(),
            device: text.to_owned(),
            address: text.to_owned(),
            created_at: at,
            last_used_at: at,
            expires_at: at,
        }
    }
}
