//! What an admin or operator changes about a user, and the sessions that end with it.

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::Tx;
use crate::people::notices::{self, Kind};
use crate::people::passwords::{Hasher, Password};
use crate::people::users::{self, Changes, Outcome, Refused, User};
use crate::people::{app_tokens, approvals, invitations, second_factors};
use crate::sessions::{self, EndReason};

/// Changes a user. A gained right ends the user's sessions: whoever holds one signs in again
/// before the right can be used. A lost right is gone from the next request on.
///
/// # Errors
/// The database failed.
pub async fn change(app: &App, actor: &Actor, username: &str, changes: Changes) -> Outcome<User> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let changed = match users::apply(&mut tx, username, changes).await? {
        Ok(changed) => changed,
        Err(refused) => return Ok(Err(refused)),
    };
    let user = &changed.after;
    if !user.admin {
        invitations::end_all_by(&mut tx, user.id).await?;
    }
    if changed.gained_rights() {
        sessions::end_all_of(&mut tx, now, user.id, EndReason::RightsChanged, actor).await?;
    }
    let what = changed.describe();
    if changed.concerns_its_user() {
        notices::tell(app, &mut tx, user.id, Kind::AccountChanged, Some(&what)).await?;
        if let Some(old) = changed.address_given_up() {
            notices::tell_at(app, &mut tx, user.id, old, Kind::AccountChanged, &what).await?;
        }
    }
    let record = Record::of(Event::UserChange, user).detail(what);
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(Ok(changed.after))
}

/// Bars a user from signing in, and ends all of the user's sessions at once.
///
/// # Errors
/// The database failed.
pub async fn disable(app: &App, actor: &Actor, username: &str) -> Outcome<User> {
    let mut tx = app.db.begin().await?;
    let Some(user) = users::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let now = app.clock.now();
    users::set_disabled(&mut tx, user.id, Some(now)).await?;
    if !users::any_admin(&mut *tx).await? && user.admin {
        return Ok(Err(Refused::LastAdmin));
    }
    sessions::end_all_of(&mut tx, now, user.id, EndReason::Disabled, actor).await?;
    app_tokens::revoke_all_of(&mut tx, now, user.id).await?;
    invitations::end_all_by(&mut tx, user.id).await?;
    audit::commit(tx, now, actor, &[Record::of(Event::UserDisable, &user)]).await?;
    Ok(Ok(User {
        disabled_at: Some(now),
        ..user
    }))
}

/// Lets a user sign in again; the old sessions stay ended. Whoever has waited for it since signing up is told.
///
/// # Errors
/// The database failed.
pub async fn enable(app: &App, actor: &Actor, username: &str) -> Outcome<User> {
    let mut tx = app.db.begin().await?;
    let Some(user) = users::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    users::set_disabled(&mut tx, user.id, None).await?;
    if approvals::settle(&mut tx, user.id).await? {
        notices::tell(app, &mut tx, user.id, Kind::Approved, None).await?;
    }
    audit::commit(
        tx,
        app.clock.now(),
        actor,
        &[Record::of(Event::UserEnable, &user)],
    )
    .await?;
    Ok(Ok(User {
        disabled_at: None,
        ..user
    }))
}

/// Removes a user. Audit records stay, and ended sessions are listed as long as any others.
///
/// # Errors
/// The database failed.
pub async fn delete(app: &App, actor: &Actor, username: &str) -> Outcome<User> {
    let mut tx = app.db.begin().await?;
    match users::by_name(&mut *tx, username).await? {
        Some(user) => delete_in(app, tx, actor, user).await,
        None => Ok(Err(Refused::Unknown)),
    }
}

/// The same in a transaction that has decided on it.
pub(super) async fn delete_in(app: &App, mut tx: Tx, actor: &Actor, user: User) -> Outcome<User> {
    let now = app.clock.now();
    sessions::end_all_of(&mut tx, now, user.id, EndReason::UserDeleted, actor).await?;
    sessions::keep_those_of_former(&mut tx, user.id).await?;
    users::delete(&mut tx, &user, now).await?;
    if !users::any_admin(&mut *tx).await? && user.admin {
        return Ok(Err(Refused::LastAdmin));
    }
    audit::commit(tx, now, actor, &[Record::of(Event::UserDelete, &user)]).await?;
    Ok(Ok(user))
}

/// Removes all second factors of a user who has lost them, and ends the sessions; the user is told at the next sign-in.
///
/// # Errors
/// The database failed.
pub async fn reset_factors(app: &App, actor: &Actor, username: &str) -> Outcome<User> {
    let mut tx = app.db.begin().await?;
    let Some(user) = users::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let now = app.clock.now();
    second_factors::remove_all(&mut tx, user.id).await?;
    app_tokens::revoke_all_of(&mut tx, now, user.id).await?;
    sessions::end_all_of(&mut tx, now, user.id, EndReason::FactorsReset, actor).await?;
    notices::tell(app, &mut tx, user.id, Kind::FactorsReset, None).await?;
    audit::commit(tx, now, actor, &[Record::of(Event::FactorsReset, &user)]).await?;
    Ok(Ok(User {
        has_totp: false,
        has_passkey: false,
        ..user
    }))
}

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
    let hash = app.state::<Hasher>().hash(password).await?;
    let mut tx = app.db.begin().await?;
    let Some(user) = users::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let now = app.clock.now();
    users::store_password(&mut tx, now, &user, &hash).await?;
    sessions::end_all_of(&mut tx, now, user.id, EndReason::PasswordChanged, actor).await?;
    app_tokens::revoke_all_of(&mut tx, now, user.id).await?;
    notices::tell(app, &mut tx, user.id, Kind::PasswordSet, None).await?;
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
    let hash = app.state::<Hasher>().hash(password).await?;
    let mut tx = app.db.begin().await?;
    let Some(user) = users::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let now = app.clock.now();
    users::store_password(&mut tx, now, &user, &hash).await?;
    let user = User {
        must_change_password: true,
        ..user
    };
    users::update(&mut tx, &user).await?;
    sessions::end_all_of(&mut tx, now, user.id, EndReason::PasswordChanged, actor).await?;
    app_tokens::revoke_all_of(&mut tx, now, user.id).await?;
    notices::tell(app, &mut tx, user.id, Kind::PasswordSet, None).await?;
    let record = Record::of(Event::PasswordSet, &user).detail("one-time password");
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(Ok(user))
}
