//! An app token in the Authorization header. Everything else that may stand there is the application's own, and is
//! neither read nor counted.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hyper::header::AUTHORIZATION;

use super::request::{ProxyRequest, text};
use crate::foundation::token::TokenHash;
use crate::people::app_tokens::{PREFIX, Presented, Secret};
use crate::people::users::canonical_name;

/// Programs differ about padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A token that was presented.
#[derive(Debug, PartialEq, Eq)]
pub struct Credential {
    pub hash: TokenHash,
    /// Whom Basic names as its owner; Bearer names nobody.
    username: Option<String>,
}

/// What is presented as one of ours.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    One(Credential),
    /// It begins as ours do, and is none, whatever is stored.
    Wrong,
}

impl Found {
    #[must_use]
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Self::One(credential) => Some(credential),
            Self::Nothing | Self::Wrong => None,
        }
    }
}

impl Credential {
    /// Whether the token is presented as its owner's.
    #[must_use]
    pub fn names_owner_of(&self, presented: &Presented) -> bool {
        let named = self.username.as_deref();
        named.is_none_or(|name| canonical_name(name) == presented.owner.username)
    }
}

/// Looks for a token of ours. Beside another Authorization header it is wrong: nobody can say which is meant.
#[must_use]
pub fn find(request: &ProxyRequest) -> Found {
    let mut values = request.headers().get_all(AUTHORIZATION).into_iter();
    let Some(first) = values.next() else {
        return Found::Nothing;
    };
    let found = read(text(first));
    let others: Vec<Found> = values.map(|value| read(text(value))).collect();
    match found {
        found if others.is_empty() => found,
        Found::Nothing if others.iter().all(|other| *other == Found::Nothing) => Found::Nothing,
        _ => Found::Wrong,
    }
}

fn read(value: &str) -> Found {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let rest = rest.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        of_bearer(rest)
    } else if scheme.eq_ignore_ascii_case("basic") {
        of_basic(rest)
    } else {
        Found::Nothing
    }
}

fn of_bearer(token: &str) -> Found {
    if !token.starts_with(PREFIX) {
        return Found::Nothing;
    }
    presented(token, None)
}

/// A password may hold colons, a user name cannot (RFC 7617, 2).
fn of_basic(encoded: &str) -> Found {
    let Ok(decoded) = BASE64.decode(encoded) else {
        return Found::Nothing;
    };
    let Some(colon) = decoded.iter().position(|byte| *byte == b':') else {
        return Found::Nothing;
    };
    let (username, password) = (&decoded[..colon], &decoded[colon + 1..]);
    if !password.starts_with(PREFIX.as_bytes()) {
        return Found::Nothing;
    }
    match (std::str::from_utf8(username), std::str::from_utf8(password)) {
        (Ok(username), Ok(password)) => presented(password, Some(username.to_owned())),
        _ => Found::Wrong,
    }
}

fn presented(token: &str, username: Option<String>) -> Found {
    Secret::hash_of(token).map_or(Found::Wrong, |hash| {
        Found::One(Credential { hash, username })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &[u8]) -> String {
        format!("Basic {}", BASE64.encode(text))
    }

    #[test]
    fn only_what_begins_as_a_token_is_read() {
        let token = Secret::generate().reveal().to_owned();
        for foreign in [
            "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x".to_owned(),
            "Negotiate YII=".to_owned(),
            "Basic !!!".to_owned(),
            "Basic".to_owned(),
            String::new(),
            basic(b"alice:correct horse battery staple"),
            basic(format!("alice:x{token}").as_bytes()),
            basic(format!("{token}:").as_bytes()),
            basic(token.as_bytes()),
            basic(b"\xff\xfe:\xff"),
            format!("Bearer x{token}"),
            token.clone(),
        ] {
            assert_eq!(read(&foreign), Found::Nothing, "{foreign}");
        }
        for wrong in [
            "Bearer vst_short".to_owned(),
            format!("Bearer {token}A"),
            basic(format!("alice:{token}:more").as_bytes()),
            basic([b"\xff:", token.as_bytes()].concat().as_slice()),
        ] {
            assert_eq!(read(&wrong), Found::Wrong, "{wrong}");
        }
    }

    #[test]
    fn basic_is_cut_at_the_first_colon_and_names_an_owner() {
        let token = Secret::generate().reveal().to_owned();
        for (value, username) in [
            (basic(format!("Alice:{token}").as_bytes()), Some("Alice")),
            (basic(format!("ägäis:{token}").as_bytes()), Some("ägäis")),
            (basic(format!(":{token}").as_bytes()), Some("")),
            (format!("bearer  {token}"), None),
        ] {
            let Found::One(credential) = read(&value) else {
                panic!("{value} is one");
            };
            assert_eq!(credential.username.as_deref(), username);
        }
    }
}
