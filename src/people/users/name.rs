//! Names: one canonical spelling each, so that no second user hides behind another spelling.

use crate::foundation::audit::is_invisible;

/// Why a name is not taken. Shown to the person who chose it.
#[derive(Debug, PartialEq, Eq)]
pub enum InvalidName {
    Username,
    Group,
    Groups,
    Text,
    Email,
}

impl std::fmt::Display for InvalidName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Username => "A user name is 1 to 64 of the letters a to z, digits, and . _ - @",
            Self::Group => "A group name is 1 to 64 of the letters a to z, digits, and . _ -",
            Self::Text => "A name is at most 128 characters, without control or invisible ones; a joiner stands between two visible ones.",
            Self::Groups => "The names of a user's groups have at most 4,096 characters together, a comma after each: proxies refuse longer headers.",
            Self::Email => "An email address has an @ between two parts, no spaces, and at most 254 characters.",
        })
    }
}

/// A name as it is compared, whether somebody has it or not: in lower case, without the blanks and
/// invisible characters that phones and pasted text leave at its ends.
#[must_use]
pub fn canonical_name(text: &str) -> String {
    trimmed(text).to_ascii_lowercase()
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// The user name in its one spelling.
///
/// # Errors
/// It is not 1 to 64 of `a-z 0-9 . _ - @`, apart from what [`canonical_name`] takes off its ends.
pub fn username(text: &str) -> Result<String, InvalidName> {
    let name = canonical_name(text);
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
    let valid = (1..=64).contains(&name.len()) && name.chars().all(allowed);
    if valid {
        Ok(name)
    } else {
        Err(InvalidName::Username)
    }
}

/// The group name in lower case. No comma: proxies are told groups joined by commas.
///
/// # Errors
/// It is not 1 to 64 of `a-z 0-9 . _ -`.
pub fn group_name(text: &str) -> Result<String, InvalidName> {
    match username(text) {
        Ok(name) if !name.contains('@') => Ok(name),
        _ => Err(InvalidName::Group),
    }
}

/// The most bytes of a user's groups in the header that applications are told them in. Proxies have a
/// buffer for all headers of our answer, of 16 KiB in deploy/nginx and by default in HAProxy, and the
/// visitor's own Cookie header is in it, too.
const MOST_GROUP_BYTES: usize = 4096;

/// How long a user's groups are as applications are told them.
pub(super) fn length_of_groups(groups: &[String]) -> usize {
    groups.iter().map(|group| group.len() + 1).sum()
}

/// # Errors
/// The groups have more bytes together than proxies hand on.
pub(super) fn fits_a_header(groups: &[String]) -> Result<(), InvalidName> {
    if length_of_groups(groups) <= MOST_GROUP_BYTES {
        Ok(())
    } else {
        Err(InvalidName::Groups)
    }
}

/// A display name.
///
/// # Errors
/// It is too long, or holds characters that could make it look like another.
pub fn text_of_person(text: &str) -> Result<String, InvalidName> {
    let name: Vec<char> = text.trim().chars().collect();
    let is_plain = |c: char| !c.is_control() && !is_invisible(c);
    let is_visible = |c: &char| is_plain(*c) && !c.is_whitespace();
    // Persian, the scripts of India and joined emoji are written with these.
    let joins = |at: usize| {
        matches!(name[at], '\u{200c}' | '\u{200d}')
            && at.checked_sub(1).is_some_and(|at| is_visible(&name[at]))
            && name.get(at + 1).is_some_and(is_visible)
    };
    let fair = |at: usize| is_plain(name[at]) || joins(at);
    if name.len() <= 128 && (0..name.len()).all(fair) {
        Ok(name.into_iter().collect())
    } else {
        Err(InvalidName::Text)
    }
}

/// An address; `None` for an empty one.
pub(crate) fn email(text: &str) -> Result<Option<String>, InvalidName> {
    let text = trimmed(text);
    if text.is_empty() {
        return Ok(None);
    }
    let fair = text.len() <= 254
        && !text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == ',' || is_invisible(c))
        && text.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !host.contains('@')
        });
    if fair {
        Ok(Some(text.to_owned()))
    } else {
        Err(InvalidName::Email)
    }
}
