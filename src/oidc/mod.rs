//! OpenID Connect: Vestibule as the provider of applications that sign people in through it.
//!
//! A browser comes to `authorize` and leaves with a code, which the application exchanges for tokens (`grants`). All of them
//! hang on a grant, and a grant on its session: whatever ends that ends them in the same statement.

mod authorize;
#[cfg(feature = "program")]
mod back_channel;
pub mod claim_rules;
mod claims;
mod client_auth;
pub mod clients;
mod connected;
mod discovery;
mod endpoints;
pub mod explain;
mod grants;
pub mod imported;
mod jwt;
pub mod keys;
pub mod learning;
mod metrics;
mod pages;
mod params;
mod redirect_uri;
mod routes;
mod sign_out;
mod store;
pub mod templates;
mod token_error;

use std::time::Duration;

use rocket::Route;
use serde_json::Value;
use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::people::users::User;
use crate::web::pages::PageKind;
use crate::web::{Failure, Refusal, Slice};

pub use pages::shown_target;
pub use store::Connected;

const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// What has ended is kept for so long, so that a late use is told from one that never was.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// Pages and what goes on by itself. The endpoints are the program's alone ([`routes`]).
#[must_use]
pub fn slice() -> Slice {
    let pages = vec![
        PageKind::of::<pages::ConsentPage>(),
        PageKind::of::<pages::SignOutPage>(),
        PageKind::of::<connected::ConnectedPage>(),
    ];
    Slice::new(connected::routes(), pages).with_setup(|builder| {
        builder.manage(keys::Signers::default());
        metrics::register(builder);
        builder.on_launch(|app| Box::pin(keys::make_if_clients(app)));
        builder.every_by_one(SWEEP_INTERVAL, |app| Box::pin(sweep(app)));
        #[cfg(feature = "program")]
        builder.every_by_one(back_channel::INTERVAL, |app| {
            Box::pin(back_channel::tell_all(app))
        });
        Ok(())
    })
}

/// `/oauth/…` and discovery.
#[must_use]
pub fn routes() -> Vec<Route> {
    [routes::routes(), endpoints::routes()].concat()
}

/// 404 where the provider is switched off.
fn enabled(app: &App) -> Result<(), Failure> {
    if app.settings.oidc.enabled {
        Ok(())
    } else {
        Err(Refusal::not_found().into())
    }
}

/// The name of this provider, as applications compare it letter by letter.
#[must_use]
pub fn issuer(app: &App) -> String {
    app.settings.link("")
}

/// What applications read first. `None`: the provider is switched off.
#[must_use]
pub fn metadata(app: &App) -> Option<Value> {
    let is_enabled = app.settings.oidc.enabled;
    is_enabled.then(|| discovery::document(app))
}

/// The applications that are to hear of the end of sessions and have not, though they were told more than once.
///
/// # Errors
/// The database failed.
pub async fn untold(app: &App) -> Result<Vec<String>, Error> {
    Ok(store::untold(app.db.reader(), 2).await?)
}

async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    store::sweep(&mut tx, now.minus(KEPT)).await?;
    store::delete_signing_keys(&mut tx, keys::known_since(now)).await?;
    Ok(tx.commit().await?)
}

/// The applications that a user is connected to.
///
/// # Errors
/// The database failed.
pub async fn connected(app: &App, user_id: Uuid) -> Result<Vec<Connected>, Error> {
    Ok(store::connected(app.db.reader(), user_id).await?)
}

/// Ends all that a user let an application do.
///
/// # Errors
/// The database failed.
pub async fn disconnect(
    app: &App,
    actor: &Actor,
    user: &User,
    client_id: &str,
) -> Result<bool, Error> {
    let Some(client) = clients::by_id(app, client_id).await? else {
        return Ok(false);
    };
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    store::disconnect(&mut tx, user.id, client_id, now).await?;
    let record = Record::of(Event::ApplicationDisconnect, user).detail(client.name);
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(true)
}
