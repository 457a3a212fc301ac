//! What an answer shows of Vestibule.

use serde::Deserialize;
use url::Url;

use super::client::Page;

/// A redirect to the sign-in page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SignInRedirect {
    pub rd: String,
    pub rm: String,
    pub flow: String,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// Sent to sign in, as Vestibule sends.
    SignIn(SignInRedirect),
    /// Refused with a code of Vestibule's, and what it is about.
    Refused(String, Option<String>),
    /// It may not be Vestibule that answered.
    Unknown,
}

/// What the endpoints for proxies and `/.vestibule/` tell.
const CODES: [&str; 6] = [
    "malformed",
    "ticket_refused",
    "unauthenticated",
    "unavailable",
    "unknown_site",
    "untrusted_proxy",
];

#[derive(Deserialize)]
struct Body {
    error: String,
    about: Option<String>,
    message: Option<String>,
}

impl Reply {
    pub fn of(seen: &Page, public_url: &Url) -> Self {
        if (300..400).contains(&seen.status)
            && let Some(way) = seen.header("location").and_then(|to| way(to, public_url))
        {
            return Self::SignIn(way);
        }
        // An application's errors have codes of their own.
        let body = serde_json::from_str::<Body>(&seen.body);
        match body.ok().filter(|body| CODES.contains(&&*body.error)) {
            Some(body) => Self::Refused(body.error, body.about.or(body.message)),
            // nginx hands this header on and not the body.
            None if seen.status == 401 && seen.header("www-authenticate") == Some("Vestibule") => {
                Self::Refused("unauthenticated".to_owned(), None)
            }
            None => Self::Unknown,
        }
    }
}

fn way(location: &str, public_url: &Url) -> Option<SignInRedirect> {
    let url = Url::parse(location).ok()?;
    if url.origin() != public_url.origin() || url.path() != "/login" {
        return None;
    }
    let mut way = SignInRedirect::default();
    for (name, value) in url.query_pairs() {
        match &*name {
            "rd" => way.rd = value.into_owned(),
            "rm" => way.rm = value.into_owned(),
            "flow" => way.flow = value.into_owned(),
            _ => {}
        }
    }
    Some(way)
}
