//! What `lab/` takes from here, so that the rows of `cargo xtask seed` are like those of real sign-ins.

use crate::foundation::token::Token;
use crate::people::app_tokens::Secret;
use crate::sessions::{EndReason, device};

/// How sessions end that are not replaced or barred.
pub const END_REASONS: [&str; 5] = [
    EndReason::SignedOut.as_str(),
    EndReason::Idle.as_str(),
    EndReason::MaxLifetime.as_str(),
    EndReason::Revoked.as_str(),
    EndReason::PasswordChanged.as_str(),
];

/// A user agent in the words of the session listing.
#[must_use]
pub fn device(user_agent: &str) -> String {
    device::describe(user_agent)
}

/// The cookie's value that these bytes make, and the hash that is stored of it.
#[must_use]
pub fn token(bytes: [u8; 32]) -> (String, Vec<u8>) {
    let token = Token::of_bytes(bytes);
    (token.reveal(), token.hash().as_bytes().to_vec())
}

/// The app token that these bytes make, and the hash that is stored of it.
#[must_use]
pub fn app_token(bytes: [u8; 32]) -> (String, Vec<u8>) {
    let secret = Secret::of_bytes(bytes);
    (
        secret.reveal().to_owned(),
        secret.hash().as_bytes().to_vec(),
    )
}

/// The hash of a cookie's value, if it is one.
#[must_use]
pub fn hash(cookie: &str) -> Option<Vec<u8>> {
    Token::parse(cookie).map(|token| token.hash().as_bytes().to_vec())
}
