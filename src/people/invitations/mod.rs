//! Invitations: who may make an account without an admin at hand, with which groups, how often and until when.
//!
//! An invitation has links: one that is handed over, and those that are mailed. Only the latter prove its address.

mod new;
mod store;

use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use super::users::{self, User};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::Token;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub use new::{NewInvitation, Refused};

/// How long one is good for, unless somebody says otherwise.
pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long the link is good that a visitor asked for.
pub(crate) const SIGN_UP_LIFETIME: Duration = DAY;

/// One that is good still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invitation {
    pub id: Uuid,
    pub email: Option<String>,
    pub groups: Vec<String>,
    pub uses_left: i64,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// Nobody was invited: a visitor asked for it.
    #[serde(skip)]
    pub sign_up: bool,
}

/// What a link gives to whoever makes an account by it.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub invitation: Invitation,
    /// This very link was mailed to the address.
    pub mailed: bool,
}

impl Invitation {
    /// For the audit trail.
    fn describe(&self) -> String {
        let to = self.email.as_deref().unwrap_or("whoever has the link");
        let (id, groups, end) = (self.id, self.group_names(), self.expires_at);
        format!(
            "{id}: for {to}; {groups}; accounts: {}; until {end}",
            self.uses_left
        )
    }

    fn group_names(&self) -> String {
        if self.groups.is_empty() {
            "no groups".to_owned()
        } else {
            format!("groups {}", self.groups.join(", "))
        }
    }
}

impl Granted {
    /// The address that is proven by whoever has come by this link.
    pub(crate) fn proven(&self) -> Option<&str> {
        let email = self.invitation.email.as_deref();
        email.filter(|_| self.mailed)
    }

    /// For the audit trail.
    pub(crate) fn describe(&self) -> String {
        let Invitation { id, created_by, .. } = &self.invitation;
        let groups = self.invitation.group_names();
        format!("invitation {id} by {created_by}; {groups}")
    }
}

/// Puts an invitation in force within a transaction of the caller's, with a link that was made before. `maker` is the admin
/// with whose rights it ends; the command line is nobody.
pub(crate) async fn add(
    tx: &mut Tx,
    now: Timestamp,
    actor: &Actor,
    maker: Option<&User>,
    new: NewInvitation,
    link: &Token,
) -> Result<Result<(Invitation, Record), Refused>, Error> {
    let invitation = match new.checked() {
        Ok(new) => new.by(actor, now),
        Err(refused) => return Ok(Err(refused)),
    };
    let maker = maker.map(|maker| maker.id);
    // The right may have gone since the request began, and other invitations with it.
    if let Some(maker) = maker {
        let user = users::by_id_in(tx, maker).await?;
        if !user.is_some_and(|user| user.admin && user.disabled_at.is_none()) {
            return Ok(Err(Refused::NoRight));
        }
    }
    if !store::insert(tx, &invitation, maker).await? {
        return Ok(Err(Refused::Again));
    }
    store::insert_link(tx, &link.hash(), invitation.id, false).await?;
    let record = Record::anonymous(Event::InvitationAdd).detail(invitation.describe());
    Ok(Ok((invitation, record)))
}

/// Makes a link to be mailed now. `None`: the invitation has ended.
pub(crate) async fn mint(app: &App, id: Uuid) -> Result<Option<(Invitation, Token)>, Error> {
    let mut tx = app.db.begin().await?;
    let Some(invitation) = store::by_id(&mut tx, id, app.clock.now()).await? else {
        return Ok(None);
    };
    let token = Token::generate();
    store::insert_link(&mut tx, &token.hash(), id, true).await?;
    tx.commit().await?;
    Ok(Some((invitation, token)))
}

/// Makes a link for a visitor who says that an address is theirs, to be mailed there now; it makes one account. `None`: as
/// many as `most` were made for the address in an hour.
pub(crate) async fn mint_for_sign_up(
    app: &App,
    address: &str,
    most: i64,
) -> Result<Option<Token>, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if store::count_sign_ups(
        &mut tx,
        &users::canonical_name(address),
        now.minus(60 * MINUTE),
    )
    .await?
        >= most
    {
        return Ok(None);
    }
    let new = NewInvitation {
        id: Uuid::now_v7(),
        email: Some(address.to_owned()),
        groups: Vec::new(),
        uses: 1,
        lifetime: SIGN_UP_LIFETIME,
    };
    let invitation = Invitation {
        sign_up: true,
        created_by: "visitor".to_owned(),
        ..new.by(&Actor::operator(), now)
    };
    let token = Token::generate();
    store::insert(&mut tx, &invitation, None).await?;
    store::insert_link(&mut tx, &token.hash(), invitation.id, true).await?;
    tx.commit().await?;
    Ok(Some(token))
}

/// Looks at what a link gives, without using it up. `None`: it is unknown, or its invitation has ended.
pub(crate) async fn look(app: &App, link: &str) -> Result<Option<Granted>, Error> {
    let Some(token) = Token::parse(link) else {
        return Ok(None);
    };
    Ok(store::by_link(app.db.reader(), &token.hash(), app.clock.now()).await?)
}

/// Uses an invitation up by one account; the last use ends it.
pub(crate) async fn spend(
    tx: &mut Tx,
    now: Timestamp,
    link: &str,
) -> Result<Option<Granted>, Error> {
    let Some(token) = Token::parse(link) else {
        return Ok(None);
    };
    let Some(granted) = store::by_link(&mut **tx, &token.hash(), now).await? else {
        return Ok(None);
    };
    if granted.invitation.uses_left > 1 {
        store::use_one(tx, granted.invitation.id).await?;
    } else {
        store::delete(tx, granted.invitation.id).await?;
    }
    Ok(Some(granted))
}

/// Those that are good still, the oldest first.
///
/// # Errors
/// The database failed.
pub async fn list(app: &App) -> Result<Vec<Invitation>, Error> {
    Ok(store::list(app.db.reader(), app.clock.now()).await?)
}

/// Ends an invitation with all its links. False: there is none of this id.
///
/// # Errors
/// The database failed; it is good still.
pub async fn revoke(app: &App, actor: &Actor, id: Uuid) -> Result<bool, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let Some(invitation) = store::by_id(&mut tx, id, now).await? else {
        return Ok(false);
    };
    store::delete(&mut tx, id).await?;
    let record = Record::anonymous(Event::InvitationRevoke).detail(invitation.describe());
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(true)
}

/// Ends those of an admin who is one no more.
pub(crate) async fn end_all_by(tx: &mut Tx, maker: Uuid) -> Result<(), Error> {
    Ok(store::delete_by(tx, maker).await?)
}

/// Removes what has ended by time.
pub(crate) async fn sweep(app: &App) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::delete_expired(&mut tx, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

impl Invitation {
    /// For the test that renders every page.
    pub(crate) fn sample(text: &str) -> Self {
        let at = Timestamp::from_micros(0);
        Self {
            id: Uuid::nil(),
            email: Some(text.to_owned()),
            groups: vec![text.to_owned()],
            uses_left: 1,
            created_by: text.to_owned(),
            created_at: at,
            expires_at: at,
            sign_up: false,
        }
    }
}
