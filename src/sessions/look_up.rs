//! Finding the session that a secret belongs to: in memory, where the database was read before and was
//! not changed since (`db::cache`), otherwise in the database.
//!
//! Memory only ever says yes. Times and the user are judged for each request, and whom they deny is
//! looked up in the database once more.

use std::sync::{Arc, Mutex, PoisonError};

use super::last_use::{LastUse, LastUses};
use super::{Session, store};
use crate::foundation::app::App;
use crate::foundation::db::Snapshot;
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::people::users::User;

/// A session and its user as the database says them, but for the session's last use, which moves.
#[derive(Debug)]
pub struct CachedSession {
    session: Session,
    pub user: User,
    used: Mutex<LastUse>,
}

/// What a secret of a protected host stands for. Another session than the one of this token never has it.
struct SiteSecret {
    host: String,
    session: TokenHash,
}

/// The live session that a token belongs to, and its user. `None`: unknown, ended, expired, or the
/// user is disabled.
///
/// # Errors
/// The database failed; the caller lets nobody in then.
pub async fn resume(app: &App, token: &Token) -> Result<Option<(Session, User)>, Error> {
    let hash = token.hash();
    let cached = app
        .db
        .cached()
        .and_then(|snapshot| snapshot.get::<CachedSession>(hash.key()));
    if let Some(live) = cached.and_then(|row| row.if_live(app, &hash)) {
        return Ok(Some(live.into_parts()));
    }
    let generation = app.db.cache().generation();
    let look_up = store::by_token(app.db.reader(), &hash);
    let Some((session, user)) = app.db.timings().look_up(look_up).await? else {
        return Ok(None);
    };
    let live = CachedSession::new(session, user).if_live(app, &hash);
    if let Some(Live { row, .. }) = &live {
        app.db.cache().insert(generation, *hash.key(), row.clone());
    }
    Ok(live.map(Live::into_parts))
}

/// The same for the secret of a protected host, which is good for `host` alone; and the version of
/// the policy in force at that moment.
///
/// # Errors
/// The database failed; the caller lets nobody in then.
pub async fn resume_at_site(
    app: &App,
    secret: &TokenHash,
    host: &str,
) -> Result<(i64, Option<Arc<CachedSession>>), Error> {
    let generation = app.db.cache().generation();
    let look_up = store::by_site_secret(app.db.reader(), secret, host);
    let (version, found) = app.db.timings().look_up(look_up).await?;
    let Some((hash, session, user)) = found else {
        return Ok((version, None));
    };
    let Some(Live { row, .. }) = CachedSession::new(session, user).if_live(app, &hash) else {
        return Ok((version, None));
    };
    let stands_for = SiteSecret {
        host: host.to_owned(),
        session: hash,
    };
    let cache = app.db.cache();
    cache.insert(generation, *secret.key(), Arc::new(stands_for));
    cache.insert(generation, *hash.key(), row.clone());
    Ok((version, Some(row)))
}

/// The same out of memory; `None`: the database has to be asked.
pub fn cached_at_site(
    app: &App,
    snapshot: &Snapshot<'_>,
    secret: &TokenHash,
    host: &str,
) -> Option<Arc<CachedSession>> {
    let known = snapshot.get::<SiteSecret>(secret.key())?;
    if known.host != host {
        return None;
    }
    let row = snapshot.get::<CachedSession>(known.session.key())?;
    row.if_live(app, &known.session).map(|live| live.row)
}

/// A row that was judged, with its last use.
struct Live {
    row: Arc<CachedSession>,
    used: LastUse,
}

impl CachedSession {
    fn new(session: Session, user: User) -> Arc<Self> {
        let used = LastUse {
            at: session.last_seen_at,
            idle_end: session.idle_expires_at,
        };
        Arc::new(Self {
            session,
            user,
            used: Mutex::new(used),
        })
    }

    /// Judges the times, and notes the use of a session that is live.
    fn if_live(self: Arc<Self>, app: &App, hash: &TokenHash) -> Option<Live> {
        let now = app.clock.now();
        let last_uses = app.state::<LastUses>();
        let used = last_uses.latest(hash, *self.used());
        let end = used.idle_end.min(self.session.max_expires_at);
        if now >= end || self.user.disabled_at.is_some() {
            app.clock.mark_dirty();
            return None;
        }
        last_uses.record(hash, &self.session, used, now, &app.settings.sessions);
        Some(Live { row: self, used })
    }

    /// After a use was written.
    pub(super) fn was_used(&self, latest: LastUse) {
        let mut used = self.used();
        *used = used.later(latest);
    }

    fn used(&self) -> std::sync::MutexGuard<'_, LastUse> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn into_parts(self) -> (Session, User) {
        let session = Session {
            last_seen_at: self.used.at,
            idle_expires_at: self.used.idle_end,
            ..self.row.session.clone()
        };
        (session, self.row.user.clone())
    }
}
