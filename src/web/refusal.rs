//! Refusals that no use case decides: what is wrong with a request, and what to do about it.

use std::time::Duration;

use rocket::Request;
use rocket::data;
use rocket::form;
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request;
use url::Url;

use super::ResponseExtras;
use super::denials::Reason;

/// An error as it is told: a page for browsers, JSON for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: Status,
    /// For programs.
    pub code: &'static str,
    /// For people: what is wrong.
    pub title: String,
    pub message: String,
    pub link: Option<Box<Link>>,
    pub retry_after: Option<Duration>,
}

/// Where to go from an error.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Link {
    pub href: String,
    pub text: String,
}

impl Link {
    #[must_use]
    pub fn new(href: &str, text: &str) -> Self {
        Self {
            href: href.to_owned(),
            text: text.to_owned(),
        }
    }
}

impl Refusal {
    #[must_use]
    pub fn new(
        status: Status,
        code: &'static str,
        title: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title: title.to_owned(),
            message: message.into(),
            link: None,
            retry_after: None,
        }
    }

    #[must_use]
    pub fn link(self, href: &str, text: &str) -> Self {
        Self {
            link: Some(Box::new(Link::new(href, text))),
            ..self
        }
    }

    /// The refusal for a status that nothing more is known of.
    #[must_use]
    pub fn of_status(status: Status) -> Self {
        match status.code {
            400 => Self::new(
                status,
                "bad_request",
                "Bad request",
                "The request could not be understood.",
            ),
            401 => Self::new(
                status,
                "unauthenticated",
                "Please sign in",
                "This page is for people who are signed in.",
            )
            .link("/login", "Sign in"),
            403 => Self::new(
                status,
                "forbidden",
                "Not for you",
                "You are signed in, but this page is not for you.",
            )
            .link("/account", "Your account"),
            404 => Self::new(
                status,
                "not_found",
                "Not found",
                "There is nothing at this address.",
            )
            .link("/", "To the beginning"),
            405 => Self::new(
                status,
                "method_not_allowed",
                "Not allowed",
                "This address does not take that method.",
            ),
            408 => Self::new(
                status,
                "too_slow",
                "Too slow",
                "The request did not arrive in time. Try again.",
            ),
            413 => Self::too_large(),
            414 => Self::new(
                status,
                "address_too_long",
                "Address too long",
                "The address is longer than any of this service.",
            ),
            415 => Self::not_a_form(),
            422 => Self::new(
                status,
                "unprocessable",
                "That form was not complete",
                "The form was not as this page sends it. Go back and try again.",
            ),
            431 => Self::new(
                status,
                "headers_too_large",
                "Too much in the headers",
                "The browser sent more along than this service takes. Delete this site's cookies in the browser and try again.",
            ),
            503 => Self::unavailable(),
            _ if status.code < 500 => {
                Self::new(status, "refused", "Refused", "The request was refused.")
            }
            _ => Self::new(
                status,
                "internal_error",
                "Something went wrong",
                "It is not your doing; it has been logged. Try again in a moment.",
            ),
        }
    }

    #[must_use]
    pub fn not_found() -> Self {
        Self::of_status(Status::NotFound)
    }

    #[must_use]
    pub fn unavailable() -> Self {
        let refusal = Self::new(
            Status::ServiceUnavailable,
            "unavailable",
            "Not available just now",
            "The service is too busy, or its database does not answer. Try again in a moment.",
        );
        Self {
            retry_after: Some(Duration::from_secs(1)),
            ..refusal
        }
    }

    #[must_use]
    pub fn throttled(retry_after: Duration) -> Self {
        // Rounded up: a try at that time is accepted.
        let retry_after = Duration::from_secs(retry_after.as_millis().div_ceil(1_000) as u64);
        let minutes = retry_after.as_secs().div_ceil(60);
        let wait = if minutes == 1 {
            "a minute".to_owned()
        } else {
            format!("{minutes} minutes")
        };
        let refusal = Self::new(
            Status::TooManyRequests,
            "throttled",
            "Too many tries",
            format!("There were too many wrong tries. Wait {wait}, then try again."),
        );
        Self {
            retry_after: Some(retry_after),
            ..refusal
        }
    }

    pub(super) fn misdirected(public_url: &Url) -> Self {
        Self::new(
            Status::MisdirectedRequest,
            "misdirected",
            "Another address",
            format!("This service is reached at {public_url} only. If that is not its address, its administrator sets public_url."),
        )
        .link(public_url.as_str(), public_url.as_str())
    }

    pub(crate) fn method_override() -> Self {
        Self::new(
            Status::Forbidden,
            "method_override",
            "Unexpected form",
            "A page is requested without a form, and no form of this service names a method.",
        )
    }

    pub(crate) fn foreign_form() -> Self {
        Self::new(
            Status::Forbidden,
            "foreign_form",
            "That form came from elsewhere",
            "Forms are taken only from pages of this service. Open the page here and try again.",
        )
    }

    pub(crate) fn not_a_form() -> Self {
        Self::new(
            Status::UnsupportedMediaType,
            "unsupported_media_type",
            "Not a form",
            "This address takes forms: application/x-www-form-urlencoded.",
        )
    }

    pub(crate) fn too_large() -> Self {
        Self::new(
            Status::PayloadTooLarge,
            "too_large",
            "Too large",
            "The form is larger than any of this service.",
        )
    }

    pub(crate) fn incomplete_body() -> Self {
        Self::new(
            Status::BadRequest,
            "incomplete_body",
            "Bad request",
            "The form did not arrive as a whole. Go back and try again.",
        )
    }

    pub(super) fn not_utf8() -> Self {
        Self::new(
            Status::BadRequest,
            "not_utf8",
            "Bad request",
            "The form holds characters that are not valid text.",
        )
    }

    pub(super) fn doubled_field() -> Self {
        Self {
            code: "doubled_field",
            ..Self::of_status(Status::UnprocessableEntity)
        }
    }

    pub(super) fn wrong_fields(errors: &form::Errors<'_>) -> Self {
        let names: Vec<String> = errors
            .iter()
            .filter_map(|error| error.name.as_ref())
            .map(ToString::to_string)
            .collect();
        Self {
            message: format!(
                "The form was not as this page sends it ({}). Go back and try again.",
                names.join(", ")
            ),
            ..Self::of_status(Status::UnprocessableEntity)
        }
    }

    /// What it is counted as; what is not found or not taken is no denial.
    pub(crate) fn reason(&self) -> Option<Reason> {
        match (self.code, self.status.code) {
            ("foreign_form", _) => Some(Reason::Csrf),
            ("misdirected", _) => Some(Reason::Host),
            ("throttled", _) => Some(Reason::Throttle),
            ("unauthenticated", _) => Some(Reason::Unauthenticated),
            ("forbidden", _) => Some(Reason::Forbidden),
            ("unavailable", _) => Some(Reason::Unavailable),
            ("method_override", _) | (_, 400 | 408 | 413 | 414 | 415 | 422 | 431) => {
                Some(Reason::Malformed)
            }
            _ => None,
        }
    }

    /// Stops a request in a guard; the answer tells why.
    pub(crate) fn stop<T>(self, request: &Request<'_>) -> request::Outcome<T, Self> {
        let _ = ResponseExtras::of(request).refused.set(self.clone());
        Outcome::Error((self.status, self))
    }

    pub(crate) fn stop_data<'r, T>(self, request: &'r Request<'_>) -> data::Outcome<'r, T, Self> {
        let _ = ResponseExtras::of(request).refused.set(self.clone());
        Outcome::Error((self.status, self))
    }
}
