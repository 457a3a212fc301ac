//! Adding a user.

use uuid::Uuid;

use super::{
    InvalidName, NewUser, Outcome, Refused, User, group_name, name, store, text_of_person, username,
};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Connection;
use crate::foundation::error::Error;
use crate::people::passwords::{HashForm, Hasher, Password};

/// Adds a user with a password.
///
/// # Errors
/// The database failed, or the hashing queue is full.
pub async fn create(app: &App, actor: &Actor, new: NewUser, password: &Password) -> Outcome<User> {
    let new = match checked(new) {
        Ok(new) => new,
        Err(invalid) => return Ok(Err(Refused::Invalid(invalid))),
    };
    if let Err(weakness) = app.check_password(password, &new.username) {
        return Ok(Err(Refused::Weak(weakness)));
    }
    let hash = app.state::<Hasher>().hash(password).await?;
    let mut tx = app.db.begin().await?;
    let Some(user) = insert(&mut tx, app.clock.now(), Uuid::now_v7(), new, Some(&hash)).await?
    else {
        return Ok(Err(Refused::Taken));
    };
    let record = Record::of(Event::UserCreate, &user).detail(rights(&user));
    audit::commit(tx, app.clock.now(), actor, &[record]).await?;
    Ok(Ok(user))
}

/// The user as [`create`] would store it, or why it would be refused; nothing is stored.
///
/// # Errors
/// The database failed.
pub async fn may_be_added(app: &App, new: NewUser) -> Outcome<NewUser> {
    let new = match checked(new) {
        Ok(new) => new,
        Err(invalid) => return Ok(Err(Refused::Invalid(invalid))),
    };
    let taken = store::by_name(app.db.reader(), &new.username).await?;
    Ok(taken.map_or(Ok(new), |_| Err(Refused::Taken)))
}

/// Adds the user within a transaction of the caller's; `None` if the name, or the id, is taken. Without a hash, there is no
/// password.
pub(crate) async fn insert(
    tx: &mut Connection,
    now: Timestamp,
    id: Uuid,
    new: NewUser,
    hash: Option<&str>,
) -> Result<Option<User>, Error> {
    insert_with(tx, now, id, new, hash.map(|hash| (hash, HashForm::Nfc))).await
}

/// The same with a hash of any form, or with none.
pub(super) async fn insert_with(
    tx: &mut Connection,
    now: Timestamp,
    id: Uuid,
    new: NewUser,
    hash: Option<(&str, HashForm)>,
) -> Result<Option<User>, Error> {
    let user = User {
        id,
        display_name: new.display_name.unwrap_or_default(),
        username: new.username,
        email: new.email,
        email_verified: false,
        groups: Vec::new(),
        admin: new.admin,
        must_change_password: new.must_change_password,
        has_totp: false,
        has_passkey: false,
        created_at: now,
        disabled_at: None,
    };
    if !store::insert(tx, &user, hash).await? {
        return Ok(None);
    }
    for group in &new.groups {
        store::join(tx, user.id, group).await?;
    }
    Ok(Some(User {
        groups: new.groups,
        ..user
    }))
}

/// Names of groups in their one spelling and order.
pub(crate) fn group_list(names: &[String]) -> Result<Vec<String>, InvalidName> {
    let groups = names.iter().map(|group| group_name(group));
    let mut groups = groups.collect::<Result<Vec<_>, _>>()?;
    groups.sort();
    groups.dedup();
    name::fits_a_header(&groups)?;
    Ok(groups)
}

/// A new user as it may be stored.
pub(crate) fn checked(new: NewUser) -> Result<NewUser, InvalidName> {
    let (new, faults) = without_faults(new);
    faults.into_iter().next().map_or(Ok(new), Err)
}

/// The same without what is not taken, and why each of that is not.
pub(super) fn without_faults(new: NewUser) -> (NewUser, Vec<InvalidName>) {
    fn or_nothing<T: Default>(result: Result<T, InvalidName>, faults: &mut Vec<InvalidName>) -> T {
        result.unwrap_or_else(|fault| {
            faults.push(fault);
            T::default()
        })
    }
    let display_name = new.display_name.map(|name| text_of_person(&name));
    let email = new.email.map(|email| name::email(&email));
    let mut faults = Vec::new();
    let new = NewUser {
        username: or_nothing(username(&new.username), &mut faults),
        display_name: or_nothing(display_name.transpose(), &mut faults),
        email: or_nothing(email.transpose(), &mut faults).flatten(),
        groups: or_nothing(group_list(&new.groups), &mut faults),
        ..new
    };
    (new, faults)
}

pub(super) fn rights(user: &User) -> String {
    let admin = if user.admin { "admin" } else { "no admin" };
    if user.groups.is_empty() {
        admin.to_owned()
    } else {
        format!("{admin}; groups {}", user.groups.join(", "))
    }
}
