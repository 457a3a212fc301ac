//! The binary's own site: what a host that embeds Vestibule has for itself.

use std::sync::Arc;

use hyper::header::WWW_AUTHENTICATE;
use rocket::config::{Config, Ident};
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{self, FromRequest};
use rocket::shield::Shield;
use rocket::{Build, Request, Rocket, catch, catchers, get, routes};

use crate::foundation::app::App;
use crate::foundation::metrics;
use crate::foundation::settings::Server;
use crate::oidc;
use crate::sessions::CurrentSession;
use crate::vestibule::Vestibule;
use crate::web::denials::{Reason, count};
use crate::web::headers::WholeSite;
use crate::web::{Answer, Failure, Refusal, Visit};

/// The whole service, ready to be served ([`crate::program::listener`]).
#[must_use]
pub fn rocket(app: Arc<App>, server: &Server) -> Rocket<Build> {
    rocket::custom(config(server))
        .attach(Vestibule::of(app))
        // Our own headers stand in for Rocket's.
        .attach(Shield::new())
        .manage(WholeSite)
        .mount("/", routes![home, healthz, readyz, metrics_text])
        .mount("/", oidc::routes())
        .register("/", catchers![error])
}

fn config(server: &Server) -> Config {
    Config {
        workers: server.workers,
        // Believes anyone: web::peer has the trusted proxies.
        ip_header: None,
        ident: Ident::none(),
        // Rocket prints whole requests; panics are told by the panic hook.
        log_level: rocket::config::LogLevel::Off,
        cli_colors: false,
        ..Config::release_default()
    }
}

#[get("/")]
fn home(_visit: Visit, current: Option<CurrentSession>) -> Answer {
    Answer::see_other(if current.is_some() {
        "/account"
    } else {
        "/login"
    })
}

/// The process answers. Says nothing else, to anyone.
#[get("/healthz")]
fn healthz() -> Answer {
    Answer::text(Status::Ok, "ok".to_owned())
}

/// A sign-in could be written now.
#[get("/readyz")]
async fn readyz(app: &App) -> Answer {
    if app.db.is_writable().await {
        Answer::text(Status::Ok, "ready".to_owned())
    } else {
        Answer::text(Status::ServiceUnavailable, "not ready".to_owned())
    }
}

/// For whoever presents the token; without one in the settings there is no such page.
#[get("/metrics")]
async fn metrics_text(app: &App, bearer: Bearer<'_>) -> Result<Answer, Failure> {
    let Some(secret) = &app.settings.metrics_secret else {
        return Err(Refusal::not_found().into());
    };
    if !bearer.0.is_some_and(|given| secret.is(given)) {
        count(app, Reason::Unauthenticated);
        let message = "metrics_token is needed: Authorization: Bearer …";
        return Ok(Answer::text(Status::Unauthorized, message.to_owned())
            .header(WWW_AUTHENTICATE, "Bearer"));
    }
    let text = app.scrape().await?;
    Ok(Answer::text(Status::Ok, text).content_type(metrics::CONTENT_TYPE))
}

/// The token of a request's one `Authorization: Bearer` (RFC 6750, 2.1).
struct Bearer<'r>(Option<&'r str>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Bearer<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Self::Error> {
        let given: Vec<&str> = request.headers().get("authorization").collect();
        let token = match given.as_slice() {
            [one] => one.split_once(' '),
            _ => None,
        };
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        Outcome::Success(Self(token.map(|(_, token)| token.trim())))
    }
}

#[catch(default)]
fn error(status: Status, _: &Request<'_>) -> Refusal {
    Refusal::of_status(status)
}
