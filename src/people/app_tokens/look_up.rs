//! Finding the token and its owner for a request: in memory, where the database was read before and was not changed
//! since, otherwise in the database, together with what others look up. As sessions are found.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::store::{self, Joined};
use super::{AppToken, Use};
use crate::foundation::app::{App, AppBuilder};
use crate::foundation::db::{Cache, Db, Gather, Key, Pool, Row, Snapshot};
use crate::foundation::error::Error;
use crate::foundation::token::TokenHash;
use crate::foundation::unwritten::Unwritten;
use crate::people::users::User;

/// A use within this of the last one is not noted.
const COARSEST_STEP: Duration = Duration::from_secs(60);

/// How often last uses are written.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// What a secret stands for, and the version of the policy in force then.
type AtVersion = (i64, Option<Presented>);

struct LookUps(Gather<TokenHash, AtVersion>);

type LastUses = Unwritten<Use>;

struct CachedToken {
    hash: TokenHash,
    token: AppToken,
}

impl Row for CachedToken {
    fn key(&self) -> Key {
        self.hash.key()
    }
}

/// A token that is stored, and its owner. Neither is judged yet.
#[derive(Clone)]
pub struct Presented {
    cached: Arc<CachedToken>,
    pub owner: Arc<User>,
}

impl Presented {
    #[must_use]
    pub fn token(&self) -> &AppToken {
        &self.cached.token
    }

    /// Notes in memory that the token was used.
    pub fn note_use(&self, app: &App, address: Option<IpAddr>) {
        let CachedToken { hash, token } = &*self.cached;
        let (last_uses, now) = (app.state::<LastUses>(), app.clock.now());
        let unwritten = last_uses.of(hash).map(|last| last.at);
        let last = unwritten.max(token.last_used_at);
        if last.is_none_or(|last| now.since(last) >= COARSEST_STEP) {
            last_uses.note(hash, Use { at: now, address });
        }
    }
}

/// The token of a hash with its owner, and the version of the policy in force at that moment.
///
/// # Errors
/// The database failed; the caller lets nobody in then.
pub async fn resume(app: &App, hash: &TokenHash) -> Result<(i64, Option<Presented>), Error> {
    let look_up = app.state::<LookUps>().0.find(*hash);
    Ok(app.db.timings().look_up(look_up).await?)
}

/// The same out of memory; `None`: the database has to be asked.
#[must_use]
pub fn cached(snapshot: &Snapshot<'_>, hash: &TokenHash) -> Option<Presented> {
    let cached = snapshot.get::<CachedToken>(&hash.key())?;
    let owner = snapshot.get(&Key::Id(cached.token.user_id))?;
    Some(Presented { cached, owner })
}

pub(super) fn setup(builder: &mut AppBuilder) {
    builder.manage(LookUps(gather(&builder.db)));
    builder.manage(LastUses::default());
    builder.every(WRITE_INTERVAL, |app| Box::pin(write_last_uses(app)));
    builder.on_close(|app| Box::pin(write_last_uses(app)));
}

fn gather(db: &Db) -> Gather<TokenHash, AtVersion> {
    let (reader, cache) = (db.reader().clone(), db.cache().clone());
    Gather::new(move |hashes| Box::pin(by_hashes(reader.clone(), cache.clone(), hashes)))
}

async fn by_hashes(
    reader: Pool,
    cache: Arc<Cache>,
    hashes: Vec<TokenHash>,
) -> Result<Vec<AtVersion>, sqlx::Error> {
    let generation = cache.generation();
    let (version, joined) = store::by_hashes(&reader, &hashes).await?;
    let mut rows: Vec<Arc<dyn Row>> = Vec::with_capacity(2 * joined.len());
    let mut found = Vec::with_capacity(joined.len());
    for Joined { hash, token, owner } in joined {
        let cached = Arc::new(CachedToken { hash, token });
        let owner = Arc::new(owner);
        rows.push(cached.clone());
        rows.push(owner.clone());
        found.push(Presented { cached, owner });
    }
    cache.insert(generation, rows);
    let of = |hash: &TokenHash| {
        found
            .iter()
            .find(|found| found.cached.hash == *hash)
            .cloned()
    };
    Ok(hashes.iter().map(|hash| (version, of(hash))).collect())
}

/// Writes the uses that were noted since the last time, in one transaction.
async fn write_last_uses(app: &App) -> Result<(), Error> {
    let last_uses = app.state::<LastUses>();
    let noted = last_uses.all();
    if noted.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    for (hash, used) in &noted {
        store::touch(&mut tx, hash, *used).await?;
    }
    tx.commit().await?;
    last_uses.forget_written(&noted);
    Ok(())
}
