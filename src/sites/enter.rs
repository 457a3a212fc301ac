//! `/.vestibule/enter` of a protected host: a ticket is exchanged for the host's own cookie.

use hyper::header::LOCATION;
use rocket::http::Status;

use super::flow::{Due, expire_planted, flow_cookie, home, presented, sign_in_address};
use super::host::Host;
use super::request::ProxyRequest;
use super::tickets::{Spent, spend};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::token::Token;
use crate::sessions::resume_at_site;
use crate::web::cookies::HostCookie;
use crate::web::{Answer, Refusal};

pub const PATH: &str = "/.vestibule/enter";

/// Where a browser goes from here, with which cookies; or why it stays.
pub struct Entered {
    to: Result<String, Refusal>,
    cookies: Vec<String>,
}

impl Entered {
    /// With the last cookie alone where the proxy hands on but one.
    ///
    /// # Errors
    /// The refusal, where there is nowhere to go.
    pub fn answer(mut self, status: Status, one_cookie: bool) -> Result<Answer, Refusal> {
        let mut answer = Answer::text(status, String::new())
            .header(LOCATION, self.to?)
            .keep_opener();
        if one_cookie {
            self.cookies.drain(..self.cookies.len().saturating_sub(1));
        }
        if status == Status::Unauthorized {
            answer = answer.challenge();
        }
        Ok(self.cookies.into_iter().fold(answer, Answer::cookie))
    }
}

/// Exchanges the ticket in `query` at `host`. A prefetch spends nothing.
pub async fn enter(
    app: &App,
    request: &ProxyRequest,
    host: &Host,
    query: &str,
) -> Result<Entered, Error> {
    let stay = |refusal: Refusal| Entered {
        to: Err(refusal),
        cookies: Vec::new(),
    };
    if request.headers().contains_key("sec-purpose") {
        return Ok(stay(Refusal::of_status(Status::Forbidden)));
    }
    let mut cookies = expire_planted(app, request, host);
    let flow = presented(request, HostCookie::flow(&app.settings));
    let ticket = parameter(query, "ticket").and_then(|ticket| Token::parse(&ticket));
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
        Spent::Refused { rd } => rd.unwrap_or_else(|| home(app, host)),
    };
    if is_signed_in(app, request, host).await? {
        return Ok(Entered {
            to: Ok(rd),
            cookies: Vec::new(),
        });
    }
    if parameter(query, "retry").is_some() {
        return Ok(stay(refused()));
    }
    let flow = flow.unwrap_or_else(Token::generate);
    let to = sign_in_address(app, host, &rd, "GET", &flow, Due::default()) + "&retry=1";
    cookies.push(flow_cookie(app, &flow));
    Ok(Entered {
        to: Ok(to),
        cookies,
    })
}

/// Whether the browser has a live cookie of this host already.
async fn is_signed_in(app: &App, request: &ProxyRequest, host: &Host) -> Result<bool, Error> {
    let Some(secret) = presented(request, HostCookie::site(&app.settings)) else {
        return Ok(false);
    };
    let (_, found) = resume_at_site(app, &secret.hash(), &host.to_string()).await?;
    Ok(found.is_some())
}

pub fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
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
