//! Users: who may sign in, and what they may.

mod name;
mod store;

use serde::Serialize;
use uuid::Uuid;

use crate::app::App;
use crate::audit::{self, Actor, Event, Record};
use crate::clock::Timestamp;
use crate::db::{Connection, Tx};
use crate::error::Error;
use crate::passwords::{self, Password, Weakness};
use crate::sessions::{self, EndReason};

pub use name::{InvalidName, group_name, text_of_person, username};
pub use store::{Listed, by_id, by_name, count, list};
pub(crate) use store::{
    any_admin, by_unchanged_password, like_pattern, matching, rehash, secret_by_name,
};

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    pub id: Uuid,
    /// 1 to 64 of `a-z 0-9 . _ - @`.
    pub username: String,
    /// What pages and applications call the person; may be empty.
    pub display_name: String,
    pub email: Option<String>,
    pub groups: Vec<String>,
    pub admin: bool,
    /// Set for a password that others may know: the next sign-in must choose another.
    pub must_change_password: bool,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

impl User {
    /// The display name, or the user name of a person who has none.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        if self.display_name.is_empty() {
            &self.username
        } else {
            &self.display_name
        }
    }
}

/// What a new user is made from.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    pub username: String,
    pub display_name: Option<String>,
    pub email: Option<String>,
    pub admin: bool,
    pub groups: Vec<String>,
    /// For a password that others know.
    pub must_change_password: bool,
}

/// What is to change about a user; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub display_name: Option<String>,
    pub email: Option<String>,
    pub admin: Option<bool>,
    pub must_change_password: Option<bool>,
    pub add_groups: Vec<String>,
    pub remove_groups: Vec<String>,
}

/// Why a change to users was refused. Nothing was changed then.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Unknown,
    Taken,
    Invalid(InvalidName),
    Weak(Weakness),
    LastAdmin,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("There is no such user."),
            Self::Taken => f.write_str("That user name is taken."),
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Weak(weakness) => weakness.fmt(f),
            Self::LastAdmin => f.write_str(
                "This is the last admin who can sign in. Make another user an admin first.",
            ),
        }
    }
}

/// An expected refusal, apart from what broke.
pub type Outcome<T> = Result<Result<T, Refused>, Error>;

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
    let hash = app.passwords.hash(password).await?;
    let mut tx = app.db.begin().await?;
    let Some(user) = insert(&mut tx, app.clock.now(), new, &hash).await? else {
        return Ok(Err(Refused::Taken));
    };
    let record = Record::of(Event::UserCreate, &user).detail(rights(&user));
    audit::commit(tx, app.clock.now(), actor, &[record]).await?;
    Ok(Ok(user))
}

/// Adds the user within a transaction of the caller's; `None` if the name is taken.
pub(crate) async fn insert(
    tx: &mut Connection,
    now: Timestamp,
    new: NewUser,
    hash: &str,
) -> Result<Option<User>, Error> {
    let user = User {
        id: Uuid::now_v7(),
        display_name: new.display_name.unwrap_or_default(),
        username: new.username,
        email: new.email,
        groups: Vec::new(),
        admin: new.admin,
        must_change_password: new.must_change_password,
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

/// A new user as it may be stored.
pub(crate) fn checked(new: NewUser) -> Result<NewUser, InvalidName> {
    let mut groups = new
        .groups
        .iter()
        .map(|group| group_name(group))
        .collect::<Result<Vec<_>, _>>()?;
    groups.sort();
    groups.dedup();
    Ok(NewUser {
        username: username(&new.username)?,
        display_name: new
            .display_name
            .map(|name| text_of_person(&name))
            .transpose()?,
        email: new
            .email
            .map(|email| name::email(&email))
            .transpose()?
            .flatten(),
        groups,
        ..new
    })
}

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

/// A page of users by name, after the name `after`, whose name, display name or mail address has `q`
/// in it.
///
/// # Errors
/// The database failed.
pub async fn search(app: &App, q: &str, after: &str, limit: u32) -> Result<Vec<Listed>, Error> {
    Ok(store::search(app.db.reader(), q, after, limit, app.clock.now()).await?)
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

fn rights(user: &User) -> String {
    let admin = if user.admin { "admin" } else { "no admin" };
    if user.groups.is_empty() {
        admin.to_owned()
    } else {
        format!("{admin}; groups {}", user.groups.join(", "))
    }
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

impl User {
    /// For the test that renders every page.
    pub(crate) fn sample(text: &str) -> Self {
        Self {
            id: Uuid::nil(),
            username: text.to_owned(),
            display_name: text.to_owned(),
            email: Some(text.to_owned()),
            groups: vec![text.to_owned()],
            admin: true,
            must_change_password: false,
            created_at: Timestamp(0),
            disabled_at: None,
        }
    }
}
