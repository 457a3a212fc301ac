//! How long the database takes, for /metrics. An observation costs well under a microsecond.

use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

/// Seconds: from a look-up in memory to the end of a writer's patience.
const BUCKETS: [f64; 14] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Operation {
    operation: &'static str,
}

type ByOperation = Family<Operation, Histogram, fn() -> Histogram>;

/// What took how long, since the start.
#[derive(Clone, Debug)]
pub struct Timings {
    family: ByOperation,
    look_ups: Histogram,
    pub(super) writes: Histogram,
}

impl Timings {
    pub(super) fn new() -> Self {
        let family = ByOperation::new_with_constructor(|| Histogram::new(BUCKETS));
        let of = |operation| family.get_or_create_owned(&Operation { operation });
        Self {
            look_ups: of("look_up"),
            writes: of("write"),
            family,
        }
    }

    pub(crate) fn family(&self) -> ByOperation {
        self.family.clone()
    }

    /// Times the look-up of a session.
    pub(crate) async fn look_up<T>(&self, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = work.await;
        self.look_ups.observe(began.elapsed().as_secs_f64());
        done
    }
}
