//! The text that a program is given.

use std::fmt;

use crate::foundation::token::TokenHash;

/// What every token begins with, so that it is known for one wherever it turns up.
pub const PREFIX: &str = "vst_";

/// Of base32 (RFC 4648): what a person can type on a phone.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Of five bits each: 160 together.
const LENGTH: usize = 32;

/// A token's secret. Neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one from the operating system's generator.
    ///
    /// # Panics
    /// The operating system has no random bytes to give: nothing can be secret then.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self::of_bytes(bytes)
    }

    pub(crate) fn of_bytes(bytes: [u8; LENGTH]) -> Self {
        let letters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        Self(PREFIX.chars().chain(letters).collect())
    }

    /// The hash of what a program presented; `None` for what no token is written like.
    #[must_use]
    pub fn hash_of(text: &str) -> Option<TokenHash> {
        let letters = text.strip_prefix(PREFIX)?;
        let fair =
            letters.len() == LENGTH && letters.bytes().all(|letter| ALPHABET.contains(&letter));
        fair.then(|| TokenHash::of_text(text))
    }

    /// The text for the program. Never for a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of_text(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_in_its_one_spelling() {
        let secret = Secret::generate();
        let text = secret.reveal();
        assert_eq!(text.len(), PREFIX.len() + LENGTH);
        assert_eq!(Secret::hash_of(text), Some(secret.hash()));
        for other in [
            text.to_lowercase(),
            format!("{text}A"),
            text[..35].to_owned(),
            text.replacen("vst_", "vst-", 1),
            format!("vst_{}", "1".repeat(32)),
            String::new(),
        ] {
            assert_eq!(Secret::hash_of(&other), None, "{other}");
        }
    }
}
