//! Sessions: who is signed in, on which device, until when.
//!
//! A session is found by the hash of its token and joined to its user in one look-up (`look_up`).
//! It ends by its user's sign-out, by a revoke, or by time; an ended one never comes back.

pub mod device;
mod guard;
mod housekeeping;
mod last_use;
pub mod listing;
mod look_up;
mod methods;
mod metrics;
mod object;
mod routes;
mod store;
pub mod trusted;
pub mod view;

use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record, Source};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::settings::Required;
use crate::foundation::throttle;
use crate::foundation::token::{Token, TokenHash};
use crate::people::app_tokens;
use crate::people::users::User;
use crate::web::Slice;
pub use crate::web::{Denied, Device};

pub use guard::{Admin, AnyOrigin, CurrentSession, CurrentUser, TwoFactor};
pub(crate) use guard::{Enroller, SteppedUp};
pub use housekeeping::write_last_uses;
use last_use::LastUse;
pub use last_use::LastUses;
pub(crate) use look_up::{SiteVisit, cached_at_site, resume, resume_at_site};
pub use methods::Methods;
pub use store::Found;

#[must_use]
pub fn slice() -> Slice {
    Slice::new(routes::routes(), Vec::new()).with_setup(|builder| {
        builder.manage(LastUses::default());
        builder.manage(last_use::SiteUses::default());
        builder.manage(look_up::LookUps::new(&builder.db));
        builder.every(housekeeping::WRITE_INTERVAL, |app| {
            Box::pin(write_last_uses(app))
        });
        builder.every(housekeeping::WRITE_INTERVAL, |app| {
            Box::pin(housekeeping::write_site_uses(app))
        });
        builder.every_by_one(housekeeping::SWEEP_INTERVAL, |app| {
            Box::pin(housekeeping::sweep(app))
        });
        builder.every_by_one(housekeeping::SWEEP_INTERVAL, |app| {
            Box::pin(trusted::sweep(app))
        });
        builder.on_close(|app| Box::pin(write_last_uses(app)));
        builder.on_close(|app| Box::pin(housekeeping::write_site_uses(app)));
        metrics::register(builder);
        Ok(())
    })
}

/// A live session. Its `id` is public; the token that authenticates is with the browser alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: Uuid,
    pub user_id: Uuid,
    pub methods: Methods,
    /// The second step was spared, for it was taken in this browser before.
    pub trusted: bool,
    /// "Keep me signed in".
    pub remember: bool,
    pub created_at: Timestamp,
    /// When its user last proved to be who that is, by whatever method.
    pub authenticated_at: Timestamp,
    /// Within a minute, or a tenth of the idle timeout if that is less.
    pub last_seen_at: Timestamp,
    pub idle_expires_at: Timestamp,
    /// The end that use does not put off.
    pub max_expires_at: Timestamp,
}

impl Session {
    /// When it ends if it is not used again.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.idle_expires_at.min(self.max_expires_at)
    }

    fn last_use(&self) -> LastUse {
        LastUse {
            at: self.last_seen_at,
            idle_end: self.idle_expires_at,
        }
    }

    fn used(self, used: LastUse) -> Self {
        Self {
            last_seen_at: used.at,
            idle_expires_at: used.idle_end,
            ..self
        }
    }

    /// Whether a second factor is due before this session opens anything but the way to prove or set up one.
    #[must_use]
    pub fn lacks_second_factor(&self, user: &User, required: &Required) -> bool {
        self.methods
            .lack_second_factor(self.trusted, user, required)
    }

    /// Whether its user was proven lately, with as many factors as that user has.
    #[must_use]
    pub fn is_fresh(&self, user: &User, now: Timestamp, reauthenticate_after: Duration) -> bool {
        let by_enough = self.methods.is_two_factor() || !user.has_second_factor();
        by_enough && now < self.authenticated_at.plus(reauthenticate_after)
    }
}

/// How a session came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    SignedOut,
    /// The same browser signed in again.
    Replaced,
    Revoked,
    Idle,
    MaxLifetime,
    /// The user's newer sessions took its place.
    TooMany,
    PasswordChanged,
    RightsChanged,
    /// An admin removed the user's second factors.
    FactorsReset,
    Disabled,
    UserDeleted,
}

impl EndReason {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
            Self::Idle => "idle",
            Self::MaxLifetime => "max_lifetime",
            Self::TooMany => "too_many",
            Self::PasswordChanged => "password_changed",
            Self::RightsChanged => "rights_changed",
            Self::FactorsReset => "factors_reset",
            Self::Disabled => "disabled",
            Self::UserDeleted => "user_deleted",
        }
    }
}

/// How a user signed in, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Proven {
    pub methods: Methods,
    pub trusted: bool,
    pub remember: bool,
}

impl Proven {
    /// By a password alone, for as long as the browser is open.
    pub const BY_PASSWORD: Self = Self {
        methods: Methods::PASSWORD,
        trusted: false,
        remember: false,
    };
}

/// Starts a session within the transaction that decided on it, and ends the least recently used
/// ones beyond `sessions.max_per_user`. The token is for the browser.
///
/// # Errors
/// The database failed.
pub async fn start(
    app: &App,
    tx: &mut Tx,
    user_id: Uuid,
    device: &Device,
    proven: Proven,
) -> Result<(Token, Session), Error> {
    let now = app.clock.now();
    let Proven {
        methods,
        trusted,
        remember,
    } = proven;
    let (idle, max) = app.settings.sessions.limits(remember);
    let token = Token::generate();
    let session = Session {
        id: audit::new_id_at(now),
        user_id,
        methods,
        trusted,
        remember,
        created_at: now,
        authenticated_at: now,
        last_seen_at: now,
        idle_expires_at: now.plus(idle),
        max_expires_at: now.plus(max),
    };
    let most_others = app.settings.sessions.max_per_user - 1;
    store::end_beyond(tx, user_id, most_others, now).await?;
    store::insert(tx, &token.hash(), &session, device).await?;
    Ok((token, session))
}

/// Whether a user has signed in before, and neither on such a device nor from this network.
pub(crate) async fn is_new_device(
    tx: &mut Tx,
    user_id: Uuid,
    device: &Device,
) -> Result<bool, Error> {
    let name = device::describe(&audit::sanitize(&device.user_agent));
    let known = store::devices_of(tx, user_id).await?;
    let is_known = known
        .iter()
        .any(|(known, address)| *known == name && throttle::is_one(address, device.address));
    Ok(!known.is_empty() && !is_known)
}

/// Gives a session that was proven once more, by `method`, a new token; the old one is dead once the transaction is
/// committed.
pub(crate) async fn rotate(
    app: &App,
    tx: &mut Tx,
    session: &Session,
    method: Methods,
) -> Result<Token, Error> {
    let token = Token::generate();
    // One may have been added since the request began.
    let methods = store::methods(tx, session.id).await?.and(method);
    store::rotate(tx, session.id, &token.hash(), methods, app.clock.now()).await?;
    Ok(token)
}

/// Ends one session, at its user's wish or for a new one; nothing if it is not live.
pub(crate) async fn end(
    tx: &mut Tx,
    now: Timestamp,
    id: Uuid,
    reason: EndReason,
    actor: &Actor,
) -> Result<bool, Error> {
    Ok(store::end(tx, id, now, reason, actor.name()).await?)
}

/// Ends all of a user's sessions and the trust in that user's devices, and says how many sessions there were.
pub(crate) async fn end_all_of(
    tx: &mut Tx,
    now: Timestamp,
    user_id: Uuid,
    reason: EndReason,
    actor: &Actor,
) -> Result<u64, Error> {
    trusted::forget_all(tx, user_id).await?;
    store::end_offline_grants(tx, Some(user_id), now, reason).await?;
    Ok(store::end_all_of(tx, user_id, None, now, reason, actor.name()).await?)
}

/// Keeps what lists show of the sessions of a user who is about to be deleted, all of them ended.
pub(crate) async fn keep_those_of_former(tx: &mut Tx, user_id: Uuid) -> Result<(), Error> {
    Ok(store::keep_those_of_former(tx, user_id).await?)
}

/// Ends all of a user's sessions but one, and the trust in that user's devices.
pub(crate) async fn end_others_of(
    tx: &mut Tx,
    now: Timestamp,
    user: &User,
    keep: Uuid,
    reason: EndReason,
    actor: &Actor,
) -> Result<u64, Error> {
    trusted::forget_all(tx, user.id).await?;
    store::end_offline_grants(tx, Some(user.id), now, reason).await?;
    Ok(store::end_all_of(tx, user.id, Some(keep), now, reason, actor.name()).await?)
}

/// What to revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// One session; with `of`, only if it is that user's.
    One { id: Uuid, of: Option<Uuid> },
    /// A user's; all but `keep`.
    AllOf { user_id: Uuid, keep: Option<Uuid> },
}

/// Ends sessions by someone's decision, with an audit record for each; says how many were live.
///
/// # Errors
/// The database failed; no session is ended then.
pub async fn revoke(app: &App, actor: &Actor, which: Which) -> Result<usize, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let ended = store::revoke(&mut tx, &which, now, actor.name()).await?;
    match which {
        Which::One { .. } => {
            for ended in &ended {
                trusted::forget_of_revoked(&mut tx, ended.id).await?;
            }
        }
        Which::AllOf { user_id, keep } => {
            trusted::forget_others(&mut tx, Some(user_id), keep).await?;
            store::end_offline_grants(&mut tx, Some(user_id), now, EndReason::Revoked).await?;
        }
    }
    let records: Vec<Record> = ended
        .into_iter()
        .map(|ended| Record {
            user_id: Some(ended.user_id),
            username: Some(ended.username),
            ..Record::anonymous(Event::SessionRevoke).session(ended.id)
        })
        .collect();
    audit::commit(tx, now, actor, &records).await?;
    Ok(records.len())
}

/// Ends everyone's sessions but `keep`, with one audit record for all; says how many were live.
///
/// # Errors
/// The database failed; no session is ended then.
pub async fn revoke_everyone(app: &App, actor: &Actor, keep: Option<Uuid>) -> Result<u64, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    tx.changes_many_sessions().await?;
    let ended = store::revoke_everyone(&mut tx, keep, now, actor.name()).await?;
    app_tokens::revoke_everyones(&mut tx, now).await?;
    trusted::forget_others(&mut tx, None, keep).await?;
    store::end_offline_grants(&mut tx, None, now, EndReason::Revoked).await?;
    let record =
        Record::anonymous(Event::SessionRevoke).detail(format!("everyone: {ended} sessions"));
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(ended)
}

/// How many sessions are live; some that ended by time may be counted until the next sweep, a minute
/// at most.
///
/// # Errors
/// The database failed.
pub async fn count_live(app: &App) -> Result<i64, Error> {
    Ok(store::count_live(app.db.reader()).await?)
}

/// The actor for what happens by time alone.
pub(crate) fn by_time() -> Actor {
    Actor {
        source: Source::System,
        username: None,
        address: None,
    }
}

pub(crate) async fn stored_object(app: &App, hash: &TokenHash) -> Result<Option<String>, Error> {
    Ok(store::data(app.db.reader(), hash).await?)
}
