//! App tokens: the credentials of programs that cannot sign in as a person does.
//!
//! A token opens the sites that it names, from the networks that it names, with the rights that its owner has at that
//! moment. Its 160 random bits need no slow hash and no limit of tries.

mod look_up;
mod secret;
mod store;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;
use uuid::Uuid;

use crate::foundation::app::{App, AppBuilder};
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::people::notices::{self, Kind};
use crate::people::users::{self, User};

pub use look_up::{Presented, cached, resume};
pub use secret::{PREFIX, Secret};
pub use store::{all, of_user};

/// More are no person's programs.
pub const MOST: i64 = 50;

const LONGEST_NAME: usize = 100;

/// A token as it is stored; its secret is with the program alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppToken {
    pub id: Uuid,
    pub user_id: Uuid,
    pub username: String,
    pub name: String,
    /// Ids of the sites that it opens. None: all.
    pub sites: Option<Vec<Uuid>>,
    /// From everywhere, if there are none.
    pub networks: Vec<IpNet>,
    /// Made in a session with two factors.
    pub two_factor: bool,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub last_address: Option<String>,
    pub revoked_at: Option<Timestamp>,
}

/// What a token is made from.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Chosen by who asks, so that one wish makes one token.
    pub id: Uuid,
    pub name: String,
    pub sites: Option<Vec<Uuid>>,
    pub networks: Vec<IpNet>,
    pub two_factor: bool,
    pub expires_at: Option<Timestamp>,
}

/// Why no token was made.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    UnknownUser,
    BadName,
    NoSites,
    Past,
    TooMany,
    /// There is a token of this id already.
    Again,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownUser => f.write_str("There is no such user."),
            Self::BadName => write!(
                f,
                "A token has a name of 1 to {LONGEST_NAME} characters, for you to know it by."
            ),
            Self::NoSites => f.write_str("Say which sites the token opens."),
            Self::Past => f.write_str("The token would have ended already."),
            Self::Again => f.write_str("This token was made already."),
            Self::TooMany => write!(
                f,
                "A user has {MOST} tokens at most. Revoke one that is not used any more."
            ),
        }
    }
}

pub(super) fn setup(builder: &mut AppBuilder) {
    look_up::setup(builder);
}

/// Puts a token in force, whose secret was made before.
///
/// # Errors
/// The database failed.
pub async fn add(
    app: &App,
    actor: &Actor,
    username: &str,
    new: NewToken,
    secret: &Secret,
) -> Result<Result<AppToken, Refused>, Error> {
    let now = app.clock.now();
    let new = match new.checked(now) {
        Ok(new) => new,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut tx = app.db.begin().await?;
    let Some(user) = users::by_name(&mut *tx, username).await? else {
        return Ok(Err(Refused::UnknownUser));
    };
    let token = new.of(&user, actor, now);
    // Who sends a form twice is told so, with or without room for another.
    if store::is_known(&mut *tx, token.id).await? {
        return Ok(Err(Refused::Again));
    }
    if store::count_live(&mut *tx, user.id, now).await? >= MOST {
        return Ok(Err(Refused::TooMany));
    }
    store::insert(&mut tx, &secret.hash(), &token).await?;
    notices::tell(app, &mut tx, user.id, Kind::TokenAdded, Some(&token.name)).await?;
    let record = Record::of(Event::TokenAdd, &user).detail(token.name.clone());
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(Ok(token))
}

/// Whether [`add`] would refuse now: its secret is told before it is put in force.
///
/// # Errors
/// The database failed.
pub async fn may_be_added(
    app: &App,
    user: &User,
    new: &NewToken,
) -> Result<Result<(), Refused>, Error> {
    let now = app.clock.now();
    if let Err(refused) = new.clone().checked(now) {
        return Ok(Err(refused));
    }
    let live = store::count_live(app.db.reader(), user.id, now).await?;
    Ok(if live >= MOST {
        Err(Refused::TooMany)
    } else {
        Ok(())
    })
}

impl NewToken {
    fn checked(self, now: Timestamp) -> Result<Self, Refused> {
        let name = audit::sanitize(self.name.trim());
        if name.is_empty() || name.chars().count() > LONGEST_NAME {
            Err(Refused::BadName)
        } else if self.sites.as_ref().is_some_and(Vec::is_empty) {
            Err(Refused::NoSites)
        } else if self.expires_at.is_some_and(|end| end <= now) {
            Err(Refused::Past)
        } else {
            Ok(Self { name, ..self })
        }
    }

    fn of(self, user: &User, actor: &Actor, now: Timestamp) -> AppToken {
        AppToken {
            id: self.id,
            user_id: user.id,
            username: user.username.clone(),
            name: self.name,
            sites: self.sites,
            networks: self.networks,
            two_factor: self.two_factor,
            created_at: now,
            created_by: actor.name().to_owned(),
            expires_at: self.expires_at,
            last_used_at: None,
            last_address: None,
            revoked_at: None,
        }
    }
}

/// Revokes one token; with `of`, only if it is that user's. False: there is no such token that is not revoked.
///
/// # Errors
/// The database failed.
pub async fn revoke(app: &App, actor: &Actor, id: Uuid, of: Option<Uuid>) -> Result<bool, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let Some(revoked) = store::revoke(&mut tx, id, of, now).await? else {
        return Ok(false);
    };
    let (kind, name) = (Kind::TokenRevoked, revoked.name.as_str());
    notices::tell(app, &mut tx, revoked.user_id, kind, Some(name)).await?;
    let record = Record {
        user_id: Some(revoked.user_id),
        username: Some(revoked.username),
        ..Record::anonymous(Event::TokenRevoke).detail(revoked.name)
    };
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(true)
}

/// Revokes all tokens of a user, within the change that asks for it; says how many there were.
pub(crate) async fn revoke_all_of(
    tx: &mut Tx,
    now: Timestamp,
    user_id: Uuid,
) -> Result<u64, Error> {
    Ok(store::revoke_all(tx, Some(user_id), now).await?)
}

/// Revokes everyone's.
pub(crate) async fn revoke_everyones(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    Ok(store::revoke_all(tx, None, now).await?)
}

impl AppToken {
    /// Neither revoked nor past its end.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    #[must_use]
    pub fn opens(&self, site: Uuid) -> bool {
        self.sites
            .as_ref()
            .is_none_or(|sites| sites.contains(&site))
    }

    /// An address that is not known is in no network.
    #[must_use]
    pub fn is_good_from(&self, address: Option<IpAddr>) -> bool {
        let within = |address| {
            self.networks
                .iter()
                .any(|network| network.contains(&address))
        };
        self.networks.is_empty() || address.is_some_and(within)
    }

    /// Two factors stood behind it when it was made, and its owner still has a second one.
    #[must_use]
    pub fn is_two_factor(&self, owner: &User) -> bool {
        self.two_factor && owner.has_second_factor()
    }
}

/// When and from where a token was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Use {
    at: Timestamp,
    address: Option<IpAddr>,
}
