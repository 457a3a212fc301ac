//! Where a browser goes once it is signed in: a page of ours, or a protected site, which it enters
//! with a ticket.

use rocket::http::Status;
use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::token::TokenHash;
use crate::sites::{SiteAddress, mint, site_address};
use crate::web::Answer;
use crate::web::pages::Page;
use crate::web::return_to::ReturnTo;

/// Where people are sent who asked for no other page.
const HOME: &str = "/account";

#[derive(Debug)]
pub enum Way {
    /// A path of this service.
    Here(String),
    /// A page of a site, where the browser began with this flow; without one it begins there anew.
    Site(SiteAddress, Option<TokenHash>),
}

impl Way {
    /// Reads the `rd` and `flow` parameters; what leads nowhere of ours leads home.
    pub async fn find(app: &App, rd: Option<&str>, flow: Option<&str>) -> Result<Self, Error> {
        let rd = rd.unwrap_or_default();
        if let Some(path) = ReturnTo::parse(rd, app.settings.url()) {
            return Ok(Self::Here(path.as_str().to_owned()));
        }
        let site = site_address(app, rd).await?;
        Ok(site.map_or_else(
            || Self::Here(HOME.to_owned()),
            |site| Self::Site(site, flow.and_then(TokenHash::parse)),
        ))
    }

    /// The host that a person is on the way to, if it is another.
    pub fn host(&self) -> Option<String> {
        match self {
            Self::Here(_) => None,
            Self::Site(site, _) => Some(site.host().to_string()),
        }
    }

    /// Tickets are made only for a person who opens the page, not for a prefetch.
    pub fn needs_ticket(&self) -> bool {
        matches!(self, Self::Site(_, Some(_)))
    }

    /// The address to go to, with a ticket of the session if one is needed, and the cookie to take
    /// along.
    pub async fn next(
        &self,
        app: &App,
        session: &TokenHash,
        retry: bool,
    ) -> Result<(String, Option<String>), Error> {
        match self {
            Self::Here(path) => Ok((path.clone(), None)),
            Self::Site(site, None) => Ok((site.as_str().to_owned(), None)),
            Self::Site(site, Some(flow)) => {
                let minted = mint(app, session, site, flow, retry).await?;
                // Too many tickets are on their way: the account page is a place to rest.
                Ok(minted.map_or_else(
                    || (HOME.to_owned(), None),
                    |minted| (minted.entrance, minted.domain_cookie),
                ))
            }
        }
    }

    /// The answer to the sign-in form. To another host it is a page that leaves by itself: browsers
    /// hold a redirect that follows a form to our form-action.
    pub async fn leave(&self, app: &App, session: &TokenHash) -> Result<Answer, Error> {
        let (target, cookie) = self.next(app, session, false).await?;
        let answer = match self.host() {
            None => Answer::see_other(&target),
            Some(host) => Answer::page(app, Status::Ok, &ContinuePage { target, host }, None)?,
        };
        Ok(cookie.into_iter().fold(answer, Answer::cookie))
    }
}

#[derive(Serialize)]
pub struct ContinuePage {
    target: String,
    host: String,
}

impl Page for ContinuePage {
    const TEMPLATE: &'static str = "continue.html";

    fn samples(text: &str) -> Vec<Self> {
        vec![Self {
            target: text.to_owned(),
            host: text.to_owned(),
        }]
    }
}
