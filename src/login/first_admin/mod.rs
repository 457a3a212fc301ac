//! The first admin: made once, by whoever holds the code that the server printed.

pub mod code;
mod routes;
mod store;

use std::time::Duration;

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::foundation::throttle::Reserved;
use crate::foundation::token::Token;
use crate::people::passwords::{Hasher, Password};
use crate::people::users::{self, NewUser, Refused};
use crate::sessions::{self, Device, Proven};
use crate::web::Slice;
use crate::web::pages::PageKind;
use routes::SetupPage;

#[must_use]
pub fn slice() -> Slice {
    Slice::new(routes::routes(), vec![PageKind::of::<SetupPage>()]).with_setup(|builder| {
        builder.on_launch(|app| Box::pin(code::announce(app)));
        Ok(())
    })
}

/// What the set-up form holds.
#[derive(Debug)]
pub struct FirstAdmin {
    pub code: String,
    pub username: String,
    pub password: Password,
}

/// What became of a set-up.
#[derive(Debug)]
pub enum Outcome {
    /// The user is signed in; the token is for the browser alone.
    Made(Token),
    /// There is an admin already.
    Done,
    WrongCode,
    Throttled(Duration),
    Refused(Refused),
}

/// Whether there is a first admin to be made.
///
/// # Errors
/// The database failed.
pub async fn is_open(app: &App) -> Result<bool, Error> {
    Ok(!users::any_admin(app.db.reader()).await?)
}

/// Makes the first admin, and signs that user in on the device that asked.
///
/// The code is spent in the transaction that finds no admin, so that two at once make one.
///
/// # Errors
/// The database failed, or the hashing queue is full; the code is still good then.
pub async fn make_first_admin(
    app: &App,
    form: FirstAdmin,
    device: &Device,
) -> Result<Outcome, Error> {
    let now = app.clock.now();
    if !is_open(app).await? {
        return Ok(Outcome::Done);
    }
    let reservation = match app
        .throttle
        .reserve(&app.db, now, None, false, device.address)
        .await?
    {
        Reserved::Granted(reservation) => reservation,
        Reserved::Throttled { retry_after } => return Ok(Outcome::Throttled(retry_after)),
    };
    if !code::is_good(app, &form.code).await? {
        let mut tx = app.db.begin().await?;
        reservation.failed(&mut tx, now).await?;
        let record = Record::anonymous(Event::Setup).refused();
        audit::commit(tx, now, &Actor::visitor(device.address), &[record]).await?;
        return Ok(Outcome::WrongCode);
    }
    // What is wrong from here on is no guess.
    reservation.release(&app.db).await?;
    let new = NewUser {
        username: form.username,
        admin: true,
        ..NewUser::default()
    };
    let new = match users::checked(new) {
        Ok(new) => new,
        Err(invalid) => return Ok(Outcome::Refused(Refused::Invalid(invalid))),
    };
    if let Err(weakness) = app.check_password(&form.password, &new.username) {
        return Ok(Outcome::Refused(Refused::Weak(weakness)));
    }
    let hash = app.state::<Hasher>().hash(&form.password).await?;
    let mut tx = app.db.begin().await?;
    if users::any_admin(&mut *tx).await? {
        return Ok(Outcome::Done);
    }
    let Some(user) = users::insert(&mut tx, now, uuid::Uuid::now_v7(), new, Some(&hash)).await?
    else {
        return Ok(Outcome::Refused(Refused::Taken));
    };
    let (token, session) =
        sessions::start(app, &mut tx, user.id, device, Proven::BY_PASSWORD).await?;
    let record = Record::of(Event::Setup, &user).session(session.id);
    store::delete_code(&mut tx).await?;
    audit::commit(tx, now, &Actor::user(&user, device.address), &[record]).await?;
    Ok(Outcome::Made(token))
}
