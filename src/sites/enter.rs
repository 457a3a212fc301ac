//! `/.vestibule/enter` of a protected host: a ticket is exchanged for the host's own cookie.

use rocket::http::Status;
use rocket::{Request, Route, get, head, routes};

use super::forwarded::Forwarded;
use super::host::Host;
use super::tickets::{Spent, spend};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::token::Token;
use crate::sessions::resume_at_site;
use crate::web::cookies::{Found, HostCookie};
use crate::web::{Answer, Failure, Refusal, peer};

pub const PATH: &str = "/.vestibule/enter";

/// Where the proxy passes the request on instead of asking about it.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes![enter_here, no_head]
}

#[get("/.vestibule/enter?<ticket>&<retry>")]
async fn enter_here(
    app: &App,
    at: At<'_>,
    ticket: Option<&str>,
    retry: Option<&str>,
) -> Result<Answer, Failure> {
    let entered = enter(app, at.request, &at.host, ticket, retry.is_some()).await?;
    Ok(entered.answer(Status::Found, false)?)
}

/// Rocket would answer HEAD as GET, and spend the ticket.
#[head("/.vestibule/enter")]
fn no_head() -> Refusal {
    Refusal::of_status(Status::MethodNotAllowed)
}

/// Where a browser goes from here, with which cookies; or why it stays.
pub struct Entered {
    to: Result<String, Refusal>,
    pub cookies: Vec<String>,
}

impl Entered {
    /// With the last cookie alone where the proxy hands on but one.
    ///
    /// # Errors
    /// The refusal, where there is nowhere to go.
    pub fn answer(mut self, status: Status, one_cookie: bool) -> Result<Answer, Refusal> {
        let mut answer = Answer::text(status, String::new()).header("Location", self.to?);
        if one_cookie {
            self.cookies.drain(..self.cookies.len().saturating_sub(1));
        }
        if status == Status::Unauthorized {
            answer = answer.challenge();
        }
        Ok(self.cookies.into_iter().fold(answer, Answer::cookie))
    }
}

/// Exchanges a ticket at `host`. A prefetch spends nothing.
pub async fn enter(
    app: &App,
    request: &Request<'_>,
    host: &Host,
    ticket: Option<&str>,
    retried: bool,
) -> Result<Entered, Error> {
    let stay = |refusal: Refusal| Entered {
        to: Err(refusal),
        cookies: Vec::new(),
    };
    if request.headers().contains("sec-purpose") {
        return Ok(stay(Refusal::of_status(Status::Forbidden)));
    }
    let mut cookies = expire_planted(app, request, host);
    let flow = presented(request, HostCookie::flow(&app.settings));
    let ticket = ticket.and_then(Token::parse);
    let rd = match spend(app, host, ticket.as_ref(), flow.as_ref()).await? {
        Spent::Entered {
            secret,
            rd,
            max_age,
        } => {
            cookies.push(HostCookie::site(&app.settings).issue(&secret, max_age));
            return Ok(Entered {
                to: Ok(rd),
                cookies,
            });
        }
        Spent::Refused { rd } => {
            rd.unwrap_or_else(|| format!("{}://{host}/", app.settings.url().scheme()))
        }
    };
    if let Some(secret) = presented(request, HostCookie::site(&app.settings))
        && resume_at_site(app, &secret.hash(), &host.to_string())
            .await?
            .1
            .is_some()
    {
        return Ok(Entered {
            to: Ok(rd),
            cookies: Vec::new(),
        });
    }
    if retried {
        return Ok(stay(refused()));
    }
    let flow = flow.unwrap_or_else(Token::generate);
    let to = sign_in_address(app, &rd, "GET", &flow) + "&retry=1";
    cookies.push(flow_cookie(app, &flow));
    Ok(Entered {
        to: Ok(to),
        cookies,
    })
}

fn refused() -> Refusal {
    Refusal::new(
        Status::BadRequest,
        "ticket_refused",
        "The sign-in did not arrive here",
        "The way from the sign-in page to this site was interrupted twice. The browser must accept cookies of this site; \
         open the site again in the same browser, not by a link from another.",
    )
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

/// The sign-in page's address for a browser that wants to come back to `rd`.
#[must_use]
pub fn sign_in_address(app: &App, rd: &str, method: &str, flow: &Token) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("rd", rd)
        .append_pair("rm", method)
        .append_pair("flow", &flow.hash().to_text());
    app.settings.link(&format!("/login?{}", query.finish()))
}

/// Ten minutes are enough to sign in.
#[must_use]
pub fn flow_cookie(app: &App, flow: &Token) -> String {
    HostCookie::flow(&app.settings).issue(flow, Some(std::time::Duration::from_secs(600)))
}

/// What takes a protected host's cookies away where one is there twice: somebody planted the other.
#[must_use]
pub fn expire_planted(app: &App, request: &Request<'_>, host: &Host) -> Vec<String> {
    [
        HostCookie::site(&app.settings),
        HostCookie::flow(&app.settings),
    ]
    .into_iter()
    .filter(|cookie| cookie.find(request.headers().get("cookie")) == Found::Several)
    .flat_map(|cookie| cookie.expire_everywhere(host.name()))
    .collect()
}

/// The token in one of a protected host's cookies; none if it is missing, malformed or there twice.
#[must_use]
pub fn presented(request: &Request<'_>, cookie: HostCookie) -> Option<Token> {
    match cookie.find(request.headers().get("cookie")) {
        Found::One(value) => Token::parse(value),
        Found::Nothing | Found::Several => None,
    }
}

/// A request that a trusted proxy passed on from a protected host.
pub struct At<'r> {
    request: &'r Request<'r>,
    host: Host,
}

#[rocket::async_trait]
impl<'r> rocket::request::FromRequest<'r> for At<'r> {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, Refusal> {
        let Some(app) = request.rocket().state::<std::sync::Arc<App>>() else {
            return Refusal::unavailable().stop(request);
        };
        // Rocket takes a form's `_method=get` for the method: enter is GET only.
        if request.content_type().is_some_and(|kind| kind.is_form()) {
            return Refusal::method_override().stop(request);
        }
        let peer = peer::socket_address(request);
        if !peer::is_trusted(peer, &app.settings.trusted_proxies) {
            super::answers::name_untrusted(app, peer);
            return untrusted(peer).stop(request);
        }
        match (
            Forwarded::passed_on_host(request, app),
            super::policy::current(app).await,
        ) {
            (Some(host), Ok(policy)) if app.site_of(&policy, &host).is_some() => {
                rocket::request::Outcome::Success(Self { request, host })
            }
            (_, Err(error)) => Failure::from(error).into_refusal(request).stop(request),
            _ => Refusal::not_found().stop(request),
        }
    }
}
