//! What one has here, as a file, and the end of one's own account, which comes some time after it was asked for.

mod data;
mod pages;
mod routes;
mod store;

use super::lifecycle;
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;
use crate::people::notices::{self, Kind};
use crate::people::users;
use crate::sessions::{self, CurrentSession, Device};

pub use pages::DataPage;
pub use routes::routes;

/// What became of asking.
enum Asked {
    Done,
    /// Somebody else has to be an admin first.
    LastAdmin,
}

/// When an account is going to be deleted, if its user has asked for it.
pub(crate) async fn due(app: &App, current: &CurrentSession) -> Result<Option<Timestamp>, Error> {
    Ok(store::due(app.db.reader(), current.user.id).await?)
}

/// Asks for the end of one's own account. `None`: people may not.
async fn ask(app: &App, current: &CurrentSession, device: &Device) -> Result<Option<Asked>, Error> {
    let Some(grace) = app.settings.accounts.delete_own.0 else {
        return Ok(None);
    };
    let (user, now) = (&current.user, app.clock.now());
    let mut tx = app.db.begin().await?;
    if user.admin && !users::any_other_admin(&mut tx, user.id).await? {
        return Ok(Some(Asked::LastAdmin));
    }
    let due = now.plus(grace);
    store::put(&mut tx, user.id, due).await?;
    let due = due.exact();
    notices::tell(app, &mut tx, user.id, Kind::DepartureAsked, Some(&due)).await?;
    let record = Record::of(Event::DepartureAsk, user)
        .session(current.session.id)
        .detail(due);
    audit::commit(tx, now, &Actor::user(user, device.address), &[record]).await?;
    Ok(Some(Asked::Done))
}

/// Keeps the account after all. False: it was not going to be deleted.
async fn cancel(app: &App, current: &CurrentSession, device: &Device) -> Result<bool, Error> {
    let (user, now) = (&current.user, app.clock.now());
    let mut tx = app.db.begin().await?;
    if !store::remove(&mut tx, user.id).await? {
        return Ok(false);
    }
    let record = Record::of(Event::DepartureCancel, user).session(current.session.id);
    audit::commit(tx, now, &Actor::user(user, device.address), &[record]).await?;
    Ok(true)
}

/// Deletes the accounts whose time has come. The last admin's stays until there is another.
pub(super) async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    for user_id in store::over(app.db.reader(), now).await? {
        let mut tx = app.db.begin().await?;
        // Whoever has kept the account since then keeps it.
        if !store::take(&mut tx, user_id, now).await? {
            continue;
        }
        let Some(user) = users::by_id_in(&mut tx, user_id).await? else {
            continue;
        };
        let username = user.username.clone();
        let deleted = lifecycle::delete_in(app, tx, &sessions::by_time(), user).await?;
        if let Err(refused) = deleted {
            tracing::warn!(user = %username, "has asked to be deleted and was not: {refused}");
        }
    }
    Ok(())
}
