//! Errors as programs are told them (RFC 6749, 5.2).

use std::time::Duration;

use hyper::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use rocket::Request;
use rocket::http::Status;
use rocket::response::{self, Responder};
use serde_json::json;

use crate::web::Answer;

#[derive(Debug)]
pub struct TokenError {
    status: Status,
    error: &'static str,
    description: String,
    challenge: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl TokenError {
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self {
            status: Status::BadRequest,
            error,
            description: description.into(),
            challenge: None,
            retry_after: None,
        }
    }

    pub fn missing(name: &str) -> Self {
        Self::new("invalid_request", format!("{name} is missing"))
    }

    pub fn unsupported_grant_type() -> Self {
        Self::new(
            "unsupported_grant_type",
            "grant_type is authorization_code or refresh_token",
        )
    }

    pub fn invalid_grant(description: &str) -> Self {
        Self::new("invalid_grant", description)
    }

    /// The challenge names the way that the client took.
    pub fn invalid_client(by_basic: bool) -> Self {
        Self {
            status: Status::Unauthorized,
            challenge: by_basic.then_some("Basic realm=\"vestibule\""),
            ..Self::new(
                "invalid_client",
                "the client is unknown, or this is not its secret",
            )
        }
    }

    /// What takes long to verify is verified so many times.
    pub fn too_many_tries(retry_after: Duration) -> Self {
        Self {
            status: Status::TooManyRequests,
            retry_after: Some(retry_after),
            ..Self::new(
                "invalid_client",
                "too many wrong secrets came from this address; wait some minutes",
            )
        }
    }

    /// RFC 6750, 3.1.
    pub fn invalid_token() -> Self {
        Self {
            status: Status::Unauthorized,
            challenge: Some("Bearer error=\"invalid_token\""),
            ..Self::new(
                "invalid_token",
                "the access token is missing, unknown or over",
            )
        }
    }

    pub fn insufficient_scope() -> Self {
        Self {
            status: Status::Forbidden,
            challenge: Some("Bearer error=\"insufficient_scope\", scope=\"openid\""),
            ..Self::new("insufficient_scope", "the scope openid was not granted")
        }
    }

    pub fn error(&self) -> &'static str {
        self.error
    }

    pub fn answer(&self) -> Answer {
        let body = json!({ "error": self.error, "error_description": self.description });
        let answer = Answer::json(self.status, &body);
        let answer = match self.challenge {
            Some(challenge) => answer.header(WWW_AUTHENTICATE, challenge),
            None => answer,
        };
        match self.retry_after {
            Some(span) => answer.header(RETRY_AFTER, span.as_millis().div_ceil(1_000).to_string()),
            None => answer,
        }
    }
}

impl<'r> Responder<'r, 'static> for TokenError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.answer().respond_to(request)
    }
}
