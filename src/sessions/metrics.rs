//! How many sessions are live, for /metrics.

use prometheus_client::metrics::gauge::Gauge;

use super::count_live;
use crate::foundation::app::AppBuilder;

struct Live(Gauge);

pub(super) fn register(builder: &mut AppBuilder) {
    let live = Gauge::<i64>::default();
    builder.metrics.register(
        "sessions_live",
        "Sessions that are live; some that ended by time may be counted for a minute",
        live.clone(),
    );
    builder.manage(Live(live));
    builder.on_scrape(|app| {
        Box::pin(async {
            app.state::<Live>().0.set(count_live(app).await?);
            Ok(())
        })
    });
}
