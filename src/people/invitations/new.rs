//! What an invitation is made from, and why none is made.

use std::time::Duration;

use uuid::Uuid;

use super::{DAY, Invitation, MINUTE};
use crate::foundation::audit::Actor;
use crate::foundation::clock::Timestamp;
use crate::people::users::{self, InvalidName};

const LONGEST: Duration = Duration::from_secs(400 * DAY.as_secs());

/// More accounts than a house has rooms for.
const MOST_USES: i64 = 10_000;

/// What an invitation is made from.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Chosen by who asks, so that one wish makes one invitation.
    pub id: Uuid,
    /// An empty one is none.
    pub email: Option<String>,
    pub groups: Vec<String>,
    pub uses: i64,
    pub lifetime: Duration,
}

/// Why no invitation was made.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Invalid(InvalidName),
    Uses,
    /// Of an address there is one.
    UsesOfAddress,
    Lifetime,
    /// Its maker is no admin any more.
    NoRight,
    /// There is one of this id already.
    Again,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Uses => write!(f, "An invitation makes 1 to {MOST_USES} accounts."),
            Self::UsesOfAddress => f.write_str("An invitation to an address makes one account."),
            Self::Lifetime => f.write_str("An invitation ends after 1m to 400d, like 7d."),
            Self::NoRight => f.write_str("Only an admin invites."),
            Self::Again => f.write_str("This invitation was made already."),
        }
    }
}

impl NewInvitation {
    /// The invitation as it may be stored.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(self) -> Result<Self, Refused> {
        let email = self.email.map(|text| users::email(&text)).transpose();
        let email = email.map_err(Refused::Invalid)?.flatten();
        if !(1..=MOST_USES).contains(&self.uses) {
            return Err(Refused::Uses);
        }
        if email.is_some() && self.uses > 1 {
            return Err(Refused::UsesOfAddress);
        }
        if !(MINUTE..=LONGEST).contains(&self.lifetime) {
            return Err(Refused::Lifetime);
        }
        Ok(Self {
            groups: users::group_list(&self.groups).map_err(Refused::Invalid)?,
            email,
            ..self
        })
    }

    pub(super) fn by(self, actor: &Actor, now: Timestamp) -> Invitation {
        Invitation {
            id: self.id,
            email: self.email,
            groups: self.groups,
            uses_left: self.uses,
            created_by: actor.name().to_owned(),
            created_at: now,
            expires_at: now.plus(self.lifetime),
            sign_up: false,
        }
    }
}
