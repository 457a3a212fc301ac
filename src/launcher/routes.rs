use std::io::Cursor;

use rocket::http::Header;
use rocket::response::{self, Responder, Response};
use rocket::{Request, Route, get, routes};
use uuid::Uuid;

use super::icon::Icon;
use super::store;
use crate::foundation::app::App;
use crate::sessions::CurrentUser;
use crate::web::{Failure, Refusal, Visit, headers};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![icon]
}

#[get("/account/icons/<id>")]
async fn icon(app: &App, _visit: Visit, _user: CurrentUser, id: &str) -> Result<Icon, Failure> {
    let id = Uuid::try_parse(id).map_err(|_| Refusal::not_found())?;
    let found = store::icon(app.db.reader(), id).await?;
    Ok(found.ok_or_else(Refusal::not_found)?)
}

/// A picture and no more: opened by itself it runs nothing and loads nothing.
impl<'r> Responder<'r, 'static> for Icon {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response.raw_header("Content-Type", self.kind.content_type());
        for (name, value) in headers::OF_ICONS {
            response.header(Header::new(name.as_str().to_owned(), value));
        }
        response
            .sized_body(self.image.len(), Cursor::new(self.image))
            .ok()
    }
}
