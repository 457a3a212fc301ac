//! How sign-ins went, for /metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::foundation::app::{App, AppBuilder};

/// How a sign-in went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignIn {
    Ok,
    Refused,
    Throttled,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Debug, Default)]
struct SignIns(Family<ByResult, Counter>);

/// What a second step was taken with, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByMethod {
    method: &'static str,
    result: &'static str,
}

#[derive(Debug, Default)]
struct SecondSteps(Family<ByMethod, Counter>);

pub(super) fn register(builder: &mut AppBuilder) {
    let sign_ins = SignIns::default();
    // From the first scrape on, so that a first rise is seen as one.
    for result in SignIn::ALL {
        let _ = sign_ins.0.get_or_create(&result.label());
    }
    builder
        .metrics
        .register("sign_ins", "Sign-ins by result", sign_ins.0.clone());
    builder.manage(sign_ins);
    let second_steps = SecondSteps::default();
    builder.metrics.register(
        "second_steps",
        "Second steps of sign-ins and proofs again, by method and result",
        second_steps.0.clone(),
    );
    builder.manage(second_steps);
}

pub(super) fn count_second_step(app: &App, method: &'static str, result: SignIn) {
    let result = result.label().result;
    let second_steps = app.state::<SecondSteps>();
    second_steps
        .0
        .get_or_create(&ByMethod { method, result })
        .inc();
}

pub(super) fn count(app: &App, result: SignIn) {
    let sign_ins = app.state::<SignIns>();
    sign_ins.0.get_or_create(&result.label()).inc();
}

impl SignIn {
    const ALL: [Self; 4] = [Self::Ok, Self::Refused, Self::Throttled, Self::Failed];

    fn label(self) -> ByResult {
        ByResult {
            result: match self {
                Self::Ok => "ok",
                Self::Refused => "refused",
                Self::Throttled => "throttled",
                Self::Failed => "failed",
            },
        }
    }
}
