//! Marks what ended by time and removes what is past its history, in small batches, so that no
//! request waits for it.

use std::time::Duration;

use super::{by_time, store};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::throttle;
use crate::sites;

/// How often it is done.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// Rows a transaction, so that a sign-in waits a few milliseconds at most.
const BATCH: u32 = 500;

/// Does all there is to do now, a batch at a time.
///
/// # Errors
/// The database failed; what is left is done the next time.
pub async fn sweep(app: &App) -> Result<(), Error> {
    // What was used is not to be taken for idle.
    app.last_seen.write(app).await?;
    while mark_expired(app).await? == BATCH as usize {}
    while delete_old(app).await? == u64::from(BATCH) {}
    Ok(())
}

async fn mark_expired(app: &App) -> Result<usize, Error> {
    let now = app.clock.now();
    let expired = store::expired(app.db.reader(), now, BATCH).await?;
    if expired.is_empty() {
        return Ok(0);
    }
    let mut tx = app.db.begin().await?;
    for hash in &expired {
        store::mark_expired(&mut tx, hash, now, by_time().name()).await?;
        tx.touches(*hash.key());
    }
    tx.touches_nothing_more();
    tx.commit().await?;
    Ok(expired.len())
}

async fn delete_old(app: &App) -> Result<u64, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let sessions =
        store::delete_ended(&mut tx, now.minus(app.settings.sessions.history), BATCH).await?;
    let buckets = throttle::delete_full(&mut tx, now, BATCH).await?;
    let tickets = sites::delete_old_tickets(&mut tx, now, BATCH).await?;
    tx.touches_nothing_more();
    app.clock.keep(&mut tx).await?;
    tx.commit().await?;
    Ok(sessions.max(buckets).max(tickets))
}
