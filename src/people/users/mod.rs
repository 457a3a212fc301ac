//! Users: who may sign in, and what they may.

mod change;
mod chosen;
mod create;
mod import;
mod name;
mod password;
mod store;

use std::collections::HashMap;
use std::net::IpAddr;

use serde::Serialize;
use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Key, Row};
use crate::foundation::error::Error;
use crate::foundation::person::Person;
use crate::foundation::settings::Required;
use crate::foundation::throttle;
use crate::foundation::version::Version;
use crate::people::passwords::Weakness;

pub use change::Changed;
pub(crate) use change::apply;
pub(crate) use chosen::may_be_chosen;
pub(crate) use create::{checked, group_list, insert};
pub use create::{create, may_be_added};
pub use import::{Added, Entry, Fault, Imported, LINK_LIFETIME, import};
pub(crate) use name::email;
pub use name::{InvalidName, canonical_name, group_name, text_of_person, username};
pub(crate) use password::store_password;
pub use store::{
    Former, Listed, audit_subject, by_id, by_name, count, former_by_id, former_by_name, list,
    some_groups, some_usernames,
};
pub(crate) use store::{
    Secret, StoredHash, any_admin, any_other_admin, by_id_in, by_unchanged_password,
    by_verified_address, count_candidates, delete, foreign_hashes, kinds_of_hashes, like_pattern,
    push_candidates, push_match, rehash, secret_by_name, set_disabled, update, user_columns,
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
    /// Its user has followed a link that was sent there, or an admin knows it.
    pub email_verified: bool,
    pub groups: Vec<String>,
    pub admin: bool,
    /// Set for a password that others may know: the next sign-in must choose another.
    pub must_change_password: bool,
    /// An authenticator app is set up.
    pub has_totp: bool,
    pub has_passkey: bool,
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

    /// Whether a password alone is not all that this user proves at a sign-in.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        self.has_totp || self.has_passkey
    }

    /// Whether the settings ask for a second factor of this user.
    #[must_use]
    pub fn needs_second_factor(&self, required: &Required) -> bool {
        match required {
            Required::None => false,
            Required::Admins => self.admin,
            Required::All => true,
            Required::Group(group) => self.groups.contains(group),
        }
    }

    /// Of what [`Changes`] of an admin's form change.
    #[must_use]
    pub fn version(&self) -> Version {
        let admin = self.admin.to_string();
        let email = self.email.as_deref().unwrap_or_default();
        let fields = [self.display_name.as_str(), email, &admin];
        Version::of(
            fields
                .into_iter()
                .chain(self.groups.iter().map(String::as_str)),
        )
    }
}

impl Row for User {
    fn key(&self) -> Key {
        Key::Id(self.id)
    }
}

impl Person for User {
    fn id(&self) -> Uuid {
        self.id
    }

    fn username(&self) -> &str {
        &self.username
    }

    fn shown_name(&self) -> &str {
        self.shown_name()
    }

    fn is_admin(&self) -> bool {
        self.admin
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
    /// An admin knows whether the address is the user's own. Another address is not known to be.
    pub email_verified: Option<bool>,
    /// Exactly these, whatever the next two say.
    pub groups: Option<Vec<String>>,
    pub add_groups: Vec<String>,
    pub remove_groups: Vec<String>,
    /// What the form showed; see [`Version::is_stale`].
    pub made_from: Option<Version>,
}

/// Why a change to users was refused. Nothing was changed then.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Unknown,
    Taken,
    /// The address is another user's, or another user's name.
    AddressTaken,
    Invalid(InvalidName),
    Weak(Weakness),
    LastAdmin,
    /// The form was made from something older than this, which stands now.
    Conflict(Box<User>),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("There is no such user."),
            Self::Taken => f.write_str("That user name is taken."),
            Self::AddressTaken => f.write_str(
                "That address is another user's confirmed address, or another user's name.",
            ),
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Weak(weakness) => weakness.fmt(f),
            Self::LastAdmin => f.write_str(
                "This is the last admin who can sign in. Make another user an admin first.",
            ),
            Self::Conflict(now) => write!(f, "{} was changed meanwhile.", now.username),
        }
    }
}

/// An expected refusal, apart from what broke.
pub type Outcome<T> = Result<Result<T, Refused>, Error>;

/// All users by name, each with the hash of the password.
///
/// # Errors
/// The database failed.
pub(crate) async fn with_hashes(app: &App) -> Result<Vec<(User, StoredHash)>, Error> {
    let hashes = store::hashes(app.db.reader()).await?;
    let by_name = |hash: StoredHash| (hash.username.clone(), hash);
    let mut hashes: HashMap<_, _> = hashes.into_iter().map(by_name).collect();
    let users = store::list(app.db.reader()).await?;
    // One that was added just now is in the next copy.
    let pairs = users.into_iter().filter_map(|user| {
        let hash = hashes.remove(&user.username)?;
        Some((user, hash))
    });
    Ok(pairs.collect())
}

/// Whether a user has a session at this address, or at one that counts as the same.
///
/// # Errors
/// The database failed.
pub(crate) async fn is_known_at(app: &App, username: &str, address: IpAddr) -> Result<bool, Error> {
    let known = store::addresses_by_name(app.db.reader(), username).await?;
    Ok(known.iter().any(|known| throttle::is_one(known, address)))
}

/// The user whom somebody means who has typed a name or an address. Names go first; of addresses the verified ones count,
/// for of those each is one user's.
///
/// # Errors
/// The database failed.
pub(crate) async fn by_name_or_address(app: &App, typed: &str) -> Result<Option<User>, Error> {
    let typed = canonical_name(typed);
    let by_name = store::by_name(app.db.reader(), &typed).await?;
    if by_name.is_some() || !typed.contains('@') {
        return Ok(by_name);
    }
    Ok(store::by_verified_address(app.db.reader(), &typed).await?)
}

/// Whether an address is another user's verified one, or another user's name.
///
/// # Errors
/// The database failed.
pub(crate) async fn is_address_taken(
    tx: &mut Connection,
    address: &str,
    but_of: Uuid,
) -> Result<bool, Error> {
    let address = canonical_name(address);
    let by_address = store::by_verified_address(&mut *tx, &address).await?;
    let by_name = store::by_name(&mut *tx, &address).await?;
    let others = [by_address, by_name].into_iter().flatten();
    Ok(others.into_iter().any(|user| user.id != but_of))
}

/// A page of users by name, after the name `after`, whose name, display name or mail address has `q`
/// in it; one or two characters at its beginning.
///
/// # Errors
/// The database failed.
pub async fn search(app: &App, q: &str, after: &str, limit: u32) -> Result<Vec<Listed>, Error> {
    Ok(store::search(app.db.reader(), q, after, limit, app.clock.now()).await?)
}

impl User {
    /// For the test that renders every page.
    pub(crate) fn sample(text: &str) -> Self {
        Self {
            id: Uuid::nil(),
            username: text.to_owned(),
            display_name: text.to_owned(),
            email: Some(text.to_owned()),
            email_verified: true,
            groups: vec![text.to_owned()],
            admin: true,
            must_change_password: false,
            has_totp: true,
            has_passkey: true,
            created_at: Timestamp(0),
            disabled_at: None,
        }
    }
}

impl Former {
    /// For the test that renders every page; none for an empty name.
    pub(crate) fn samples(text: &str) -> Vec<Self> {
        let former = Self {
            id: Uuid::nil(),
            username: text.to_owned(),
            deleted_at: Timestamp(0),
        };
        vec![former; usize::from(!text.is_empty())]
    }
}
