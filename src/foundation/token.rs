//! Secrets that authenticate, and what is stored of them.
//!
//! A [`Token`] is made, handed to one browser and forgotten. A [`TokenHash`] is what the
//! database keeps: from it the token cannot be had back, and it authenticates nobody.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Type};

use crate::foundation::db::Key;

/// 32 random bytes, written as 43 characters of base64url without padding.
///
/// 256 bits; ASVS 7.2.3 asks for 128. Neither `Debug` nor `Display` shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// A new one from the operating system's generator.
    ///
    /// # Panics
    /// The operating system has no random bytes to give: nothing can be secret then.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self(bytes)
    }

    /// For databases that are made up: whoever knows the bytes is signed in.
    pub(crate) fn of_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads what a browser sent back; `None` for anything but the one spelling of 32 bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Self(bytes))
    }

    /// The text for the browser. Never for a log.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0).into())
    }
}

/// Bytes as text, five bits a letter; whole fives of them, so that nothing is padded.
pub(crate) fn in_groups_of_five_bits(bytes: &[u8], letters: &[u8; 32]) -> String {
    let fives = bytes.chunks_exact(5).flat_map(|five| {
        let bits = five
            .iter()
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..8).rev().map(move |place| bits >> (5 * place) & 31)
    });
    fives
        .filter_map(|bits| letters.get(usize::try_from(bits).ok()?))
        .map(|letter| char::from(*letter))
        .collect()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The SHA-256 of a [`Token`], which is what the database is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Reads what [`TokenHash::to_text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // The same 32 bytes, written in the same way.
        Token::parse(text).map(|token| Self(token.0))
    }

    /// For an address that a browser is sent to, where a hash gives nothing away.
    #[must_use]
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Of a secret that is a text, as app tokens are.
    pub(crate) fn of_text(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What is kept of it in memory is found by this.
    pub(crate) fn key(&self) -> Key {
        Key::Secret(self.0)
    }
}

impl<DB: Database> Type<DB> for TokenHash
where
    [u8]: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        <[u8] as Type<DB>>::type_info()
    }
}

impl<'r, DB: Database> Decode<'r, DB> for TokenHash
where
    &'r [u8]: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let bytes = <&[u8] as Decode<DB>>::decode(value)?;
        Self::from_bytes(bytes).ok_or_else(|| "a hash has 32 bytes".into())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_32_bytes_in_their_one_spelling() {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let token = text(&[0xfb; 32]);
        assert_eq!(Token::parse(&token), Some(Token([0xfb; 32])));
        for other in [
            text(&[0xfb; 31]),
            text(&[0xfb; 33]),
            format!("{token}="),
            format!("{token} "),
            token.replace('-', "+"),
            // Bits beyond the last byte.
            format!("{}t", &token[..42]),
            String::new(),
        ] {
            assert_eq!(Token::parse(&other), None, "{other}");
        }
    }
}
