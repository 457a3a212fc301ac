//! One's own sessions, by device.

use rocket::http::Status;
use rocket::{Route, get, post, routes};
use serde::Serialize;
use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::login::{NoFields, Sensitive};
use crate::sessions::listing::{self, MAX_LIMIT, Query, Sort, State};
use crate::sessions::trusted::{self, TrustedDevice};
use crate::sessions::view::SessionView;
use crate::sessions::{self, CurrentSession, CurrentUser, Which};
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Failure, Refusal, Visit};

const HERE: &str = "/account/sessions";

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![list, revoke, revoke_others, distrust]
}

#[get("/account/sessions")]
async fn list(
    app: &App,
    _visit: Visit,
    user: CurrentUser,
    current: CurrentSession,
) -> Result<Answer, Failure> {
    let query = Query {
        q: String::new(),
        user_id: Some(user.id),
        state: State::Live,
        sort: Sort::LastSeen,
        after: None,
        limit: MAX_LIMIT,
    };
    let found = listing::page(app, &query).await?.sessions;
    let page = DevicesPage {
        trusted: trusted::list(app, user.id).await?,
        sessions: found
            .into_iter()
            .map(|found| SessionView::new(found, current.session.id))
            .collect(),
    };
    Ok(Answer::page(app, Status::Ok, &page, Some(&user.0))?)
}

#[post("/account/sessions/<id>/revoke", data = "<_form>")]
async fn revoke(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let id = Uuid::try_parse(id).map_err(|_| Refusal::not_found())?;
    let actor = Actor::user(&user.0, visit.address);
    // Another user's session is as unknown as none.
    if sessions::revoke(
        app,
        &actor,
        Which::One {
            id,
            of: Some(user.id),
        },
    )
    .await?
        == 0
    {
        return Err(Refusal::not_found().into());
    }
    Ok(Answer::see_other(HERE))
}

#[post("/account/sessions/revoke-others", data = "<_form>")]
async fn revoke_others(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    current: CurrentSession,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let which = Which::AllOf {
        user_id: user.id,
        keep: Some(current.session.id),
    };
    sessions::revoke(app, &Actor::user(&user.0, visit.address), which).await?;
    Ok(Answer::see_other(HERE))
}

#[post("/account/trusted/<id>/revoke", data = "<_form>")]
async fn distrust(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let id = Uuid::try_parse(id).map_err(|_| Refusal::not_found())?;
    let actor = Actor::user(&user.0, visit.address);
    match trusted::distrust(app, &actor, &user, id).await? {
        true => Ok(Answer::see_other(HERE)),
        false => Err(Refusal::not_found().into()),
    }
}

#[derive(Serialize)]
pub struct DevicesPage {
    sessions: Vec<SessionView>,
    trusted: Vec<TrustedDevice>,
}

impl Page for DevicesPage {
    const TEMPLATE: Template = template!("account/sessions.html");

    fn samples(text: &str) -> Vec<Self> {
        vec![
            Self {
                sessions: Vec::new(),
                trusted: Vec::new(),
            },
            Self {
                sessions: SessionView::samples(text),
                trusted: vec![TrustedDevice::sample(text)],
            },
        ]
    }
}
