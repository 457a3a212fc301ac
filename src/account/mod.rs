//! One's own account: what it is, and its password.

mod address;
mod devices;
pub mod enrolment;
pub(crate) mod factors;
pub mod joining;
mod launcher;
mod leaving;
pub mod letters;
pub mod lifecycle;
mod notices;
mod passkeys;
pub mod reset;
mod routes;

use std::time::Duration;

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::foundation::mail::Compose;
use crate::foundation::token::Token;
use crate::login::{Verification, verify_password};
use crate::people::app_tokens;
use crate::people::notices::{Kind, tell};
use crate::people::passwords::{Hasher, Password, Weakness};
use crate::people::{invitations, links, users};
use crate::sessions::{self, CurrentSession, Device, EndReason, Methods};
use crate::web::Slice;
use crate::web::pages::PageKind;
use address::{AddressPage, LinkPage};
use devices::DevicesPage;
use enrolment::EnrolmentPage;
use factors::{FactorsPage, RecoveryCodesPage, TotpPage};
use joining::JoinPage;
use leaving::DataPage;
use letters::Letters;
use notices::{EndSessionPage, NoticesPage};
use passkeys::PasskeysPage;
use reset::{AskPage, ChoosePage, DonePage};
use routes::{AccountPage, PasswordPage};

pub use launcher::{Launcher, Tile};

#[must_use]
pub fn slice() -> Slice {
    let pages = vec![
        PageKind::of::<AccountPage>(),
        PageKind::of::<PasswordPage>(),
        PageKind::of::<DevicesPage>(),
        PageKind::of::<FactorsPage>(),
        PageKind::of::<EnrolmentPage>(),
        PageKind::of::<TotpPage>(),
        PageKind::of::<RecoveryCodesPage>(),
        PageKind::of::<AddressPage>(),
        PageKind::of::<LinkPage>(),
        PageKind::of::<AskPage>(),
        PageKind::of::<ChoosePage>(),
        PageKind::of::<DonePage>(),
        PageKind::of::<JoinPage>(),
        PageKind::of::<PasskeysPage>(),
        PageKind::of::<NoticesPage>(),
        PageKind::of::<DataPage>(),
        PageKind::of::<EndSessionPage>(),
    ];
    let routes = [
        routes::routes(),
        address::routes(),
        devices::routes(),
        factors::routes(),
        notices::routes(),
        leaving::routes(),
        enrolment::routes(),
        passkeys::routes(),
        reset::routes(),
        joining::routes(),
    ]
    .concat();
    Slice::new(routes, pages)
        .with_letters(letters::templates())
        .with_setup(|builder| {
            builder.manage::<Box<dyn Compose>>(Box::new(Letters));
            builder.every_by_one(Duration::from_secs(60), |app| Box::pin(links::sweep(app)));
            builder.every_by_one(Duration::from_secs(60), |app| Box::pin(leaving::sweep(app)));
            builder.every_by_one(Duration::from_secs(60), |app| {
                Box::pin(invitations::sweep(app))
            });
            Ok(())
        })
}

/// What became of a change of password.
#[derive(Debug)]
pub enum Changed {
    /// The session goes on under this new token; all others of the user are ended.
    Done(Token),
    WrongCurrent,
    Throttled(Duration),
    Weak(Weakness),
}

/// Changes the user's own password, and ends the app tokens if that is wanted too. It needs the current one, and counts
/// as a try of it.
///
/// # Errors
/// The database failed, or the hashing queue is full; nothing was changed then.
pub async fn change_password(
    app: &App,
    current: &CurrentSession,
    old: &Password,
    new: &Password,
    end_tokens: bool,
    device: &Device,
) -> Result<Changed, Error> {
    let user = &current.user;
    if let Err(weakness) = app.check_password(new, &user.username) {
        return Ok(Changed::Weak(weakness));
    }
    if old.normalized() == new.normalized() {
        return Ok(Changed::Weak(Weakness::Same));
    }
    let verified =
        match verify_password(app, Event::PasswordChange, &user.username, old, device).await? {
            Verification::Right(verified) => verified,
            Verification::Wrong => return Ok(Changed::WrongCurrent),
            Verification::Throttled(wait) => return Ok(Changed::Throttled(wait)),
        };
    let hash = app.state::<Hasher>().hash(new).await?;
    let now = app.clock.now();
    let actor = Actor::user(user, device.address);
    let mut tx = app.db.begin().await?;
    let Some(user) = verified.settle(&mut tx).await? else {
        return Ok(Changed::WrongCurrent);
    };
    users::store_password(&mut tx, now, &user, &hash).await?;
    if end_tokens {
        app_tokens::revoke_all_of(&mut tx, now, user.id).await?;
    }
    sessions::end_others_of(
        &mut tx,
        now,
        &user,
        current.session.id,
        EndReason::PasswordChanged,
        &actor,
    )
    .await?;
    let token = sessions::rotate(app, &mut tx, &current.session, Methods::PASSWORD).await?;
    tell(app, &mut tx, user.id, Kind::PasswordChanged, None).await?;
    let record = Record::of(Event::PasswordChange, &user).session(current.session.id);
    audit::commit(tx, now, &actor, &[record]).await?;
    Ok(Changed::Done(token))
}
