//! What a new password must be: long enough, and not one that is tried first (NIST 800-63B-4,
//! ASVS 6.2). No rules about its composition, and nothing is trimmed, folded or cut.

use std::fmt;

use super::common;

/// Longer ones are refused before they are hashed.
pub const MAX_BYTES: usize = 1_024;

const PRODUCT: &str = "vestibule";

/// Why a password is not taken. Shown to the person who chose it.
#[derive(Debug, PartialEq, Eq)]
pub enum Weakness {
    Short { min_length: usize },
    Long,
    Common,
    Names(String),
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { min_length } => write!(
                f,
                "Choose a longer password: {min_length} characters at least. A few words that only you would put together are easy to remember."
            ),
            Self::Long => write!(f, "Choose a shorter password: {MAX_BYTES} bytes at most."),
            Self::Common => f.write_str(
                "That password is among those that are tried first. Choose another one.",
            ),
            Self::Names(name) => write!(
                f,
                "That password is little more than “{name}”. Choose one that cannot be guessed from here."
            ),
        }
    }
}

/// Judges a new password for `username` at `host`.
///
/// # Errors
/// It is too short, too long, or among those that are tried first.
pub fn check(
    password: &str,
    min_length: usize,
    username: &str,
    host: &str,
) -> Result<(), Weakness> {
    if password.len() > MAX_BYTES {
        return Err(Weakness::Long);
    }
    if password.chars().count() < min_length {
        return Err(Weakness::Short { min_length });
    }
    let lower = password.to_lowercase();
    let core = core(&lower);
    if common::contains(&lower) || common::contains(core) {
        return Err(Weakness::Common);
    }
    let site = host
        .split('.')
        .max_by_key(|label| label.len())
        .unwrap_or(host);
    let names = [PRODUCT, username, host, site];
    match names.iter().find(|name| is_made_of(core, name)) {
        Some(name) => Err(Weakness::Names((*name).to_owned())),
        None => Ok(()),
    }
}

/// Without the digits and signs that people put around a word: `password1234567!` is `password`.
fn core(lower: &str) -> &str {
    lower.trim_matches(|c: char| c.is_numeric() || c.is_ascii_punctuation() || c.is_whitespace())
}

/// Whether `name`, once or more, is all that `core` says.
fn is_made_of(core: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    name.len() >= 3
        && core.contains(&name)
        && core
            .replace(&name, "")
            .chars()
            .filter(|c| c.is_alphabetic())
            .count()
            < 4
}
