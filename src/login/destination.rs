//! Where a browser goes once it is signed in: a page of this host, or a page of another host, which it
//! enters through a [`Gateway`].

use hyper::header::RETRY_AFTER;
use rocket::http::Status;
use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::token::TokenHash;
use crate::web::Answer;
use crate::web::pages::{Page, Template, template};
use crate::web::return_to::{ReturnTo, with_query};

/// Where people are sent who asked for no other page.
const HOME: &str = "/account";

/// Leads signed-in browsers to other hosts. Protected sites, which stand above, register theirs.
#[rocket::async_trait]
pub trait Gateway: Send + Sync {
    /// Reads an `rd` parameter. `None`: it is no page of a host that this leads to.
    async fn find(&self, app: &App, rd: &str) -> Result<Option<External>, Error>;

    /// A page of the other host that is shown in a frame, and leads out of it to `to`.
    fn out_of_frame(&self, app: &App, to: &External) -> String;

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
pub(crate) enum Destination {
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

    /// Where a frame goes that nobody is signed in for: no page of ours is shown in one.
    pub fn out_of_frame(&self, app: &App) -> Option<String> {
        match self {
            Self::Local(_) => None,
            Self::External(external, _) => Some(gateway(app).out_of_frame(app, external)),
        }
    }

    /// Tickets are made only for a person who opens the page, not for a prefetch.
    pub fn needs_ticket(&self) -> bool {
        matches!(self, Self::External(_, Some(_)))
    }

    /// The address to go to, with a ticket of the session if one is needed. `None`: not now, for too many
    /// of the session are on their way.
    async fn entrance(
        &self,
        app: &App,
        session: &TokenHash,
        retry: bool,
    ) -> Result<Option<Entrance>, Error> {
        let plain = |url: &str| Entrance {
            url: url.to_owned(),
            cookie: None,
        };
        match self {
            Self::Local(path) => Ok(Some(plain(path))),
            Self::External(external, None) => Ok(Some(plain(&external.url))),
            Self::External(external, Some(flow)) => {
                let entrance = gateway(app).enter(app, external, session, flow, retry);
                entrance.await
            }
        }
    }

    /// Sends a browser on that only opened a page.
    pub async fn redirect_to(
        &self,
        app: &App,
        session: &TokenHash,
        retry: bool,
    ) -> Result<Answer, Error> {
        let Entrance { url, cookie } = match self.entrance(app, session, retry).await {
            Ok(Some(entrance)) => entrance,
            Ok(None) => return self.wait(app),
            // Nothing is written yet: the next try may have its turn.
            Err(error) if error.status() == Status::ServiceUnavailable => {
                tracing::error!("{error}");
                app.note(&error);
                return self.wait(app);
            }
            Err(error) => return Err(error),
        };
        let answer = Answer::see_other(&url);
        let answer = match self {
            Self::Local(_) => answer,
            Self::External(..) => answer.keep_opener(),
        };
        Ok(cookie.into_iter().fold(answer, Answer::cookie))
    }

    /// The answer to a form. To another host it is a page that leaves by itself: browsers hold a redirect
    /// that follows a form to the form-action of the policy.
    pub async fn continue_to(&self, app: &App, session: &TokenHash) -> Result<Answer, Error> {
        let Some(Entrance { url, cookie }) = self.entrance(app, session, false).await? else {
            return self.wait(app);
        };
        let answer = match self.host() {
            None => after_form(app, &url)?,
            Some(host) => Answer::page(app, Status::Ok, &ContinuePage::to(url, host), None)?,
        };
        Ok(cookie.into_iter().fold(answer, Answer::cookie))
    }

    /// A page that tells what was lost on the way, and goes on by a click.
    pub fn stop(&self, app: &App, lost: Lost) -> Result<Answer, Error> {
        let page = ContinuePage {
            refresh: None,
            note: Some(lost.text()),
            ..ContinuePage::to(self.address(), self.host().unwrap_or_default())
        };
        Answer::page(app, Status::Ok, &page, None)
    }

    /// A page that tries again by itself: tickets are spent in a moment, and end in a minute.
    fn wait(&self, app: &App) -> Result<Answer, Error> {
        let page = ContinuePage {
            refresh: Some(WAIT),
            note: Some("Too much is going on at once. This page follows in a moment."),
            ..ContinuePage::to(self.address(), self.host().unwrap_or_default())
        };
        let answer = Answer::page(app, Status::ServiceUnavailable, &page, None)?;
        Ok(answer.header(RETRY_AFTER, WAIT.to_string()))
    }

    /// The sign-in page's address on the way to here.
    fn address(&self) -> String {
        let (rd, flow) = match self {
            Self::Local(path) => (path, None),
            Self::External(external, flow) => (&external.url, flow.as_ref()),
        };
        let flow = flow.map(|flow| flow.to_text());
        with_query("/login", &[("rd", Some(rd)), ("flow", flow.as_deref())])
    }
}

/// The answer to a form that leads to an address of another application, its own scheme among them.
pub(crate) fn leave_for(app: &App, url: String, name: &str) -> Result<Answer, Error> {
    Answer::page(app, Status::Ok, &ContinuePage::to(url, name), None)
}

/// The answer to a form that leads to a path of this service. The way of an application goes on to another host from there,
/// and browsers hold all redirects that follow a form to the form-action of the policy.
pub(crate) fn after_form(app: &App, path: &str) -> Result<Answer, Error> {
    let leads_on = ["/oauth/authorize?", "/login?rd=%2Foauth%2Fauthorize%3F"];
    if leads_on.iter().any(|beginning| path.starts_with(beginning)) {
        return leave_for(app, path.to_owned(), "the application");
    }
    Ok(Answer::see_other(path))
}

/// Seconds until a page that found too many others on their way tries again.
const WAIT: u8 = 2;

/// What does not come along to where a person goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// A form was sent after the session had ended.
    Form,
    /// The page's address is too long to be kept.
    Address,
}

impl Lost {
    /// Reads the `rm` and `cut` parameters.
    pub fn find(method: Option<&str>, cut: Option<&str>) -> Option<Self> {
        match method {
            Some(method) if !["", "GET", "HEAD"].contains(&method) => Some(Self::Form),
            _ => cut.map(|_| Self::Address),
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Form => {
                "The form that you sent was not taken, for you were no longer signed in. After this, fill it in and send it again."
            }
            Self::Address => {
                "The address of the page that you opened is too long to be kept. You go to the start page instead; open the page again from there."
            }
        }
    }
}

fn gateway(app: &App) -> &dyn Gateway {
    app.state::<Box<dyn Gateway>>().as_ref()
}

#[derive(Serialize)]
pub struct ContinuePage {
    target: String,
    host: String,
    /// Seconds until the page leaves by itself; it stays without.
    refresh: Option<u8>,
    note: Option<&'static str>,
}

impl ContinuePage {
    fn to(target: String, host: &str) -> Self {
        Self {
            target,
            host: host.to_owned(),
            refresh: Some(0),
            note: None,
        }
    }
}

impl Page for ContinuePage {
    const TEMPLATE: Template = template!("continue.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = || Self::to(text.to_owned(), text);
        let note = Some(Lost::Form.text());
        let refresh = None;
        vec![
            page(),
            Self {
                refresh,
                note,
                ..page()
            },
        ]
    }
}
