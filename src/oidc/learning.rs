//! Learning: for ten minutes an admin's own session may show which address an application asks for.
//!
//! The page that refuses an address has no button: one click there would hand everybody's codes to whoever made the
//! request. What the admin's session tried is listed at the admin's page of the application, and added there by hand.

use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use super::clients::{self, Client, Refused};
use super::pages::shown_target;
use super::redirect_uri::fault_of;
use super::store;
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;
use crate::sessions::CurrentSession;

const OPEN: Duration = Duration::from_secs(600);

/// What was tried since a client was opened.
#[derive(Serialize)]
pub struct Learning {
    pub until: Timestamp,
    pub tried: Vec<Tried>,
}

/// An address that was refused, and could be added.
#[derive(Serialize)]
pub struct Tried {
    pub uri: String,
    /// With A-labels: what looks like another letter does not here.
    pub host: String,
}

impl Learning {
    /// For the test that renders every page.
    pub(crate) fn sample(tried: Vec<&str>) -> Self {
        let tried = tried.into_iter().map(|text| Tried {
            uri: text.to_owned(),
            host: text.to_owned(),
        });
        Self {
            until: Timestamp::from_micros(1_772_352_900_000_000),
            tried: tried.collect(),
        }
    }
}

/// Opens a client for the addresses that this session tries, and forgets those of before.
///
/// # Errors
/// The database failed.
pub async fn open(app: &App, actor: &Actor, client: &Client, session: Uuid) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    store::close_learning(&mut tx, &client.id, session).await?;
    store::open_learning(
        &mut tx,
        audit::new_id_at(now),
        &client.id,
        session,
        now.plus(OPEN),
    )
    .await?;
    let detail = format!("addresses of {} are learned for 10 minutes", client.name);
    let record = Record::anonymous(Event::ClientChange).detail(detail);
    audit::commit(tx, now, actor, &[record]).await
}

/// What a session has tried. `None`: it has not opened this client, or that is over.
///
/// # Errors
/// The database failed.
pub async fn of(app: &App, client_id: &str, session: Uuid) -> Result<Option<Learning>, Error> {
    let reader = app.db.reader();
    let Some(until) = store::learning(reader, client_id, session, app.clock.now()).await? else {
        return Ok(None);
    };
    let tried = store::tried(reader, client_id, session).await?.into_iter();
    let tried = tried.map(|uri| Tried {
        host: shown_target(&uri),
        uri,
    });
    Ok(Some(Learning {
        until,
        tried: tried.collect(),
    }))
}

/// Notes an address that was refused, if it is an admin's who has opened this client in this session, and could be added at all.
pub(super) async fn note(
    app: &App,
    client: &Client,
    current: Option<&CurrentSession>,
    uri: &str,
) -> Result<(), Error> {
    let Some(current) = current.filter(|current| current.user.admin) else {
        return Ok(());
    };
    let (session, now) = (current.session.id, app.clock.now());
    let opened = store::learning(app.db.reader(), &client.id, session, now).await?;
    if opened.is_none() || fault_of(uri, true, app.settings.insecure_http).is_some() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    store::put_tried(&mut tx, &client.id, session, uri, now).await?;
    Ok(tx.commit().await?)
}

/// Adds an address that this session has tried. `None`: it has not, or that is over.
///
/// # Errors
/// The database failed.
pub async fn add(
    app: &App,
    actor: &Actor,
    client_id: &str,
    session: Uuid,
    uri: &str,
) -> Result<Option<Result<Client, Refused>>, Error> {
    let learning = of(app, client_id, session).await?;
    let is_tried = |learning: Learning| learning.tried.iter().any(|tried| tried.uri == uri);
    if !learning.is_some_and(is_tried) {
        return Ok(None);
    }
    let added = |client: &mut Client| {
        client.redirect_uris.push(uri.to_owned());
        client.redirect_uris.sort();
        client.redirect_uris.dedup();
        Ok(())
    };
    clients::edit(app, actor, client_id, None, added)
        .await
        .map(Some)
}
