//! What is done regularly: last uses are written, what ended by time is marked, and what is past its
//! history removed, in small batches, so that no request waits for it.

use std::time::Duration;

use super::last_use::{LastUse, LastUses, SiteUses};
use super::{by_time, look_up, store};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::token::TokenHash;

/// How often last uses are written.
pub const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// How often ended sessions are looked for.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Far longer than another node keeps a last use to itself.
const UNWRITTEN: Duration = Duration::from_secs(120);

/// Rows a transaction, so that a sign-in waits a few milliseconds at most.
const BATCH: u32 = 500;

/// Writes the uses that were recorded since the last time, in one transaction.
///
/// # Errors
/// The database failed; what was recorded is kept for the next time.
pub async fn write_last_uses(app: &App) -> Result<(), Error> {
    let last_uses = app.state::<LastUses>();
    let recorded = last_uses.all();
    let counted = app.clock.take_dirty();
    if recorded.is_empty() && !counted {
        return Ok(());
    }
    write_all(app, &recorded)
        .await
        .inspect_err(|_| app.clock.mark_dirty())?;
    last_uses.forget_written(&recorded);
    Ok(())
}

/// Writes when protected hosts were last used, in one transaction.
///
/// # Errors
/// The database failed; what was noted is kept for the next time.
pub async fn write_site_uses(app: &App) -> Result<(), Error> {
    let uses = app.state::<SiteUses>();
    let noted = uses.all();
    if noted.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    for (secret, at) in &noted {
        store::touch_site(&mut tx, secret, *at).await?;
    }
    tx.commit().await?;
    uses.forget_written(&noted);
    Ok(())
}

async fn write_all(app: &App, recorded: &[(TokenHash, LastUse)]) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    for together in recorded.chunks(store::USES_TOGETHER) {
        store::touch(&mut tx, together).await?;
    }
    app.clock.persist(&mut tx).await?;
    tx.commit().await?;
    for together in recorded.chunks(store::USES_TOGETHER) {
        look_up::keep_uses(app.db.cache(), together);
    }
    Ok(())
}

/// Does all there is to do now, a batch at a time.
///
/// # Errors
/// The database failed; what is left is done the next time.
pub async fn sweep(app: &App) -> Result<(), Error> {
    // What was used is not to be taken for idle.
    write_last_uses(app).await?;
    while mark_expired(app).await? == BATCH as usize {}
    while delete_old(app).await? == u64::from(BATCH) {}
    Ok(())
}

async fn mark_expired(app: &App) -> Result<usize, Error> {
    let now = app.clock.now();
    // Another node may know of a use that is not written yet.
    let is_shared = app.db.nodes().is_some();
    let idle_since = now.minus(if is_shared { UNWRITTEN } else { Duration::ZERO });
    let expired = store::expired(app.db.reader(), now, idle_since, BATCH).await?;
    if expired.is_empty() {
        return Ok(0);
    }
    let mut tx = app.db.begin().await?;
    for hash in &expired {
        store::mark_expired(&mut tx, hash, now, by_time().name()).await?;
    }
    tx.commit().await?;
    Ok(expired.len())
}

async fn delete_old(app: &App) -> Result<u64, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let history = now.minus(app.settings.sessions.history);
    let deleted = store::delete_ended(&mut tx, history, BATCH).await?;
    tx.commit().await?;
    Ok(deleted)
}
