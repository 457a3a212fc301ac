//! Finding the session that a secret belongs to: in memory, where the database was read before and was
//! not changed since (`db::memory`), otherwise in the database.
//!
//! Memory only ever says yes. Times and the user are judged for each request, and whom they deny is
//! looked up in the database once more.

use std::sync::{Arc, Mutex, PoisonError};

use super::last_use::{LastUse, LastUses};
use super::{Session, store};
use crate::foundation::app::App;
use crate::foundation::db::View;
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::people::users::User;

/// A session and its user as the database says them, but for the session's last use, which moves.
#[derive(Debug)]
pub struct Row {
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
    let kept = app.db.kept().and_then(|kept| kept.get::<Row>(hash.key()));
    if let Some(live) = kept.and_then(|row| row.if_live(app, &hash)) {
        return Ok(Some(live.in_full()));
    }
    let generation = app.db.memory().generation();
    let look_up = store::by_token(app.db.reader(), &hash);
    let Some((session, user)) = app.db.timings().look_up(look_up).await? else {
        return Ok(None);
    };
    let live = Row::new(session, user).if_live(app, &hash);
    if let Some(Live { row, .. }) = &live {
        app.db.memory().keep(generation, *hash.key(), row.clone());
    }
    Ok(live.map(Live::in_full))
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
) -> Result<(i64, Option<Arc<Row>>), Error> {
    let generation = app.db.memory().generation();
    let look_up = store::by_site_secret(app.db.reader(), secret, host);
    let (version, found) = app.db.timings().look_up(look_up).await?;
    let Some((hash, session, user)) = found else {
        return Ok((version, None));
    };
    let Some(Live { row, .. }) = Row::new(session, user).if_live(app, &hash) else {
        return Ok((version, None));
    };
    let stands_for = SiteSecret {
        host: host.to_owned(),
        session: hash,
    };
    let memory = app.db.memory();
    memory.keep(generation, *secret.key(), Arc::new(stands_for));
    memory.keep(generation, *hash.key(), row.clone());
    Ok((version, Some(row)))
}

/// The same out of memory; `None`: the database has to be asked.
pub fn kept_at_site(
    app: &App,
    kept: &View<'_>,
    secret: &TokenHash,
    host: &str,
) -> Option<Arc<Row>> {
    let known = kept.get::<SiteSecret>(secret.key())?;
    if known.host != host {
        return None;
    }
    let row = kept.get::<Row>(known.session.key())?;
    row.if_live(app, &known.session).map(|live| live.row)
}

/// A row that was judged, with its last use.
struct Live {
    row: Arc<Row>,
    used: LastUse,
}

impl Row {
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
            app.clock.count();
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
    fn in_full(self) -> (Session, User) {
        let session = Session {
            last_seen_at: self.used.at,
            idle_expires_at: self.used.idle_end,
            ..self.row.session.clone()
        };
        (session, self.row.user.clone())
    }
}
