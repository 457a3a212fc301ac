//! How one signed in: few known words, of which many thousand sessions are kept in memory.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::foundation::settings::Required;
use crate::people::users::User;

/// Authentication methods, such as `password`; more than one with a second factor.
///
/// Shown and stored as words with commas between them, serialised as a list of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Methods(u8);

/// Each is the bit of its place, so that new ones go to the end.
const WORDS: [&str; 5] = ["password", "totp", "recovery_code", "passkey", "token"];

impl Methods {
    pub const PASSWORD: Self = Self(1);
    pub const TOTP: Self = Self(2);
    pub const RECOVERY_CODE: Self = Self(4);
    /// With the check of a fingerprint, a face or a PIN that Vestibule always asks for.
    pub const PASSKEY: Self = Self(8);
    /// An app token, in place of a session.
    pub const TOKEN: Self = Self(16);

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether two factors were proven. A passkey is two by itself: the device, and what unlocks it.
    #[must_use]
    pub const fn is_two_factor(self) -> bool {
        self.has(Self::PASSKEY)
            || self.has(Self::PASSWORD) && (self.has(Self::TOTP) || self.has(Self::RECOVERY_CODE))
    }

    /// Whether the second factor of this user is due, whom the settings may ask for one.
    #[must_use]
    pub fn lack_second_factor(self, trusted: bool, user: &User, required: &Required) -> bool {
        !self.is_two_factor()
            && !trusted
            && (user.has_second_factor() || user.needs_second_factor(required))
    }

    #[must_use]
    const fn has(self, method: Self) -> bool {
        self.0 & method.0 != 0
    }

    /// Reads what is stored.
    ///
    /// # Errors
    /// A word is unknown: another program wrote it.
    pub(crate) fn parse(text: &str) -> Result<Self, UnknownMethod> {
        text.split(',').try_fold(Self(0), |methods, word| {
            let place = WORDS.iter().position(|known| *known == word);
            let place = place.ok_or_else(|| UnknownMethod(word.to_owned()))?;
            Ok(Self(methods.0 | 1 << place))
        })
    }

    /// The words, always in the same order.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        let words = WORDS.iter().enumerate();
        words.filter_map(move |(place, word)| (self.0 & 1 << place != 0).then_some(*word))
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "," })?;
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Methods {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// A word that this program does not know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownMethod(String);

impl fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(word) = self;
        write!(
            f,
            "a session has the unknown authentication method {word:?}"
        )
    }
}

impl std::error::Error for UnknownMethod {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_read_shown_and_serialised_as_the_words_that_are_stored() {
        let methods = Methods::parse("password").expect("a known word");
        assert_eq!(methods, Methods::PASSWORD);
        assert_eq!(methods.to_string(), "password");
        assert_eq!(serde_json::json!(methods), serde_json::json!(["password"]));
    }

    #[test]
    fn a_passkey_or_a_password_with_a_code_are_two_factors() {
        for (text, two) in [
            ("password", false),
            ("totp", false),
            ("recovery_code", false),
            ("token", false),
            ("totp,recovery_code", false),
            ("passkey", true),
            ("password,totp", true),
            ("password,recovery_code", true),
        ] {
            let methods = Methods::parse(text).expect("known words");
            assert_eq!(methods.is_two_factor(), two, "{text}");
            assert_eq!(methods.to_string(), text);
        }
    }

    #[test]
    fn a_session_with_an_unknown_method_is_not_read() {
        for text in ["", "pwd", "password,pwd", "PASSWORD", "password,"] {
            Methods::parse(text).expect_err(text);
        }
    }
}
