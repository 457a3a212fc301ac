//! The browser that asks, told from others by a cookie of its own: before anybody is signed in, too.

use std::sync::Arc;

use rocket::Request;
use rocket::outcome::Outcome;
use rocket::request::{self, FromRequest};

use super::Answer;
use super::cookies::{Found, HostCookie};
use crate::foundation::app::App;
use crate::foundation::token::{Token, TokenHash};

/// What a page asks a passkey for is bound to the browser that got the page: an answer that was made in another one is
/// refused.
#[derive(Clone, Debug)]
pub struct Browser {
    token: Token,
    is_new: bool,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Browser {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Self::Error> {
        Outcome::Success(request.local_cache(|| Self::of(request)).clone())
    }
}

impl Browser {
    /// The one that the cookie names. A new one if there is none, or two, of which neither is believed.
    fn of(request: &Request<'_>) -> Self {
        let app = request.rocket().state::<Arc<App>>();
        let cookie = app.map(|app| HostCookie::visit(&app.settings));
        let known = match cookie.map(|cookie| cookie.find(request.headers().get("cookie"))) {
            Some(Found::One(value)) => Token::parse(value),
            _ => None,
        };
        let is_new = known.is_none();
        let token = known.unwrap_or_else(Token::generate);
        Self { token, is_new }
    }

    #[must_use]
    pub fn hash(&self) -> TokenHash {
        self.token.hash()
    }

    /// The answer, with the cookie if the browser has none yet; for pages that ask for a passkey.
    #[must_use]
    pub fn known_by(&self, app: &App, answer: Answer) -> Answer {
        if !self.is_new {
            return answer;
        }
        answer.cookie(HostCookie::visit(&app.settings).issue(&self.token, None))
    }
}
