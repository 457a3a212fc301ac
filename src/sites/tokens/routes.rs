use std::time::Duration;

use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};
use uuid::Uuid;

use super::Wish;
use super::pages::{TokenPage, TokenValues, TokensPage};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::error::Error;
use crate::login::{NoFields, Sensitive};
use crate::people::app_tokens::{self, AppToken, Refused, Secret};
use crate::sessions::{CurrentSession, CurrentUser};
use crate::sites::policy;
use crate::web::{Answer, Failure, Refusal, Visit};

const HERE: &str = "/account/tokens";

pub fn routes() -> Vec<Route> {
    routes![list, add, revoke]
}

#[get("/account/tokens")]
async fn list(app: &App, _visit: Visit, user: CurrentUser) -> Result<Answer, Failure> {
    let page = TokensPage::now(app, user.id, TokenValues::default(), None).await?;
    Ok(Answer::page(app, Status::Ok, &page, Some(&user.0))?)
}

#[derive(FromForm)]
struct TokenForm {
    /// Of the token that is made, so that a form that is sent twice makes one.
    id: String,
    name: String,
    /// Hosts, with commas or blanks between them.
    sites: Option<String>,
    all_sites: Option<String>,
    networks: Option<String>,
    /// Like 90d, or `never`.
    expires: Option<String>,
}

/// The answer to this very form shows the secret, and nothing after it.
#[post("/account/tokens", data = "<form>")]
async fn add(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    current: CurrentSession,
    form: Sensitive<TokenForm>,
) -> Result<Answer, Failure> {
    let Sensitive(form) = form;
    let actor = Actor::user(&user.0, visit.address);
    let secret = Secret::generate();
    match make(app, &actor, &current, &form, &secret).await? {
        Ok(token) => {
            let page = TokenPage {
                name: token.name,
                username: user.username.clone(),
                secret: secret.reveal().to_owned(),
            };
            Ok(Answer::page(app, Status::Ok, &page, Some(&user.0))?)
        }
        Err(Told::Again) => Ok(Answer::see_other(HERE)),
        Err(Told::Refused(error)) => {
            let page = TokensPage::now(app, user.id, form.values(), Some(error)).await?;
            let status = Status::UnprocessableEntity;
            Ok(Answer::page(app, status, &page, Some(&user.0))?)
        }
    }
}

enum Told {
    /// The form was sent before, and its token made.
    Again,
    Refused(String),
}

async fn make(
    app: &App,
    actor: &Actor,
    current: &CurrentSession,
    form: &TokenForm,
    secret: &Secret,
) -> Result<Result<AppToken, Told>, Error> {
    let (Ok(id), Ok(wish)) = (Uuid::try_parse(&form.id), form.wish()) else {
        let told = "A token ends after a time like 90d, or never.".to_owned();
        return Ok(Err(Told::Refused(told)));
    };
    let policy = policy::current(app).await?;
    let two_factor = current.session.methods.is_two_factor();
    let new = match wish.read(&policy, id, two_factor, app.clock.now()) {
        Ok(new) => new,
        Err(unreadable) => return Ok(Err(Told::Refused(unreadable.to_string()))),
    };
    let added = app_tokens::add(app, actor, &current.user.username, new, secret).await?;
    Ok(added.map_err(|refused| match refused {
        Refused::Again => Told::Again,
        refused => Told::Refused(refused.to_string()),
    }))
}

impl TokenForm {
    /// # Errors
    /// The time is none.
    fn wish(&self) -> Result<Wish, humantime::DurationError> {
        let lifetime: Option<Duration> = match self.expires.as_deref().unwrap_or_default().trim() {
            "" | "never" => None,
            text => Some(humantime::parse_duration(text)?),
        };
        Ok(Wish {
            name: self.name.clone(),
            sites: words(self.sites.as_deref()),
            all_sites: self.all_sites.as_deref() == Some("on"),
            networks: words(self.networks.as_deref()),
            lifetime,
        })
    }

    fn values(&self) -> TokenValues {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        TokenValues {
            name: self.name.clone(),
            sites: text(&self.sites),
            all_sites: self.all_sites.is_some(),
            networks: text(&self.networks),
            expires: text(&self.expires),
        }
    }
}

fn words(text: Option<&str>) -> Vec<String> {
    let words = text.unwrap_or_default().split([',', ' ']);
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[post("/account/tokens/<id>/revoke", data = "<_form>")]
async fn revoke(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let id = Uuid::try_parse(id).map_err(|_| Refusal::not_found())?;
    let actor = Actor::user(&user.0, visit.address);
    // Another user's token is as unknown as none.
    if !app_tokens::revoke(app, &actor, id, Some(user.id)).await? {
        return Err(Refusal::not_found().into());
    }
    Ok(Answer::see_other(HERE))
}
