//! What is done and counted below all features.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use super::app::{App, AppBuilder};
use super::error::Error;
use super::{mail, membership, secrets, throttle};

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn setup(builder: &mut AppBuilder) {
    count_database(builder);
    name_build(builder);
    builder.every(MINUTE, |app| Box::pin(keep_time(app)));
    builder.every_by_one(MINUTE, |app| Box::pin(forget_changes(app)));
    builder.every_by_one(MINUTE, |app| {
        Box::pin(throttle::sweep(&app.db, app.clock.now()))
    });
    membership::setup(builder);
    secrets::setup(builder);
    mail::setup(builder);
}

async fn keep_time(app: &App) -> Result<(), Error> {
    let mut tx = app.db.begin_apart().await?;
    app.clock.persist(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// What every cache has seen by now.
async fn forget_changes(app: &App) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    app.db.prune_invalidations(&mut tx).await?;
    if let Some(nodes) = app.db.nodes() {
        nodes.prune(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

struct WalBytes(Gauge);

fn count_database(builder: &mut AppBuilder) {
    builder.metrics.register_with_unit(
        "database",
        "Time that the database took: a session's look-up, and a write from the wait for its turn to its commit",
        Unit::Seconds,
        builder.db.timings().family(),
    );
    let wal_bytes = Gauge::<i64>::default();
    builder.metrics.register_with_unit(
        "database_wal",
        "Size of the write-ahead log; it grows while another program keeps a read transaction open",
        Unit::Bytes,
        wal_bytes.clone(),
    );
    builder.manage(WalBytes(wal_bytes));
    builder.on_scrape(|app| {
        Box::pin(async {
            app.state::<WalBytes>().0.set(app.db.wal_bytes());
            Ok(())
        })
    });
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

fn name_build(builder: &mut AppBuilder) {
    let build: Family<Build, Gauge> = Family::default();
    let version = env!("CARGO_PKG_VERSION");
    build.get_or_create(&Build { version }).set(1);
    builder
        .metrics
        .register("build_info", "The version that runs", build);
}
