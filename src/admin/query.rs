//! What the addresses of lists say, read strictly: a bad parameter is refused, never guessed at.

use std::str::FromStr;

use rocket::http::Status;

use crate::web::Refusal;

pub const DEFAULT_LIMIT: u32 = 50;

/// A parameter that is one of the values of `T`; absent or empty it is `default`.
///
/// # Errors
/// It is something else.
pub fn parse<T: FromStr>(name: &str, text: Option<&str>, default: T) -> Result<T, Refusal> {
    Ok(parse_optional(name, text)?.unwrap_or(default))
}

/// A parameter that may be absent or empty.
///
/// # Errors
/// It is there and no `T`.
pub fn parse_optional<T: FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, Refusal> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(|_| bad(name)))
        .transpose()
}

/// How many rows a page has.
///
/// # Errors
/// It is no number from 1 to `most`.
pub fn limit(text: Option<&str>, most: u32) -> Result<u32, Refusal> {
    let limit = parse("limit", text, DEFAULT_LIMIT)?;
    if (1..=most).contains(&limit) {
        Ok(limit)
    } else {
        Err(bad("limit"))
    }
}

#[must_use]
pub fn bad(name: &str) -> Refusal {
    let message = format!("The parameter “{name}” in this address is not good.");
    Refusal::new(
        Status::BadRequest,
        "bad_parameter",
        "That address is not right",
        message,
    )
}

/// An address with the parameters that are not empty.
#[must_use]
pub fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}
