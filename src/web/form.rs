//! Forms, read strictly: what is not exactly the form is refused as a whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use rocket::Request;
use rocket::data::{self, ByteUnit, Data, FromData};
use rocket::form::{Form, FromForm, Strict};
use rocket::http::Status;
use rocket::outcome::Outcome;

use super::{Refusal, origin};
use crate::foundation::app::App;

/// Far above any form of Vestibule's: a password has 1,024 bytes at most, an address 2,000.
const LIMIT: ByteUnit = ByteUnit::Kibibyte(16);

/// A form that came from one of Vestibule's pages, with each field once and no other.
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
        let form = Fields::read(request, data)
            .await
            .and_then(|fields| fields.parse());
        match form {
            Ok(form) => Outcome::Success(Self(form)),
            Err(refusal) => refusal.stop_data(request),
        }
    }
}

/// The fields of a form that came from one of Vestibule's pages: in UTF-8, without NUL, each once.
#[derive(Debug)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    pub async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Self, Refusal> {
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
        Self::decode(&body)
    }

    fn decode(body: &[u8]) -> Result<Self, Refusal> {
        let decoded: Vec<u8> = percent_encoding::percent_decode(body).collect();
        if std::str::from_utf8(&decoded).is_err() || decoded.contains(&0) {
            return Err(Refusal::not_utf8());
        }
        let fields: Vec<(String, String)> =
            url::form_urlencoded::parse(body).into_owned().collect();
        // Rocket lets it pass, even where forms are strict.
        if fields.iter().any(|(name, _)| name == "_method") {
            return Err(Refusal::method_override());
        }
        if !fields.iter().all(|(name, _)| is_plain(name)) {
            return Err(Refusal::of_status(Status::UnprocessableEntity));
        }
        let names: BTreeSet<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        if names.len() < fields.len() {
            return Err(Refusal::doubled_field());
        }
        Ok(Self(fields))
    }

    /// Takes a field out.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(field, _)| field == name)?;
        Some(self.0.remove(place).1)
    }

    /// The form, if the fields are exactly its own.
    pub fn parse<T: for<'f> FromForm<'f> + 'static>(&self) -> Result<T, Refusal> {
        let text = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish();
        let form = Form::<Strict<T>>::parse_encoded(text.as_str().into());
        form.map(Strict::into_inner)
            .map_err(|errors| Refusal::wrong_fields(&errors))
    }
}

/// Rocket reads `name[]` and `name.x` as `name`: a doubled field under another spelling.
fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
