//! The applications that a user is connected to.

use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};
use serde::Serialize;

use super::{Connected, connected, disconnect};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::clock::Timestamp;
use crate::login::Sensitive;
use crate::sessions::CurrentUser;
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Failure, Refusal, Visit};

const HERE: &str = "/account/applications";

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![show, end]
}

#[get("/account/applications")]
async fn show(app: &App, _visit: Visit, user: CurrentUser) -> Result<Answer, Failure> {
    let page = ConnectedPage {
        applications: connected(app, user.0.id).await?,
    };
    Ok(Answer::page(app, Status::Ok, &page, Some(&user.0))?)
}

#[derive(FromForm)]
struct EndForm {
    client_id: String,
}

#[post("/account/applications/disconnect", data = "<form>")]
async fn end(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    form: Sensitive<EndForm>,
) -> Result<Answer, Failure> {
    let Sensitive(form) = form;
    let actor = Actor::user(&user.0, visit.address);
    if !disconnect(app, &actor, &user.0, &form.client_id).await? {
        return Err(Refusal::not_found().link(HERE, "Your applications").into());
    }
    Ok(Answer::see_other(HERE))
}

#[derive(Serialize)]
pub struct ConnectedPage {
    applications: Vec<Connected>,
}

impl Page for ConnectedPage {
    const TEMPLATE: Template = template!("oidc/connected.html");

    fn samples(text: &str) -> Vec<Self> {
        let application = |offline| Connected {
            client_id: text.to_owned(),
            name: text.to_owned(),
            since: Timestamp::from_micros(0),
            last_used_at: Timestamp::from_micros(0),
            offline,
        };
        vec![
            Self {
                applications: Vec::new(),
            },
            Self {
                applications: vec![application(true), application(false)],
            },
        ]
    }
}
