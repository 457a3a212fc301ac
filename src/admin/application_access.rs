//! Whether a user may enter an application, and what it would be told, as a page.

use rocket::http::Status;
use rocket::{get, routes};
use serde::Serialize;

use super::query;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::oidc::clients;
use crate::oidc::explain::{Explanation, USUAL_SCOPE, explain};
use crate::people::users;
use crate::sessions::Admin;
use crate::sites::terms::Factors;
use crate::web::pages::{Page, PageKind, Template, template};
use crate::web::{Answer, Failure, Slice, Visit};

/// More than people look through.
const MOST_SUGGESTED: u32 = 200;

#[must_use]
pub fn slice() -> Slice {
    Slice::new(routes![show], vec![PageKind::of::<AccessPage>()])
}

#[get("/admin/explain/application?<client>&<user>&<factor>&<scope>")]
async fn show(
    app: &App,
    _visit: Visit,
    admin: Admin,
    client: Option<&str>,
    user: Option<&str>,
    factor: Option<&str>,
    scope: Option<&str>,
) -> Result<Answer, Failure> {
    let text = |parameter: Option<&str>| parameter.unwrap_or_default().trim().to_owned();
    let asked = AccessQuery {
        client: text(client),
        user: text(user),
        factor: text(factor),
        scope: match text(scope) {
            scope if scope.is_empty() => USUAL_SCOPE.to_owned(),
            scope => scope,
        },
    };
    let factors = query::parse_optional("factor", Some(&asked.factor))?;
    let told = if asked.user.is_empty() {
        Ok(None)
    } else {
        judge(app, &asked, factors).await?.map(Some)
    };
    let status = match &told {
        Ok(_) => Status::Ok,
        Err(_) => Status::UnprocessableEntity,
    };
    let page = AccessPage {
        clients: clients::list(app)
            .await?
            .into_iter()
            .map(|client| client.name)
            .collect(),
        users: users::some_usernames(app.db.reader(), MOST_SUGGESTED).await?,
        query: asked,
        error: told.as_ref().err().map(|error| (*error).to_owned()),
        told: told.ok().flatten().map(Told::from),
    };
    Ok(Answer::page(app, status, &page, Some(&admin.0))?)
}

async fn judge(
    app: &App,
    asked: &AccessQuery,
    factors: Option<Factors>,
) -> Result<Result<Explanation, &'static str>, Error> {
    let Some(client) = clients::find(app, &asked.client).await? else {
        return Ok(Err("There is no such application."));
    };
    let Some(user) = users::by_name(app.db.reader(), &asked.user).await? else {
        return Ok(Err("There is no such user."));
    };
    let two_factors = factors.map(|factors| factors == Factors::Two);
    explain(app, &client, &user, two_factors, &asked.scope)
        .await
        .map(Ok)
}

#[derive(Serialize)]
struct AccessQuery {
    /// Name or client_id.
    client: String,
    user: String,
    /// `one` or `two`; as many as the user has, if empty.
    factor: String,
    scope: String,
}

/// Claims as lines of JSON, sorted by name.
#[derive(Serialize)]
struct Told {
    decision: &'static str,
    because: String,
    claims: Vec<(&'static str, String)>,
}

impl From<Explanation> for Told {
    fn from(told: Explanation) -> Self {
        let places = [("id_token", told.id_token), ("userinfo", told.userinfo)];
        let places = places.into_iter().filter(|(_, claims)| !claims.is_empty());
        let lines = |claims| serde_json::to_string_pretty(&claims).unwrap_or_default();
        Self {
            decision: told.decision,
            because: told.because,
            claims: places
                .map(|(place, claims)| (place, lines(claims)))
                .collect(),
        }
    }
}

#[derive(Serialize)]
pub struct AccessPage {
    query: AccessQuery,
    clients: Vec<String>,
    users: Vec<String>,
    told: Option<Told>,
    error: Option<String>,
}

impl Page for AccessPage {
    const TEMPLATE: Template = template!("admin/application_access.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |told, error: Option<&str>| Self {
            query: AccessQuery {
                client: text.to_owned(),
                user: text.to_owned(),
                factor: text.to_owned(),
                scope: text.to_owned(),
            },
            clients: vec![text.to_owned()],
            users: vec![text.to_owned()],
            told,
            error: error.map(str::to_owned),
        };
        let told = Told {
            decision: "enter",
            because: text.to_owned(),
            claims: vec![("id_token", text.to_owned()), ("userinfo", text.to_owned())],
        };
        vec![page(None, Some(text)), page(Some(told), None)]
    }
}
