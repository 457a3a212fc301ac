//! The one form that brings a file along: an icon.

use std::convert::Infallible;
use std::sync::Arc;

use rocket::Request;
use rocket::data::{self, Data, FromData, ToByteUnit};
use rocket::futures::stream;
use rocket::http::Status;
use rocket::outcome::Outcome;

use super::icon::{Icon, MOST_BYTES, NoIcon};
use crate::foundation::app::App;
use crate::sessions::CurrentSession;
use crate::web::{Answer, Refusal, ResponseExtras, origin, with_query};

/// What stands around the file in the form.
const MOST_AROUND: usize = 4 * 1_024;

/// The file of a form of ours with a field `icon` and no other, from a user whose password was checked lately.
///
/// A file cannot wait in a page that asks for the password: otherwise that page comes first, and the form is sent again.
#[derive(Debug)]
pub struct Uploaded(pub Result<Icon, NoIcon>);

#[rocket::async_trait]
impl<'r> FromData<'r> for Uploaded {
    type Error = Refusal;

    async fn from_data(
        request: &'r Request<'_>,
        data: Data<'r>,
    ) -> data::Outcome<'r, Self, Refusal> {
        match read(request, data).await {
            Ok(icon) => Outcome::Success(Self(icon)),
            Err(refusal) => refusal.stop_data(request),
        }
    }
}

async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Result<Icon, NoIcon>, Refusal> {
    let app = request
        .rocket()
        .state::<Arc<App>>()
        .ok_or_else(Refusal::unavailable)?;
    if !origin::is_from_us(request, app.settings.url()) {
        return Err(Refusal::foreign_form());
    }
    let content_type = request
        .headers()
        .get_one("content-type")
        .unwrap_or_default();
    let boundary = multer::parse_boundary(content_type).map_err(|_| Refusal::not_a_form())?;
    let body = data
        .open((MOST_BYTES + MOST_AROUND).bytes())
        .into_bytes()
        .await
        .map_err(|_| Refusal::incomplete_body())?;
    // The guards of these routes have let it through before.
    let current = request
        .guard::<CurrentSession>()
        .await
        .succeeded()
        .ok_or_else(|| Refusal::of_status(Status::Unauthorized))?;
    let settings = &app.settings.sessions;
    if !current.session.is_fresh(
        &current.user,
        app.clock.now(),
        settings.reauthenticate_after,
    ) {
        let page = request.uri().path().to_string();
        let page = page.strip_suffix("/icon").unwrap_or("/");
        let way = with_query(
            "/reauthenticate",
            &[("rd", Some(page)), ("rm", Some("POST"))],
        );
        let _ = ResponseExtras::of(request)
            .answer
            .set(Answer::see_other(&way));
        return Err(Refusal::of_status(Status::Forbidden));
    }
    if !body.is_complete() {
        return Ok(Err(NoIcon::TooLarge));
    }
    Ok(Icon::read(file(body.into_inner(), boundary).await?))
}

async fn file(body: Vec<u8>, boundary: String) -> Result<Vec<u8>, Refusal> {
    let wrong = || Refusal::of_status(Status::UnprocessableEntity);
    let whole = stream::iter([Ok::<_, Infallible>(body)]);
    let mut form = multer::Multipart::new(whole, boundary);
    let field = form.next_field().await.map_err(|_| wrong())?;
    let field = field
        .filter(|field| field.name() == Some("icon"))
        .ok_or_else(wrong)?;
    let image = field.bytes().await.map_err(|_| wrong())?;
    match form.next_field().await {
        Ok(None) => Ok(image.to_vec()),
        _ => Err(wrong()),
    }
}
