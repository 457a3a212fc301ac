//! What applications were given and refused, for /metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::clients::Client;
use super::token_error::TokenError;
use crate::foundation::app::{App, AppBuilder};

/// Clients are as many as admins have added.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByClient {
    client: String,
    grant_type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByError {
    error: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Debug, Default)]
struct Counted {
    issued: Family<ByClient, Counter>,
    refused: Family<ByError, Counter>,
    told: Family<ByResult, Counter>,
}

/// What became of one try to tell an application of the end of a session.
#[cfg(feature = "program")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Taken,
    Failed,
    GivenUp,
}

pub(super) fn register(builder: &mut AppBuilder) {
    let counted = Counted::default();
    let Counted {
        issued,
        refused,
        told,
    } = &counted;
    builder.metrics.register(
        "tokens_issued",
        "Answers with tokens, by client and grant type",
        issued.clone(),
    );
    builder.metrics.register(
        "token_errors",
        "Refusals of the token endpoint, by the error that the client was told",
        refused.clone(),
    );
    builder.metrics.register(
        "sign_out_notices",
        "Tries to tell an application of the end of a session (back-channel sign-out), by result",
        told.clone(),
    );
    // From the first scrape on, so that a first rise is seen as one.
    for error in ["invalid_client", "invalid_grant", "invalid_request"] {
        let _ = refused.get_or_create(&ByError { error });
    }
    for result in ["taken", "failed", "given_up"] {
        let _ = told.get_or_create(&ByResult { result });
    }
    builder.manage(counted);
}

pub(super) fn count_issued(app: &App, client: &Client, grant_type: &'static str) {
    let client = client.name.clone();
    let issued = &app.state::<Counted>().issued;
    issued.get_or_create(&ByClient { client, grant_type }).inc();
}

pub(super) fn count_refused(app: &App, error: &TokenError) {
    let error = error.error();
    let refused = &app.state::<Counted>().refused;
    refused.get_or_create(&ByError { error }).inc();
}

#[cfg(feature = "program")]
pub(super) fn count_notice(app: &App, notice: Notice) {
    let result = match notice {
        Notice::Taken => "taken",
        Notice::Failed => "failed",
        Notice::GivenUp => "given_up",
    };
    let told = &app.state::<Counted>().told;
    told.get_or_create(&ByResult { result }).inc();
}
