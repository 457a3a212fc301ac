//! Adding, changing and removing a client.

use super::{Client, Refused};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::version::Version;
use crate::oidc::{keys, store};

/// What is wrong with a client, as far as it can be told without the database.
#[must_use]
pub fn check(app: &App, client: &Client) -> Option<Refused> {
    faults(app, client).into_iter().next()
}

/// All of it.
pub(in crate::oidc) fn faults(app: &App, client: &Client) -> Vec<Refused> {
    client.faults(app.settings.insecure_http)
}

/// Adds a client, and makes the keys that id_tokens are signed with if it is the first.
///
/// # Errors
/// The database failed, or the key of the secrets is missing.
pub async fn add(app: &App, actor: &Actor, client: &Client) -> Result<Result<(), Refused>, Error> {
    if let Some(refused) = check(app, client) {
        return Ok(Err(refused));
    }
    keys::make_if_missing(app).await?;
    let client = Client {
        created_at: app.clock.now(),
        ..client.clone()
    };
    let mut tx = app.db.begin().await?;
    if is_taken(&store::clients(&mut *tx).await?, &client) {
        return Ok(Err(Refused::Taken));
    }
    put(app, tx, actor, Event::ClientAdd, &client).await?;
    Ok(Ok(()))
}

/// Changes a client to be as given.
///
/// # Errors
/// The database failed.
pub async fn change(
    app: &App,
    actor: &Actor,
    client: &Client,
) -> Result<Result<Client, Refused>, Error> {
    let make = |stored: &mut Client| {
        stored.clone_from(client);
        Ok(())
    };
    edit(app, actor, &client.id, None, make).await
}

/// Makes of a client as it is stored what is wanted, or says what is wrong with that. A form is `made_from` a version.
///
/// # Errors
/// The database failed.
pub async fn edit(
    app: &App,
    actor: &Actor,
    id: &str,
    made_from: Option<&Version>,
    make: impl FnOnce(&mut Client) -> Result<(), String>,
) -> Result<Result<Client, Refused>, Error> {
    let mut tx = app.db.begin().await?;
    let all = store::clients(&mut *tx).await?;
    let Some(before) = all.iter().find(|client| client.id == id) else {
        return Ok(Err(Refused::Unknown));
    };
    let mut client = before.clone();
    if let Err(malformed) = make(&mut client) {
        return Ok(Err(Refused::Malformed(malformed)));
    }
    if let Some(refused) = check(app, &client) {
        return Ok(Err(refused));
    }
    if is_taken(&all, &client) {
        return Ok(Err(Refused::Taken));
    }
    // A save that was sent twice, or that somebody else made too, is none.
    if Version::is_stale(made_from, &before.version()) && client != *before {
        return Ok(Err(Refused::Conflict(Box::new(before.clone()))));
    }
    put(app, tx, actor, Event::ClientChange, &client).await?;
    Ok(Ok(client))
}

fn is_taken(all: &[Client], client: &Client) -> bool {
    let mut others = all.iter().filter(|other| other.id != client.id);
    others.any(|other| other.name.eq_ignore_ascii_case(&client.name))
}

async fn put(
    app: &App,
    mut tx: Tx,
    actor: &Actor,
    event: Event,
    client: &Client,
) -> Result<(), Error> {
    store::put_client(&mut tx, client).await?;
    let record = Record::anonymous(event).detail(client.name.clone());
    audit::commit(tx, app.clock.now(), actor, &[record]).await
}

/// Removes a client with all that it was given.
///
/// # Errors
/// The database failed.
pub async fn remove(app: &App, actor: &Actor, client: &Client) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::delete_client(&mut tx, &client.id).await?;
    let record = Record::anonymous(Event::ClientRemove).detail(client.name.clone());
    audit::commit(tx, app.clock.now(), actor, &[record]).await
}
