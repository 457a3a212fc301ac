//! A user's password, set by somebody else or stored for its user.

use super::{Outcome, Refused, User, store};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Connection;
use crate::foundation::error::Error;
use crate::people::passwords::{self, Password, Weakness};
use crate::sessions::{self, EndReason};

/// Sets a password without asking for the old one, and ends the user's sessions.
///
/// # Errors
/// The database failed, or the hashing queue is full.
pub async fn set_password(
    app: &App,
    actor: &Actor,
    username: &str,
    password: &Password,
) -> Outcome<User> {
    if let Err(weakness) = app.check_password(password, username) {
        return Ok(Err(Refused::Weak(weakness)));
    }
    let hash = app.passwords.hash(password).await?;
    let mut tx = app.db.begin().await?;
    let Some(user) = store::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let now = app.clock.now();
    store::set_password(&mut tx, user.id, &hash, now).await?;
    sessions::end_all_of(&mut tx, now, user.id, EndReason::PasswordChanged, actor).await?;
    audit::commit(tx, now, actor, &[Record::of(Event::PasswordSet, &user)]).await?;
    Ok(Ok(user))
}

/// Sets a password that others know, so that the user must choose another at the next sign-in.
///
/// # Errors
/// The database failed, or the hashing queue is full.
pub async fn set_one_time_password(
    app: &App,
    actor: &Actor,
    username: &str,
    password: &Password,
) -> Outcome<User> {
    let hash = app.passwords.hash(password).await?;
    let mut tx = app.db.begin().await?;
    let Some(user) = store::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let now = app.clock.now();
    store::set_password(&mut tx, user.id, &hash, now).await?;
    let user = User {
        must_change_password: true,
        ..user
    };
    store::update(&mut tx, &user).await?;
    sessions::end_all_of(&mut tx, now, user.id, EndReason::PasswordChanged, actor).await?;
    let record = Record::of(Event::PasswordSet, &user).detail("one-time password");
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(Ok(user))
}

/// Stores a password that the user chose, within a transaction of the caller's.
pub(crate) async fn store_password(
    tx: &mut Connection,
    now: Timestamp,
    user: &User,
    hash: &str,
) -> Result<(), Error> {
    store::set_password(tx, user.id, hash, now)
        .await
        .map_err(Error::from)
}

impl App {
    /// Judges a new password for `username`.
    pub(crate) fn check_password(
        &self,
        password: &Password,
        username: &str,
    ) -> Result<(), Weakness> {
        let host = self.settings.url().host_str().unwrap_or_default();
        passwords::check(
            password.reveal(),
            self.settings.passwords.min_length,
            username,
            host,
        )
    }
}
