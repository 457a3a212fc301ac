//! Settings that nobody is shown.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rocket::serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest, Sha256};

/// More than any token has.
const LONGEST: u64 = 4_096;

/// A text that neither `Debug` nor `config show` tells.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Whether `given` is the same text. Hashes are compared: how long it takes tells nothing of the
    /// text.
    #[must_use]
    pub fn is(&self, given: &str) -> bool {
        Sha256::digest(&self.0) == Sha256::digest(given)
    }

    /// Reads one from a file that is nobody else's to read; one newline at its end is dropped.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let file = File::open(path).map_err(told)?;
        if file.metadata().map_err(told)?.permissions().mode() & 0o004 != 0 {
            return Err(format!(
                "{0}: others can read it; run chmod o-r {0}",
                path.display()
            ));
        }
        let mut text = String::new();
        file.take(LONGEST + 1)
            .read_to_string(&mut text)
            .map_err(told)?;
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(Self(text))
    }

    /// What keeps it from being sent in a header.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if self.0.is_empty() {
            Some("is empty")
        } else if self.0.len() as u64 > LONGEST {
            Some("is longer than 4096 bytes")
        } else if !self.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some(
                "holds something else than letters, digits and signs of ASCII, which no header could carry",
            )
        } else {
            None
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("(hidden)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The parser's own words would repeat what is there.
        String::deserialize(from)
            .map(Self)
            .map_err(|_| D::Error::custom("is written as text, between quotation marks"))
    }
}
