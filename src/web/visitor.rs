//! The browser that asks, told from others by a cookie of its own: before anybody is signed in, too.

use std::sync::Arc;

use rocket::Request;
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{self, FromRequest};

use super::cookies::HostCookie;
use super::pages::Page;
use super::{Answer, CookieHeaders};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::person::Person;
use crate::foundation::token::{Token, TokenHash};

/// What a page asks a passkey for is bound to the browser that got the page: an answer that was made in another one is
/// refused.
#[derive(Clone, Debug)]
pub struct Visitor {
    token: Token,
    is_new: bool,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Self::Error> {
        Outcome::Success(request.local_cache(|| Self::of(request)).clone())
    }
}

impl Visitor {
    /// The one that the cookie names. A new one if there is none, or two, of which neither is believed.
    fn of(request: &Request<'_>) -> Self {
        let app = request.rocket().state::<Arc<App>>();
        let cookies = CookieHeaders::of(request);
        let known = app.and_then(|app| cookies.token(HostCookie::visit(&app.settings)));
        let is_new = known.is_none();
        let token = known.unwrap_or_else(Token::generate);
        Self { token, is_new }
    }

    #[must_use]
    pub fn hash(&self) -> TokenHash {
        self.token.hash()
    }

    /// A page, with the cookie if it asks for a passkey and the browser has none yet.
    ///
    /// # Errors
    /// The template is at fault.
    pub fn page<P: Page>(
        &self,
        app: &App,
        status: Status,
        page: &P,
        viewer: Option<&dyn Person>,
    ) -> Result<Answer, Error> {
        let answer = Answer::page(app, status, page, viewer)?;
        if !self.is_new || !page.asks_for_passkey() {
            return Ok(answer);
        }
        let cookie = HostCookie::visit(&app.settings).issue(&self.token, None);
        Ok(answer.cookie(cookie))
    }
}
