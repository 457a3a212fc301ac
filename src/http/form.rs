//! Forms, read strictly: what is not exactly the form is refused as a whole.

use std::sync::Arc;

use rocket::Request;
use rocket::data::{self, ByteUnit, Data, FromData};
use rocket::form::{Form, FromForm, Strict};
use rocket::http::Status;
use rocket::outcome::Outcome;

use super::{Refusal, origin};
use crate::app::App;

/// Far above any form of ours: a password has 1,024 bytes at most, an address 2,000.
const LIMIT: ByteUnit = ByteUnit::Kibibyte(16);

/// A form that came from a page of ours, with each field once and no other.
///
/// Rocket's own form guard takes the first of doubled fields and replaces what is not UTF-8.
#[derive(Debug)]
pub struct Posted<T>(pub T);

#[rocket::async_trait]
impl<'r, T> FromData<'r> for Posted<T>
where
    T: for<'f> FromForm<'f> + Send + 'static,
{
    type Error = Refusal;

    async fn from_data(
        request: &'r Request<'_>,
        data: Data<'r>,
    ) -> data::Outcome<'r, Self, Refusal> {
        match read(request, data).await {
            Ok(form) => Outcome::Success(Self(form)),
            Err(refusal) => refusal.stop_data(request),
        }
    }
}

async fn read<T: for<'f> FromForm<'f> + 'static>(
    request: &Request<'_>,
    data: Data<'_>,
) -> Result<T, Refusal> {
    let app = request
        .rocket()
        .state::<Arc<App>>()
        .ok_or_else(Refusal::unavailable)?;
    if !origin::is_from_us(request, app.settings.url()) {
        tracing::warn!(path = %request.uri().path(), "a form from another site was refused");
        return Err(Refusal::foreign_form());
    }
    if !request.content_type().is_some_and(|kind| kind.is_form()) {
        return Err(Refusal::not_a_form());
    }
    let body = data
        .open(LIMIT)
        .into_bytes()
        .await
        .map_err(|_| Refusal::incomplete_body())?;
    if !body.is_complete() {
        return Err(Refusal::too_large());
    }
    parse(&body)
}

/// Fields that are all there, once each, in UTF-8 and without NUL.
fn parse<T: for<'f> FromForm<'f> + 'static>(body: &[u8]) -> Result<T, Refusal> {
    let text = std::str::from_utf8(body).map_err(|_| Refusal::not_utf8())?;
    let decoded: Vec<u8> = percent_encoding::percent_decode(text.as_bytes()).collect();
    if std::str::from_utf8(&decoded).is_err() || decoded.contains(&0) {
        return Err(Refusal::not_utf8());
    }
    let mut names: Vec<String> = url::form_urlencoded::parse(body)
        .map(|(name, _)| name.into_owned())
        .collect();
    if !names.iter().all(|name| is_plain(name)) {
        return Err(Refusal::of_status(Status::UnprocessableEntity));
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    if names.len() < count {
        return Err(Refusal::doubled_field());
    }
    Form::<Strict<T>>::parse_encoded(text.into())
        .map(Strict::into_inner)
        .map_err(|errors| Refusal::wrong_fields(&errors))
}

/// Rocket reads `name[]` and `name.x` as `name`: a doubled field under another spelling.
fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
