//! Tells applications that a session has ended (OpenID Connect Back-Channel Logout 1.0). What ended it has left a row for each
//! in the same statement; it is tried until the application takes it, or a day has passed.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rocket::tokio::task::spawn_blocking;
use rustls::crypto::aws_lc_rs;
use serde_json::json;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::claims::seconds;
use super::store::{self, Notice};
use super::{clients, issuer, keys, metrics};
use crate::foundation::app::App;
use crate::foundation::clock::DAY;
use crate::foundation::error::Error;
use crate::foundation::token::Token;
use crate::web::outgoing::system_and_browsers;

pub const INTERVAL: Duration = Duration::from_secs(1);

/// At once, so that one that hangs does not keep many others waiting.
const TOGETHER: i64 = 8;
const PATIENCE: Duration = Duration::from_secs(5);
const TOKEN_LIFETIME: Duration = Duration::from_secs(120);
const GIVEN_UP_AFTER: Duration = DAY;
/// Seconds until the next try.
const WAITS: [u64; 6] = [2, 5, 15, 60, 300, 1_800];

/// Tells all that are due.
pub(super) async fn tell_all(app: &App) -> Result<(), Error> {
    let due = store::due_notices(app.db.reader(), app.clock.now(), TOGETHER).await?;
    let mut posts = Vec::with_capacity(due.len());
    for notice in due {
        let client = clients::by_id(app, &notice.client_id).await?;
        let Some(client) = client else { continue };
        let Some(uri) = client.back_channel_uri.clone() else {
            settle(app, &notice, true).await?;
            continue;
        };
        let token = logout_token(app, &client, &notice).await?;
        posts.push((notice, spawn_blocking(move || post(&uri, &token))));
    }
    for (notice, post) in posts {
        let outcome = post.await.unwrap_or_else(|error| Err(error.to_string()));
        if let Err(fault) = &outcome {
            tracing::warn!(client = %notice.client_id, "was not told of the end of a session: {fault}");
        }
        settle(app, &notice, outcome.is_ok()).await?;
        metrics::count_notice(
            app,
            match outcome {
                Ok(()) => metrics::Notice::Taken,
                Err(_) if is_given_up(app, &notice) => metrics::Notice::GivenUp,
                Err(_) => metrics::Notice::Failed,
            },
        );
    }
    Ok(())
}

/// Each try has one of its own.
async fn logout_token(
    app: &App,
    client: &clients::Client,
    notice: &Notice,
) -> Result<String, Error> {
    let now = app.clock.now();
    let claims = json!({
        "iss": issuer(app),
        "aud": client.id,
        "sub": notice.user_id.to_string(),
        "sid": notice.session_id.to_string(),
        "iat": seconds(now),
        "exp": seconds(now.plus(TOKEN_LIFETIME)),
        "jti": Token::generate().reveal(),
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    keys::sign(app, client.alg, "logout+jwt", claims).await
}

fn is_given_up(app: &App, notice: &Notice) -> bool {
    app.clock.now() > notice.ended_at.plus(GIVEN_UP_AFTER)
}

async fn settle(app: &App, notice: &Notice, is_told: bool) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin_apart().await?;
    if is_told || is_given_up(app, notice) {
        store::notice_told(&mut tx, notice, now).await?;
    } else {
        let place = usize::try_from(notice.tries)
            .unwrap_or_default()
            .min(WAITS.len() - 1);
        let due = now.plus(Duration::from_secs(WAITS[place]));
        store::put_notice_off(&mut tx, notice, due).await?;
    }
    Ok(tx.commit().await?)
}

/// Made at the first post: the authorities of the system are some hundred certificates to read.
static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    let cryptography = Arc::new(aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(cryptography)
        .root_certs(RootCerts::new_with_certs(&system_and_browsers()))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
});

fn post(uri: &str, token: &str) -> Result<(), String> {
    let answer = AGENT
        .post(uri)
        .send_form([("logout_token", token)])
        .map_err(|error| error.to_string())?;
    match answer.status().as_u16() {
        200 | 204 => Ok(()),
        status => Err(format!("{uri} answered {status}")),
    }
}
