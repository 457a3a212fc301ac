//! The parameters of a request, from its query or body. Those of an application come from anywhere.

use std::convert::Infallible;

use rocket::Request;
use rocket::data::{self, ByteUnit, Data, FromData};
use rocket::outcome::Outcome;
use rocket::request::{self, FromRequest};

use super::token_error::TokenError;

const LIMIT: ByteUnit = ByteUnit::Kibibyte(16);

/// Names and values as they came; an empty value is none (RFC 6749, 3.1).
#[derive(Debug, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
    /// The body was none that can be read.
    pub is_broken: bool,
}

impl Params {
    pub fn parse(text: &[u8]) -> Self {
        let decoded: Vec<u8> = percent_encoding::percent_decode(text).collect();
        let is_broken = std::str::from_utf8(&decoded).is_err() || decoded.contains(&0);
        let pairs = url::form_urlencoded::parse(text).into_owned();
        Self {
            pairs: pairs.filter(|(_, value)| !value.is_empty()).collect(),
            is_broken,
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value, or what a program is told that left it out.
    pub fn required(&self, name: &str) -> Result<&str, TokenError> {
        self.get(name).ok_or_else(|| TokenError::missing(name))
    }

    pub fn is_doubled(&self, name: &str) -> bool {
        self.pairs.iter().filter(|(other, _)| other == name).count() > 1
    }

    /// A name that is there twice, of any but those that may be.
    pub fn doubled(&self) -> Option<&str> {
        let names = self.pairs.iter().map(|(name, _)| name.as_str());
        names
            .into_iter()
            .find(|name| *name != "resource" && self.is_doubled(name))
    }

    /// As a query again, with another value of one.
    pub fn to_query(&self, with: Option<(&str, &str)>) -> String {
        let set = with.map(|(name, _)| name);
        let pairs = self
            .pairs
            .iter()
            .filter(|(name, _)| Some(name.as_str()) != set);
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .extend_pairs(with)
            .finish()
    }
}

/// Those of an address.
#[derive(Debug)]
pub struct InQuery(pub Params);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for InQuery {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Infallible> {
        let query = request.uri().query().map_or("", |query| query.as_str());
        Outcome::Success(Self(Params::parse(query.as_bytes())))
    }
}

/// Those of a form that any site or program may send.
#[derive(Debug)]
pub struct InBody(pub Params);

#[rocket::async_trait]
impl<'r> FromData<'r> for InBody {
    type Error = Infallible;

    async fn from_data(
        request: &'r Request<'_>,
        data: Data<'r>,
    ) -> data::Outcome<'r, Self, Infallible> {
        let broken = Params {
            is_broken: true,
            ..Params::default()
        };
        let is_form = request.content_type().is_some_and(|kind| kind.is_form());
        Outcome::Success(Self(match data.open(LIMIT).into_bytes().await {
            Ok(body) if body.is_complete() && is_form => Params::parse(&body),
            Ok(body) if body.is_complete() && body.is_empty() => Params::default(),
            _ => broken,
        }))
    }
}

/// The one `Authorization` header.
#[derive(Debug)]
pub struct Authorization<'r>(Option<&'r str>);

impl<'r> Authorization<'r> {
    /// What follows a scheme.
    pub fn of_scheme(&self, scheme: &str) -> Option<&'r str> {
        let (name, value) = self.0?.split_once(' ')?;
        name.eq_ignore_ascii_case(scheme).then(|| value.trim())
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Authorization<'r> {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Infallible> {
        let mut given = request.headers().get("authorization");
        let one = given.next().filter(|_| given.next().is_none());
        Outcome::Success(Self(one))
    }
}
