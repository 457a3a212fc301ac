//! Vestibule's own paths at a protected host, of which a proxy asks or which it passes on.

use hyper::header::REFRESH;
use rocket::http::Status;

use super::answers::{broken, error_json, name_untrusted, redirect_status};
use super::enter::{self, enter};
use super::frame;
use super::original_request::{Dialect, OriginalRequest, passed_on_host};
use super::policy;
use super::request::ProxyRequest;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::web::denials::count;
use crate::web::navigation::prefers_json;
use crate::web::{Answer, Refusal, peer};

pub fn is_own_path(path: &str) -> bool {
    [enter::PATH, frame::PATH].contains(&path)
}

/// Of a proxy's question, before all rules.
pub async fn answer_asked(
    app: &App,
    request: &ProxyRequest,
    dialect: Dialect,
    original: &OriginalRequest,
) -> Result<Answer, Error> {
    if !is_own_path(&original.path) || original.method != "GET" {
        return Ok(error_json(Status::Forbidden, "not_here"));
    }
    let query = original.query.as_deref().unwrap_or_default();
    if original.path == frame::PATH {
        return match dialect {
            Dialect::AuthRequest => Ok(error_json(Status::Forbidden, "not_here")),
            _ => frame::frame(app, &original.host, query),
        };
    }
    let entered = match enter(app, request, &original.host, query).await {
        Ok(entered) => entered,
        Err(error) => {
            let refusal = broken(app, request, &error);
            return Ok(ask_again(refusal.as_page(Some(app)), &refusal));
        }
    };
    let status = redirect_status(dialect, "GET");
    // nginx knows no other refusal.
    let answer = entered.answer(status, dialect == Dialect::AuthRequest);
    Ok(answer.unwrap_or_else(|refusal| match dialect {
        Dialect::AuthRequest => error_json(Status::Forbidden, refusal.code),
        _ => refusal.as_page(Some(app)),
    }))
}

/// A browser on its way asks again by itself where the next try may have its turn.
fn ask_again(answer: Answer, refusal: &Refusal) -> Answer {
    match refusal.status {
        Status::ServiceUnavailable => answer.header(REFRESH, "2"),
        _ => answer,
    }
}

/// A browser's request that a trusted proxy passed on instead of asking about it.
pub async fn answer_passed_on(app: &App, request: &ProxyRequest) -> Answer {
    let answered = match enter_passed_on(app, request).await {
        Ok(answered) => answered,
        Err(error) => {
            let refusal = broken(app, request, &error);
            return ask_again(refusal_answer(app, request, &refusal), &refusal);
        }
    };
    answered.unwrap_or_else(|refusal| {
        if let Some(reason) = refusal.reason() {
            count(app, reason);
        }
        refusal_answer(app, request, &refusal)
    })
}

fn refusal_answer(app: &App, request: &ProxyRequest, refusal: &Refusal) -> Answer {
    refusal.answer(Some(app), prefers_json(request.headers()))
}

async fn enter_passed_on(
    app: &App,
    request: &ProxyRequest,
) -> Result<Result<Answer, Refusal>, Error> {
    // No form is answered here, whatever it carries.
    if request.has_body() || request.headers().contains_key("content-type") {
        return Ok(Err(Refusal::method_override()));
    }
    // HEAD spends nothing.
    if request.method != hyper::Method::GET {
        return Ok(Err(Refusal::of_status(Status::MethodNotAllowed)));
    }
    if !peer::is_trusted(request.peer, &app.settings.trusted_proxies) {
        name_untrusted(app, request.peer);
        return Ok(Err(untrusted(request.peer)));
    }
    let policy = policy::current(app).await?;
    let host = passed_on_host(request, app).filter(|host| app.site_of(&policy, host).is_some());
    let Some(host) = host else {
        return Ok(Err(Refusal::not_found()));
    };
    let query = request.target.query().unwrap_or_default();
    if request.path() == frame::PATH {
        return Ok(Ok(frame::frame(app, &host, query)?));
    }
    let entered = enter(app, request, &host, query).await?;
    Ok(entered.answer(Status::Found, false))
}

fn untrusted(peer: std::net::IpAddr) -> Refusal {
    Refusal::new(
        Status::Forbidden,
        "untrusted_proxy",
        "Asked by a stranger",
        format!(
            "{peer} is no trusted proxy of this service. If that is yours, add it to trusted_proxies."
        ),
    )
}
