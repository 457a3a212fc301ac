//! Metrics in Prometheus' text. Each feature registers what it counts; names follow
//! <https://prometheus.io/docs/practices/naming/>.

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// An empty registry.
#[must_use]
pub fn registry() -> Registry {
    Registry::with_prefix("vestibule")
}

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn encode(registry: &Registry) -> String {
    let mut text = String::new();
    // Into memory: nothing can fail.
    let _ = text::encode(&mut text, registry);
    text
}
