//! Changing, barring and removing a user.

use super::create::rights;
use super::{
    Changes, InvalidName, Outcome, Refused, User, group_name, name, store, text_of_person,
};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::sessions::{self, EndReason};

/// Changes a user. A gained right ends the user's sessions: whoever holds one signs in again
/// before the right can be used. A lost right is gone from the next request on.
///
/// # Errors
/// The database failed.
pub async fn change(app: &App, actor: &Actor, username: &str, changes: Changes) -> Outcome<User> {
    let changes = match checked_changes(changes) {
        Ok(changes) => changes,
        Err(invalid) => return Ok(Err(Refused::Invalid(invalid))),
    };
    let mut tx = app.db.begin().await?;
    let Some(before) = store::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let after = apply(&mut tx, before.clone(), changes).await?;
    if !store::any_admin(&mut *tx).await? && before.admin {
        return Ok(Err(Refused::LastAdmin));
    }
    let gained = (after.admin && !before.admin)
        || after
            .groups
            .iter()
            .any(|group| !before.groups.contains(group));
    if gained {
        sessions::end_all_of(
            &mut tx,
            app.clock.now(),
            after.id,
            EndReason::RightsChanged,
            actor,
        )
        .await?;
    }
    let record = Record::of(Event::UserChange, &after).detail(rights(&after));
    audit::commit(tx, app.clock.now(), actor, &[record]).await?;
    Ok(Ok(after))
}

fn checked_changes(changes: Changes) -> Result<Changes, InvalidName> {
    Ok(Changes {
        display_name: changes
            .display_name
            .map(|name| text_of_person(&name))
            .transpose()?,
        email: changes
            .email
            .map(|email| name::email(&email).map(Option::unwrap_or_default))
            .transpose()?,
        add_groups: changes
            .add_groups
            .iter()
            .map(|group| group_name(group))
            .collect::<Result<_, _>>()?,
        ..changes
    })
}

async fn apply(tx: &mut Tx, before: User, changes: Changes) -> Result<User, Error> {
    let user = User {
        display_name: changes.display_name.unwrap_or(before.display_name),
        // An empty address takes the address away.
        email: changes.email.map_or(before.email, |email| {
            Some(email).filter(|email| !email.is_empty())
        }),
        admin: changes.admin.unwrap_or(before.admin),
        must_change_password: changes
            .must_change_password
            .unwrap_or(before.must_change_password),
        ..before
    };
    store::update(tx, &user).await?;
    for group in &changes.add_groups {
        store::join(tx, user.id, group).await?;
    }
    for group in &changes.remove_groups {
        store::leave(tx, user.id, &group.to_ascii_lowercase()).await?;
    }
    Ok(User {
        groups: store::groups_of(tx, user.id).await?,
        ..user
    })
}

/// Bars a user from signing in, and ends all of the user's sessions at once.
///
/// # Errors
/// The database failed.
pub async fn disable(app: &App, actor: &Actor, username: &str) -> Outcome<User> {
    let mut tx = app.db.begin().await?;
    let Some(user) = store::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let now = app.clock.now();
    store::set_disabled(&mut tx, user.id, Some(now)).await?;
    if !store::any_admin(&mut *tx).await? && user.admin {
        return Ok(Err(Refused::LastAdmin));
    }
    sessions::end_all_of(&mut tx, now, user.id, EndReason::Disabled, actor).await?;
    audit::commit(tx, now, actor, &[Record::of(Event::UserDisable, &user)]).await?;
    Ok(Ok(User {
        disabled_at: Some(now),
        ..user
    }))
}

/// Lets a user sign in again; the old sessions stay ended.
///
/// # Errors
/// The database failed.
pub async fn enable(app: &App, actor: &Actor, username: &str) -> Outcome<User> {
    let mut tx = app.db.begin().await?;
    let Some(user) = store::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    store::set_disabled(&mut tx, user.id, None).await?;
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

/// Removes a user with all sessions; audit records stay.
///
/// # Errors
/// The database failed.
pub async fn delete(app: &App, actor: &Actor, username: &str) -> Outcome<User> {
    let mut tx = app.db.begin().await?;
    let Some(user) = store::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    store::delete(&mut tx, user.id).await?;
    if !store::any_admin(&mut *tx).await? && user.admin {
        return Ok(Err(Refused::LastAdmin));
    }
    audit::commit(
        tx,
        app.clock.now(),
        actor,
        &[Record::of(Event::UserDelete, &user)],
    )
    .await?;
    Ok(Ok(user))
}
