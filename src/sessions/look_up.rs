//! Finding the session that a secret belongs to: in memory, where the database was read before and was
//! not changed since (`db::cache`), otherwise in the database, together with what others look up (`db::gather`).
//!
//! Memory only ever says yes. Times and the user are judged for each request, and whom they deny is
//! looked up in the database once more.

use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::last_use::{LastUse, LastUses, SiteUses};
use super::store::{self, AtSite, Joined};
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Cache, Db, Gather, Key, Pool, Row, Snapshot};
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::people::users::User;

/// The two ways to a session.
pub(super) struct LookUps {
    by_token: Gather<TokenHash, Option<Found>>,
    at_site: Gather<TokenHash, AtVersion>,
}

/// What a secret of a protected host stood for, and the version of the policy that was in force then.
type AtVersion = (i64, Option<(Arc<SiteSecret>, Found)>);

impl LookUps {
    pub fn new(db: &Db) -> Self {
        Self {
            by_token: Self::gather(db, by_tokens),
            at_site: Self::gather(db, by_site_secrets),
        }
    }

    /// Reads with `find`, and keeps what it has read.
    fn gather<V: Send + 'static, F>(
        db: &Db,
        find: fn(Pool, Arc<Cache>, Vec<TokenHash>) -> F,
    ) -> Gather<TokenHash, V>
    where
        F: Future<Output = Result<Vec<V>, sqlx::Error>> + Send + 'static,
    {
        let (reader, cache) = (db.reader().clone(), db.cache().clone());
        Gather::new(move |keys| Box::pin(find(reader.clone(), cache.clone(), keys)))
    }
}

/// A session as the database says it.
#[derive(Debug)]
pub struct CachedSession {
    hash: TokenHash,
    session: Session,
}

/// Together with the counts of its `Arc` it fills a size of the allocator's; the next one is 160 bytes.
const _: () = assert!(size_of::<CachedSession>() + 2 * size_of::<usize>() <= 128);

/// What a secret of a protected host stands for. Another session than the one of this token never has it.
struct SiteSecret {
    secret: TokenHash,
    host: Box<str>,
    session: TokenHash,
    used_at: Timestamp,
}

impl Row for CachedSession {
    fn key(&self) -> Key {
        self.hash.key()
    }
}

impl Row for SiteSecret {
    fn key(&self) -> Key {
        self.secret.key()
    }
}

/// A session and its user, not judged yet.
#[derive(Clone)]
struct Found {
    session: Arc<CachedSession>,
    user: Arc<User>,
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
        .and_then(|snapshot| Found::cached(&snapshot, &hash));
    if let Some(live) = cached.and_then(|found| found.if_live(app)) {
        return Ok(Some(live.use_now(app)));
    }
    let look_ups = app.state::<LookUps>();
    let found = app
        .db
        .timings()
        .look_up(look_ups.by_token.find(hash))
        .await?;
    let live = found.and_then(|found| found.if_live(app));
    Ok(live.map(|live| live.use_now(app)))
}

/// The session that the secret of a protected host stands for, which is good for `host` alone; and the version of
/// the policy in force at that moment.
///
/// # Errors
/// The database failed; the caller lets nobody in then.
pub async fn resume_at_site(
    app: &App,
    secret: &TokenHash,
    host: &str,
) -> Result<(i64, Option<SiteVisit>), Error> {
    let look_ups = app.state::<LookUps>();
    let look_up = look_ups.at_site.find(*secret);
    let (version, found) = app.db.timings().look_up(look_up).await?;
    let visit = found.and_then(|(secret, found)| {
        let is_here = *secret.host == *host;
        let live = is_here.then(|| found.if_live(app))??;
        Some(SiteVisit { secret, live })
    });
    Ok((version, visit))
}

/// The same out of memory; `None`: the database has to be asked.
pub fn cached_at_site(
    app: &App,
    snapshot: &Snapshot<'_>,
    secret: &TokenHash,
    host: &str,
) -> Option<SiteVisit> {
    let secret = snapshot.get::<SiteSecret>(&secret.key())?;
    if *secret.host != *host {
        return None;
    }
    let live = Found::cached(snapshot, &secret.session)?.if_live(app)?;
    Some(SiteVisit { secret, live })
}

/// A live session at a protected host. That it was looked up is no use of it yet.
pub(crate) struct SiteVisit {
    secret: Arc<SiteSecret>,
    live: Live,
}

impl SiteVisit {
    #[must_use]
    pub fn user(&self) -> &Arc<User> {
        &self.live.found.user
    }

    #[must_use]
    pub fn session(&self) -> &Session {
        &self.live.found.session.session
    }

    /// When a person last used the host by this secret.
    pub fn used_at(&self, app: &App) -> Timestamp {
        let unwritten = app.state::<SiteUses>().of(&self.secret.secret);
        unwritten.map_or(self.secret.used_at, |at| at.max(self.secret.used_at))
    }

    /// Counts this as a use of the session.
    pub fn note_use(&self, app: &App) {
        self.live.note_use(app);
    }

    /// Counts this as a use of the host, of which its site limits the pauses.
    pub fn note_use_of_host(&self, app: &App, step: Duration) {
        let now = app.clock.now();
        if now.since(self.used_at(app)) >= step {
            app.state::<SiteUses>().note(&self.secret.secret, now);
        }
    }
}

async fn by_tokens(
    reader: Pool,
    cache: Arc<Cache>,
    tokens: Vec<TokenHash>,
) -> Result<Vec<Option<Found>>, sqlx::Error> {
    let generation = cache.generation();
    let joined = store::by_tokens(&reader, &tokens).await?;
    let mut rows = Vec::with_capacity(2 * joined.len());
    let found: Vec<_> = joined
        .into_iter()
        .map(|joined| Found::keep(joined, &mut rows))
        .collect();
    cache.insert(generation, rows);
    Ok(in_order(&tokens, |token| {
        let found = found.iter().find(|found| found.session.hash == *token)?;
        Some(found.clone())
    }))
}

async fn by_site_secrets(
    reader: Pool,
    cache: Arc<Cache>,
    secrets: Vec<TokenHash>,
) -> Result<Vec<AtVersion>, sqlx::Error> {
    let generation = cache.generation();
    let (version, at_sites) = store::by_site_secrets(&reader, &secrets).await?;
    let mut rows = Vec::with_capacity(3 * at_sites.len());
    let found: Vec<_> = at_sites
        .into_iter()
        .map(|at_site| SiteSecret::keep(at_site, &mut rows))
        .collect();
    cache.insert(generation, rows);
    Ok(in_order(&secrets, |secret| {
        let found = found.iter().find(|(known, _)| known.secret == *secret);
        (version, found.cloned())
    }))
}

fn in_order<T>(keys: &[TokenHash], find: impl Fn(&TokenHash) -> T) -> Vec<T> {
    keys.iter().map(find).collect()
}

impl SiteSecret {
    fn keep(at_site: AtSite, rows: &mut Vec<Arc<dyn Row>>) -> (Arc<Self>, Found) {
        let secret = Arc::new(Self {
            secret: at_site.secret,
            host: at_site.host.into(),
            session: at_site.joined.hash,
            used_at: at_site.used_at,
        });
        rows.push(secret.clone());
        (secret, Found::keep(at_site.joined, rows))
    }
}

/// A session that was judged, with its last use.
struct Live {
    found: Found,
    used: LastUse,
}

impl Found {
    fn cached(snapshot: &Snapshot<'_>, hash: &TokenHash) -> Option<Self> {
        let session = snapshot.get::<CachedSession>(&hash.key())?;
        let user = snapshot.get(&Key::Id(session.session.user_id))?;
        Some(Self { session, user })
    }

    fn keep(joined: Joined, rows: &mut Vec<Arc<dyn Row>>) -> Self {
        let user = Arc::new(joined.user);
        let session = Arc::new(CachedSession {
            hash: joined.hash,
            session: joined.session,
        });
        rows.push(session.clone());
        rows.push(user.clone());
        Self { session, user }
    }

    /// Judges the times.
    fn if_live(self, app: &App) -> Option<Live> {
        let hash = &self.session.hash;
        let session = &self.session.session;
        let now = app.clock.now();
        let last_uses = app.state::<LastUses>();
        let used = last_uses.latest(hash, session.last_use());
        let end = used.idle_end.min(session.max_expires_at);
        if now >= end || self.user.disabled_at.is_some() {
            app.clock.mark_dirty();
            return None;
        }
        Some(Live { found: self, used })
    }
}

/// Renews the rows that are kept of sessions whose last uses were written.
pub(super) fn keep_uses(cache: &Cache, written: &[(TokenHash, LastUse)]) {
    let generation = cache.generation();
    let snapshot = cache.snapshot();
    let used = written.iter().filter_map(|(hash, latest)| {
        let row = snapshot.get::<CachedSession>(&hash.key())?;
        Some(row.used(*latest))
    });
    let rows: Vec<Arc<dyn Row>> = used.map(|row| Arc::new(row) as _).collect();
    drop(snapshot);
    cache.insert(generation, rows);
}

impl CachedSession {
    fn used(&self, latest: LastUse) -> Self {
        let session = self.session.clone();
        let used = session.last_use().later(latest);
        Self {
            hash: self.hash,
            session: session.used(used),
        }
    }
}

impl Live {
    fn note_use(&self, app: &App) {
        let CachedSession { hash, session } = &*self.found.session;
        let (last_uses, now) = (app.state::<LastUses>(), app.clock.now());
        last_uses.record(hash, session, self.used, now, &app.settings.sessions);
    }

    fn use_now(self, app: &App) -> (Session, User) {
        self.note_use(app);
        let session = self.found.session.session.clone().used(self.used);
        (session, User::clone(&self.found.user))
    }
}
