//! Optimistic locking: a form says what it was made from, so that an older page overwrites nothing.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::form::{self, FromFormField, ValueField};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A digest of the stored values that a form shows and edits, carried in its hidden field `version`.
///
/// The use case compares it with what is stored, inside its write transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version(String);

impl Version {
    #[must_use]
    pub fn of<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Self {
        let mut digest = Sha256::new();
        for value in values {
            let value = value.as_ref();
            // With its length, so that no two lists read alike.
            digest.update(value.len().to_be_bytes());
            digest.update(value);
        }
        Self(URL_SAFE_NO_PAD.encode(digest.finalize()))
    }

    /// Whether what a form was `made_from` has changed by `now`.
    ///
    /// A form without a version is never stale: scripts and the command line have read no page, and
    /// say outright what shall be. An empty field counts as absent.
    #[must_use]
    pub fn is_stale(made_from: Option<&Self>, now: &Self) -> bool {
        made_from.is_some_and(|version| !version.0.is_empty() && version != now)
    }

    /// For the test that renders every page.
    pub(crate) fn sample(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Version {
    fn from(said: String) -> Self {
        Self(said)
    }
}

impl<'v> FromFormField<'v> for Version {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        Ok(Self(field.value.to_owned()))
    }
}
