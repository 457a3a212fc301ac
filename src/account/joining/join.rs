//! What makes the account.

use std::time::Duration;

use uuid::Uuid;

use super::reserve;
use super::way_in::{self, WayIn};
use crate::account::enrolment;
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::settings::SignUp;
use crate::foundation::throttle::Reservation;
use crate::foundation::token::TokenHash;
use crate::login::{Browser, SignedIn, commit, enter};
use crate::people::invitations::{self, Granted};
use crate::people::users::{self, NewUser, Refused, User};
use crate::people::{approvals, recovery_codes};
use crate::sessions::{Device, Proven};

/// What somebody says who makes an account.
pub(crate) struct Newcomer {
    pub username: String,
    pub display_name: Option<String>,
    /// Without an invitation and without mail: nobody has proven it.
    pub email: Option<String>,
}

/// What became of it.
pub(crate) enum Joined {
    /// The account is made, and its user signed in, with recovery codes if by a passkey.
    In(Box<SignedIn>, Vec<String>),
    /// The account is made, and an admin has to enable it.
    Waiting,
    /// The link is unknown, used up or too old.
    NoLink,
    Throttled(Duration),
    Refused(Refused),
    /// Why the passkey is not taken.
    NoPasskey(&'static str),
}

/// What a link gives now. `None`: it is unknown, used up or too old, or people do not sign up any more.
pub(crate) async fn granted_by(app: &App, link: &str) -> Result<Option<Granted>, Error> {
    let granted = invitations::look(app, link).await?;
    Ok(granted.filter(|granted| is_taken_still(app, granted)))
}

fn is_taken_still(app: &App, Granted { invitation, .. }: &Granted) -> bool {
    let sign_up = &app.settings.accounts.sign_up;
    !invitation.sign_up || sign_up.takes(invitation.email.as_deref())
}

/// Makes an account, by a link or, where people may sign up without one, by nothing. A link is used up by the account alone.
pub(crate) async fn join(
    app: &App,
    link: Option<&str>,
    newcomer: Newcomer,
    way_in: WayIn,
    browser: &Browser<'_>,
) -> Result<Joined, Error> {
    let granted = match look(app, link).await? {
        Ok(granted) => granted,
        Err(stopped) => return Ok(stopped),
    };
    let new = match checked(newcomer, granted.as_ref()) {
        Ok(new) => new,
        Err(refused) => return Ok(Joined::Refused(refused)),
    };
    let way_in = match way_in.check(app, &new.username).await? {
        Ok(way_in) => way_in,
        Err(stopped) => return Ok(stopped),
    };
    let device = &browser.device;
    let reservation = match claim(app, &new.username, granted.as_ref(), device).await? {
        Ok(reservation) => reservation,
        Err(stopped) => return Ok(stopped),
    };
    let hash = way_in.hash(app).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(reservation) = &reservation {
        reservation.failed(&mut tx, now).await?;
    }
    let granted = match link {
        Some(link) => match invitations::spend(&mut tx, now, link).await? {
            Some(granted) => Some(granted),
            None => return Ok(Joined::NoLink),
        },
        None => None,
    };
    let (id, proven) = (way_in.account(), way_in.proven());
    let user = match make(app, &mut tx, id, new, hash.as_deref(), granted.as_ref()).await? {
        Ok(user) => user,
        Err(refused) => return Ok(Joined::Refused(refused)),
    };
    let passkey = match way_in.keep(app, &mut tx, &user, device).await? {
        Ok(passkey) => passkey,
        Err(stopped) => return Ok(stopped),
    };
    let user = User {
        has_passkey: passkey.is_some(),
        ..user
    };
    admit(app, tx, user, proven, passkey, granted.as_ref(), browser).await
}

/// What a browser makes the passkey of this new account from, or why there will be no account. Nothing is made yet.
pub(super) async fn ask_for_passkey(
    app: &App,
    link: Option<&str>,
    newcomer: Newcomer,
    visitor: &TokenHash,
    device: &Device,
) -> Result<Result<way_in::Asked, Joined>, Error> {
    let granted = match look(app, link).await? {
        Ok(granted) => granted,
        Err(stopped) => return Ok(Err(stopped)),
    };
    let new = match checked(newcomer, granted.as_ref()) {
        Ok(new) => new,
        Err(refused) => return Ok(Err(Joined::Refused(refused))),
    };
    match claim(app, &new.username, granted.as_ref(), device).await? {
        Ok(Some(reservation)) => reservation.release(&app.db).await?,
        Ok(None) => {}
        Err(stopped) => return Ok(Err(stopped)),
    }
    let asked = way_in::ask(app, &new, visitor).await?;
    Ok(asked.ok_or(Joined::NoPasskey(
        "Passkeys are off here. Choose a password.",
    )))
}

/// What a link gives, if there is one.
async fn look(app: &App, link: Option<&str>) -> Result<Result<Option<Granted>, Joined>, Error> {
    let Some(link) = link else {
        return Ok(Ok(None));
    };
    let granted = granted_by(app, link).await?;
    Ok(granted.map(Some).ok_or(Joined::NoLink))
}

/// Whether the name may be chosen. An invitation has its own limit; without one the account itself costs a try, too.
async fn claim(
    app: &App,
    username: &str,
    granted: Option<&Granted>,
    device: &Device,
) -> Result<Result<Option<Reservation>, Joined>, Error> {
    let reservation = match reserve(app, device).await? {
        Ok(reservation) => reservation,
        Err(wait) => return Ok(Err(Joined::Throttled(wait))),
    };
    let proven = granted.and_then(Granted::proven);
    if !users::may_be_chosen(app, username, proven).await? {
        refuse_name(app, reservation, granted.is_some(), device).await?;
        return Ok(Err(Joined::Refused(Refused::Taken)));
    }
    if granted.is_none() {
        return Ok(Ok(Some(reservation)));
    }
    reservation.release(&app.db).await?;
    Ok(Ok(None))
}

/// What is given by the link goes before what somebody says.
fn checked(newcomer: Newcomer, granted: Option<&Granted>) -> Result<NewUser, Refused> {
    let new = NewUser {
        username: newcomer.username,
        display_name: newcomer.display_name,
        email: match granted {
            Some(granted) => granted.invitation.email.clone(),
            None => newcomer.email,
        },
        ..NewUser::default()
    };
    users::checked(new).map_err(Refused::Invalid)
}

/// A name that is not to be had is told, so each costs a try.
async fn refuse_name(
    app: &App,
    reservation: Reservation,
    invited: bool,
    device: &Device,
) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    reservation.failed(&mut tx, now).await?;
    let event = if invited {
        Event::InvitationUse
    } else {
        Event::SignUp
    };
    let record = Record::anonymous(event)
        .refused()
        .detail("the user name is taken");
    audit::commit(tx, now, &Actor::visitor(device.address), &[record]).await
}

/// The rows of the new user, who has what the link gives and nothing else.
async fn make(
    app: &App,
    tx: &mut Tx,
    id: Uuid,
    new: NewUser,
    hash: Option<&str>,
    granted: Option<&Granted>,
) -> Result<Result<User, Refused>, Error> {
    let new = NewUser {
        groups: granted.map_or_else(Vec::new, |granted| granted.invitation.groups.clone()),
        ..new
    };
    let Some(user) = users::insert(tx, app.clock.now(), id, new, hash).await? else {
        return Ok(Err(Refused::Taken));
    };
    let Some(address) = granted.and_then(Granted::proven) else {
        return Ok(Ok(user));
    };
    if users::is_address_taken(tx, address, user.id).await? {
        return Ok(Err(Refused::AddressTaken));
    }
    let user = User {
        email_verified: true,
        ..user
    };
    users::update(tx, &user).await?;
    Ok(Ok(user))
}

/// Signs the new user in, or lets them wait for an admin.
async fn admit(
    app: &App,
    mut tx: Tx,
    user: User,
    proven: Proven,
    passkey: Option<Record>,
    granted: Option<&Granted>,
    browser: &Browser<'_>,
) -> Result<Joined, Error> {
    let invited = granted.filter(|granted| !granted.invitation.sign_up);
    let record = match invited {
        Some(granted) => Record::of(Event::InvitationUse, &user).detail(granted.describe()),
        None => Record::of(Event::SignUp, &user),
    };
    let has_passkey = user.has_passkey;
    let records: Vec<Record> = [Some(record), passkey].into_iter().flatten().collect();
    if invited.is_none() && app.settings.accounts.sign_up == SignUp::Approval {
        let now = app.clock.now();
        approvals::ask(&mut tx, user.id, now).await?;
        let actor = Actor::visitor(browser.device.address);
        audit::commit(tx, now, &actor, &records).await?;
        return Ok(Joined::Waiting);
    }
    let codes = match has_passkey {
        true => recovery_codes::renew(&mut tx, user.id).await?,
        false => Vec::new(),
    };
    let signed_in = enter(app, &mut tx, user, browser, proven).await?;
    // The link came by mail, or from an admin.
    if granted.is_some() {
        let (user, session) = (signed_in.user.id, signed_in.session.id);
        enrolment::has_read(app, &mut tx, user, session).await?;
    }
    commit(app, tx, &signed_in, browser, records).await?;
    Ok(Joined::In(Box::new(signed_in), codes))
}
