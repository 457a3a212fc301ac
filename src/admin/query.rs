//! What the addresses of lists say, read strictly: a bad parameter is refused, never guessed at.

use std::str::FromStr;

use rocket::http::Status;
use serde::Serialize;

use crate::sessions::listing::MAX_LIMIT;
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

/// What is searched for in a list, and where its page begins and how long it is.
pub struct Paging<'r> {
    path: &'static str,
    pub q: &'r str,
    /// Where the page before ended; empty for the first.
    pub after: &'r str,
    limit: u32,
}

/// The ways to other pages of a list.
#[derive(Default, Serialize)]
pub struct Pager {
    pub more: Option<String>,
    pub first: Option<String>,
}

impl Pager {
    /// For the test that renders every page.
    pub fn sample(text: &str) -> Self {
        Self {
            more: Some(text.to_owned()),
            first: Some(text.to_owned()),
        }
    }
}

impl<'r> Paging<'r> {
    /// # Errors
    /// `limit` is no number of rows.
    pub fn parse(
        path: &'static str,
        q: Option<&'r str>,
        after: Option<&'r str>,
        limit: Option<&str>,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            path,
            q: q.unwrap_or_default().trim(),
            after: after.unwrap_or_default(),
            limit: self::limit(limit, MAX_LIMIT)?,
        })
    }

    /// The first page of all.
    #[must_use]
    pub fn first(path: &'static str) -> Self {
        Self {
            path,
            q: "",
            after: "",
            limit: DEFAULT_LIMIT,
        }
    }

    /// As many rows as to look for: one more than the page has tells whether there is another.
    #[must_use]
    pub fn wanted(&self) -> u32 {
        self.limit + 1
    }

    /// Cuts the rows that were found to the page; `place` is where a page after a row begins.
    pub fn cut<T>(&self, rows: &mut Vec<T>, place: impl Fn(&T) -> String) -> Pager {
        let more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        let last = rows.last().filter(|_| more);
        Pager {
            more: last.map(|last| self.link(&place(last))),
            first: (!self.after.is_empty()).then(|| self.link("")),
        }
    }

    fn link(&self, after: &str) -> String {
        let limit = match self.limit {
            DEFAULT_LIMIT => String::new(),
            other => other.to_string(),
        };
        let parameters = [("q", self.q), ("after", after), ("limit", &limit)];
        address(self.path, &parameters)
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
