//! Settings that nobody is shown.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rocket::serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use rustix::fs::{StatVfsMountFlags, statvfs};
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

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Reads one from a file that is nobody else's to read; the end of its line is dropped.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let file = File::open(path).map_err(told)?;
        if file.metadata().map_err(told)?.permissions().mode() & 0o004 != 0 && !is_read_only(path) {
            return Err(format!(
                "{0}: others can read it; run chmod o-r {0}, or, where a container engine or a mount puts it there, \
                 have that put it there with mode 0440 or read-only",
                path.display()
            ));
        }
        let mut text = String::new();
        file.take(LONGEST + 1)
            .read_to_string(&mut text)
            .map_err(told)?;
        Ok(Self(without_line_end(&text).to_owned()))
    }

    /// What keeps it from being sent in a header.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if self.0.is_empty() {
            Some("is empty")
        } else if self.0.len() as u64 > LONGEST {
            Some("is longer than 4096 bytes")
        } else if between_quotes(&self.0).is_some() {
            Some("stands between quotation marks that would be part of it; take them away")
        } else if !self.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some(
                "holds something else than letters, digits and signs of ASCII, which no header could carry",
            )
        } else {
            None
        }
    }
}

/// Whether nobody here can change the file's mode: containers get their secrets on read-only mounts, where
/// engines give them the modes 0444 or 0644, and nobody else is there to read them.
pub(super) fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// A text as a person meant it, without what an editor or `echo` puts around it: the end of its line,
/// Windows' too, and a byte order mark.
pub(crate) fn without_line_end(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.strip_suffix('\n');
    line.map_or(text, |line| line.strip_suffix('\r').unwrap_or(line))
}

/// What stands between two quotation marks of a kind; `None` for what does not.
pub(super) fn between_quotes(text: &str) -> Option<&str> {
    ['"', '\''].iter().find_map(|quote| {
        text.strip_prefix(*quote)
            .and_then(|text| text.strip_suffix(*quote))
    })
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
