//! What everything stands on and that knows nobody above: time, database, secrets, settings, audit trail.

pub mod app;
pub mod audit;
pub mod clock;
pub mod db;
pub mod error;
pub mod log_limit;
pub mod metrics;
pub mod person;
pub mod settings;
pub mod throttle;
pub mod token;
pub mod version;

use std::time::Duration;

use app::{App, AppBuilder};
use error::Error;

/// How often the time is kept.
const KEEP_TIME: Duration = Duration::from_secs(60);

/// What is done and counted below all features.
pub(crate) fn setup(builder: &mut AppBuilder) {
    metrics::register(builder);
    throttle::register(builder);
    builder.every(KEEP_TIME, |app| Box::pin(keep_time(app)));
}

async fn keep_time(app: &App) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    app.clock.persist(&mut tx).await?;
    tx.invalidates_nothing_else();
    tx.commit().await?;
    Ok(())
}
