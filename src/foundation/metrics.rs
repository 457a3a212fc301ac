//! Metrics in Prometheus' text. Each feature registers what it counts; names follow
//! <https://prometheus.io/docs/practices/naming/>.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rocket::http::ContentType;

use super::app::AppBuilder;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// An empty registry.
#[must_use]
pub fn registry() -> Registry {
    Registry::with_prefix("vestibule")
}

/// Registers what is known of the database and of the build.
pub fn register(builder: &mut AppBuilder) {
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
    let build: Family<Build, Gauge> = Family::default();
    let version = env!("CARGO_PKG_VERSION");
    build.get_or_create(&Build { version }).set(1);
    builder
        .metrics
        .register("build_info", "The version that runs", build);
}

struct WalBytes(Gauge);

#[must_use]
pub fn content_type() -> ContentType {
    ContentType::new("application", "openmetrics-text")
        .with_params([("version", "1.0.0"), ("charset", "utf-8")])
}

pub(super) fn encode(registry: &Registry) -> String {
    let mut text = String::new();
    // Into memory: nothing can fail.
    let _ = text::encode(&mut text, registry);
    text
}
