//! Where a browser goes once it is signed in: a page of this host, or a page of another host, which it
//! enters through a [`Gateway`].

use rocket::http::Status;
use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::token::TokenHash;
use crate::web::Answer;
use crate::web::pages::{Page, Template, template};
use crate::web::return_to::ReturnTo;

/// Where people are sent who asked for no other page.
const HOME: &str = "/account";

/// Leads signed-in browsers to other hosts. Protected sites, which stand above, register theirs.
#[rocket::async_trait]
pub trait Gateway: Send + Sync {
    /// Reads an `rd` parameter. `None`: it is no page of a host that this leads to.
    async fn find(&self, app: &App, rd: &str) -> Result<Option<External>, Error>;

    /// Lets the browser of `session`, which began there with `flow`, in. `None`: not now, for too many
    /// of the session are on their way.
    async fn enter(
        &self,
        app: &App,
        to: &External,
        session: &TokenHash,
        flow: &TokenHash,
        retry: bool,
    ) -> Result<Option<Entrance>, Error>;
}

/// A page of another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    pub host: String,
    pub url: String,
}

/// Where a browser enters another host.
#[derive(Debug)]
pub struct Entrance {
    pub url: String,
    /// A `Set-Cookie` that the browser takes along.
    pub cookie: Option<String>,
}

#[derive(Debug)]
pub(super) enum Destination {
    /// A path of this service.
    Local(String),
    /// A page of another host, where the browser began with this flow; without one it begins there anew.
    External(External, Option<TokenHash>),
}

impl Destination {
    /// Reads the `rd` and `flow` parameters; what leads nowhere known leads home.
    pub async fn find(app: &App, rd: Option<&str>, flow: Option<&str>) -> Result<Self, Error> {
        let rd = rd.unwrap_or_default();
        if let Some(path) = ReturnTo::parse(rd, app.settings.url()) {
            return Ok(Self::Local(path.as_str().to_owned()));
        }
        let external = gateway(app).find(app, rd).await?;
        Ok(external.map_or_else(
            || Self::Local(HOME.to_owned()),
            |external| Self::External(external, flow.and_then(TokenHash::parse)),
        ))
    }

    /// The host that a person is on the way to, if it is another.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Local(_) => None,
            Self::External(external, _) => Some(&external.host),
        }
    }

    /// Tickets are made only for a person who opens the page, not for a prefetch.
    pub fn needs_ticket(&self) -> bool {
        matches!(self, Self::External(_, Some(_)))
    }

    /// The address to go to, with a ticket of the session if one is needed.
    pub async fn entrance(
        &self,
        app: &App,
        session: &TokenHash,
        retry: bool,
    ) -> Result<Entrance, Error> {
        let plain = |url: &str| Entrance {
            url: url.to_owned(),
            cookie: None,
        };
        match self {
            Self::Local(path) => Ok(plain(path)),
            Self::External(external, None) => Ok(plain(&external.url)),
            Self::External(external, Some(flow)) => {
                let entrance = gateway(app).enter(app, external, session, flow, retry);
                // Too many tickets are on their way: the account page is a place to rest.
                Ok(entrance.await?.unwrap_or_else(|| plain(HOME)))
            }
        }
    }

    /// The answer to the sign-in form. To another host it is a page that leaves by itself: browsers
    /// hold a redirect that follows a form to the form-action of the policy.
    pub async fn continue_to(&self, app: &App, session: &TokenHash) -> Result<Answer, Error> {
        let Entrance { url, cookie } = self.entrance(app, session, false).await?;
        let answer = match self.host() {
            None => Answer::see_other(&url),
            Some(host) => {
                let page = ContinuePage {
                    target: url,
                    host: host.to_owned(),
                };
                Answer::page(app, Status::Ok, &page, None)?
            }
        };
        Ok(cookie.into_iter().fold(answer, Answer::cookie))
    }
}

fn gateway(app: &App) -> &dyn Gateway {
    app.state::<Box<dyn Gateway>>().as_ref()
}

#[derive(Serialize)]
pub struct ContinuePage {
    target: String,
    host: String,
}

impl Page for ContinuePage {
    const TEMPLATE: Template = template!("continue.html");

    fn samples(text: &str) -> Vec<Self> {
        vec![Self {
            target: text.to_owned(),
            host: text.to_owned(),
        }]
    }
}
