//! Every session on one page, and the end of any of them.

use rocket::http::Status;
use rocket::{FromForm, get, post, routes};
use serde::Serialize;
use uuid::Uuid;

use super::query::{self, address, bad};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::error::Error;
use crate::login::Sensitive;
use crate::sessions::listing::{self, Cursor, Listing, Query, Sort, State};
use crate::sessions::view::SessionView;
use crate::sessions::{self, Admin, CurrentSession, Which};
use crate::web::pages::{Page, PageKind, Template, template};
use crate::web::{Answer, Failure, Refusal, Slice, Visit, back_to};

const HERE: &str = "/admin/sessions";

/// Counting stops here: beyond, nobody reads the number.
const COUNT_MOST: i64 = 10_001;

#[must_use]
pub fn slice() -> Slice {
    let routes = routes![list, revoke, revoke_everyone_form, revoke_everyone];
    Slice::new(
        routes,
        vec![
            PageKind::of::<SessionsPage>(),
            PageKind::of::<RevokeEveryonePage>(),
        ],
    )
}

#[get("/admin/sessions?<q>&<state>&<sort>&<after>&<limit>")]
#[expect(
    clippy::too_many_arguments,
    reason = "the parameters of the page's address"
)]
async fn list(
    app: &App,
    _visit: Visit,
    _admin: Admin,
    current: CurrentSession,
    q: Option<&str>,
    state: Option<&str>,
    sort: Option<&str>,
    after: Option<&str>,
    limit: Option<&str>,
) -> Result<Answer, Failure> {
    let query = Query {
        q: q.unwrap_or_default().trim().to_owned(),
        user_id: None,
        state: query::parse("state", state, State::Live)?,
        sort: query::parse("sort", sort, Sort::LastSeen)?,
        after: query::parse_optional("after", after)?,
        limit: query::limit(limit, listing::MAX_LIMIT)?,
    };
    if query
        .after
        .as_ref()
        .is_some_and(|after| !after.is_of(query.sort))
    {
        return Err(bad("after").into());
    }
    let listing = listing::page(app, &query).await?;
    let page = SessionsPage {
        count: found_text(app, &query, &listing).await?,
        more: listing.next.map(|next| link(&query, Some(&next))),
        first: query.after.is_some().then(|| link(&query, None)),
        rd: link(&query, query.after.as_ref()),
        sessions: listing
            .sessions
            .into_iter()
            .map(|found| SessionView::new(found, current.session.id))
            .collect(),
        query: QueryView {
            q: query.q,
            state: query.state.as_str(),
            sort: query.sort.as_str(),
            limit: query.limit,
        },
    };
    Ok(Answer::page(app, Status::Ok, &page, Some(&current.user))?)
}

fn link(query: &Query, after: Option<&Cursor>) -> String {
    let limit = query.limit.to_string();
    let after = after.map(ToString::to_string).unwrap_or_default();
    let limit = if query.limit == query::DEFAULT_LIMIT {
        ""
    } else {
        &limit
    };
    address(
        HERE,
        &[
            ("q", &query.q),
            ("state", query.state.as_str()),
            ("sort", query.sort.as_str()),
            ("after", &after),
            ("limit", limit),
        ],
    )
}

/// How many were found. A search is not counted beyond its page: that could read every row.
async fn found_text(app: &App, query: &Query, listing: &Listing) -> Result<String, Error> {
    let shown = listing.sessions.len();
    match (query.q.is_empty(), &listing.next, &query.after) {
        (true, ..) => Ok(count_text(
            listing::count(app, query.state, COUNT_MOST).await?,
        )),
        (false, None, None) => Ok(shown.to_string()),
        (false, ..) => Ok(format!("more than {shown}")),
    }
}

fn count_text(count: i64) -> String {
    if count >= COUNT_MOST {
        "more than 10,000".to_owned()
    } else {
        count.to_string()
    }
}

#[derive(FromForm)]
struct RevokeForm {
    rd: Option<String>,
}

#[post("/admin/sessions/<id>/revoke", data = "<form>")]
async fn revoke(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    form: Sensitive<RevokeForm>,
) -> Result<Answer, Failure> {
    let id = Uuid::try_parse(id).map_err(|_| Refusal::not_found())?;
    let actor = Actor::user(&admin.0, visit.address);
    if sessions::revoke(app, &actor, Which::One { id, of: None }).await? == 0 {
        return Err(Refusal::not_found().into());
    }
    Ok(Answer::see_other(&back_to(app, form.0.rd.as_deref(), HERE)))
}

#[get("/admin/sessions/revoke-everyone")]
async fn revoke_everyone_form(app: &App, _visit: Visit, admin: Admin) -> Result<Answer, Failure> {
    let count = listing::count(app, State::Live, COUNT_MOST).await?;
    let page = RevokeEveryonePage {
        count: count_text(count),
        others: count_text((count - 1).max(0)),
    };
    Ok(Answer::page(app, Status::Ok, &page, Some(&admin.0))?)
}

#[derive(FromForm)]
struct RevokeEveryoneForm {
    /// One's own session too.
    own: Option<String>,
}

#[post("/admin/sessions/revoke-everyone", data = "<form>")]
async fn revoke_everyone(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    form: Sensitive<RevokeEveryoneForm>,
) -> Result<Answer, Failure> {
    let own_too = form.0.own.as_deref() == Some("on");
    let keep = (!own_too).then_some(current.session.id);
    sessions::revoke_everyone(app, &Actor::user(&admin.0, visit.address), keep).await?;
    Ok(Answer::see_other(if own_too { "/login" } else { HERE }))
}

#[derive(Serialize)]
pub struct SessionsPage {
    query: QueryView,
    sessions: Vec<SessionView>,
    count: String,
    more: Option<String>,
    first: Option<String>,
    /// The address of this page, to come back to.
    rd: String,
}

#[derive(Serialize)]
struct QueryView {
    q: String,
    state: &'static str,
    sort: &'static str,
    limit: u32,
}

impl Page for SessionsPage {
    const TEMPLATE: Template = template!("admin/sessions.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |state, sessions, place: Option<&str>| Self {
            query: QueryView {
                q: text.to_owned(),
                state,
                sort: "last_seen",
                limit: 50,
            },
            sessions,
            count: "2".to_owned(),
            more: place.map(str::to_owned),
            first: place.map(str::to_owned),
            rd: text.to_owned(),
        };
        vec![
            page("live", Vec::new(), None),
            page("all", SessionView::samples(text), Some(text)),
        ]
    }
}

#[derive(Serialize)]
pub struct RevokeEveryonePage {
    count: String,
    others: String,
}

impl Page for RevokeEveryonePage {
    const TEMPLATE: Template = template!("admin/revoke_everyone.html");

    fn samples(_: &str) -> Vec<Self> {
        vec![Self {
            count: "12".to_owned(),
            others: "11".to_owned(),
        }]
    }
}
