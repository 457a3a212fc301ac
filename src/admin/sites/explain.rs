//! Why a request would be decided as it is, as a page.

use std::net::IpAddr;

use rocket::get;
use rocket::http::Status;

use super::pages::{ExplainPage, ExplainQuery};
use super::sentence;
use super::suggestions::Suggestions;
use crate::admin::query;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::people::users;
use crate::sessions::Admin;
use crate::sites::OriginalRequest;
use crate::sites::explain::{Explanation, explain};
use crate::sites::terms::Factors;
use crate::sites::visitor::Visitor;
use crate::web::{Answer, Failure, Visit};

#[get("/admin/explain?<url>&<user>&<method>&<from>&<factor>")]
#[expect(
    clippy::too_many_arguments,
    reason = "the parameters of the page's address"
)]
pub(super) async fn explain_request(
    app: &App,
    _visit: Visit,
    admin: Admin,
    url: Option<&str>,
    user: Option<&str>,
    method: Option<&str>,
    from: Option<&str>,
    factor: Option<&str>,
) -> Result<Answer, Failure> {
    let text = |parameter: Option<&str>| parameter.unwrap_or_default().trim().to_owned();
    let method = text(method);
    let asked = ExplainQuery {
        url: text(url),
        user: text(user),
        method: if method.is_empty() {
            "GET".to_owned()
        } else {
            method
        },
        from: text(from),
        factor: text(factor),
    };
    let factors = query::parse_optional("factor", Some(&asked.factor))?;
    let address: Option<IpAddr> = query::parse_optional("from", Some(&asked.from))?;
    let (told, error) = if asked.url.is_empty() {
        (None, None)
    } else {
        judge(app, &asked, address, factors).await?
    };
    let status = if error.is_some() {
        Status::UnprocessableEntity
    } else {
        Status::Ok
    };
    Ok(Answer::page(
        app,
        status,
        &ExplainPage {
            suggestions: Suggestions::read(app).await?,
            query: asked,
            told,
            error,
        },
        Some(&admin.0),
    )?)
}

async fn judge(
    app: &App,
    asked: &ExplainQuery,
    address: Option<IpAddr>,
    factors: Option<Factors>,
) -> Result<(Option<Explanation>, Option<String>), Error> {
    let request = match OriginalRequest::of_url(app, &asked.url, &asked.method, address) {
        Ok(request) => request,
        Err(malformed) => return Ok((None, Some(sentence(&malformed)))),
    };
    let user = users::by_name(app.db.reader(), &asked.user).await?;
    if user.is_none() && !asked.user.is_empty() {
        return Ok((None, Some("There is no such user.".to_owned())));
    }
    let visitor = user.map(|user| Visitor::supposed(user, factors));
    Ok((Some(explain(app, &request, visitor.as_ref()).await?), None))
}
