//! What a new password must be: long enough, and not one that is tried first (NIST 800-63B-4,
//! ASVS 6.2). No rules about its composition, and nothing is trimmed, folded or cut; it is judged as it
//! is hashed, in NFC.

use std::fmt;

use super::{common, normalized};

/// Longer ones are refused before they are hashed.
pub const MAX_BYTES: usize = 1_024;

const PRODUCT: &str = "vestibule";

/// Why a password is not taken. Shown to the person who chose it.
#[derive(Debug, PartialEq, Eq)]
pub enum Weakness {
    Short {
        min_length: usize,
    },
    Long,
    Common,
    Names(String),
    /// The one that it should replace.
    Same,
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
            Self::Same => f.write_str("The new password is the current one. Choose another one."),
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
    let normalized = normalized(password);
    if normalized.len() > MAX_BYTES {
        return Err(Weakness::Long);
    }
    // Few characters have several code points in NFC, which would count as more than was typed.
    let length = normalized.chars().count().min(password.chars().count());
    if length < min_length {
        return Err(Weakness::Short { min_length });
    }
    let lower = normalized.to_lowercase();
    let site = host
        .split('.')
        .max_by_key(|label| label.len())
        .unwrap_or(host);
    let names = [PRODUCT, username, host, site];
    if let Some(name) = names.iter().find(|name| is_made_of(&lower, name)) {
        return Err(Weakness::Names((*name).to_owned()));
    }
    let plain: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    let guises = [&lower, core(&lower), &plain, core(&plain)];
    if guises.into_iter().any(is_common) {
        return Err(Weakness::Common);
    }
    Ok(())
}

/// Whether it is one that is tried first, once or more: `passwordpassword`, `123123123123123`.
fn is_common(text: &str) -> bool {
    let word = repeated(text);
    let stutters = text.len() >= 8 && word.chars().count() < 5;
    stutters || common::contains(text) || common::contains(word)
}

/// The shortest beginning of `text` that makes all of it when it is said again and again.
fn repeated(text: &str) -> &str {
    let says_all = |word: &[u8]| {
        text.as_bytes()
            .chunks(word.len())
            .all(|chunk| word.starts_with(chunk))
    };
    let ends = text.char_indices().map(|(at, _)| at).skip(1);
    ends.map(|end| &text[..end])
        .find(|word| says_all(word.as_bytes()))
        .unwrap_or(text)
}

/// Without the digits and signs that people put around a word: `password1234567!` is `password`.
fn core(lower: &str) -> &str {
    lower.trim_matches(|c: char| c.is_numeric() || c.is_ascii_punctuation() || c.is_whitespace())
}

/// Whether `name`, once or more, is all that `lower` says in letters.
fn is_made_of(lower: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    name.len() >= 3
        && lower.contains(&name)
        && lower
            .replace(&name, "")
            .chars()
            .filter(|c| c.is_alphabetic())
            .count()
            < 4
}
