//! Which records to list, and how that is written by people.

use std::net::IpAddr;

use uuid::Uuid;

use super::Event;
use crate::foundation::clock::{DAY, Timestamp};

/// SQLite refuses patterns of more than 50,000 bytes, and nobody types as much.
const LONGEST_SEARCH: usize = 200;

/// Whom records concern: one user, or all who ever had a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Id(Uuid),
    Name(String),
}

/// Which records to list, newest first; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A part of the user name, the actor or the detail, or the beginning of the address.
    pub q: Option<String>,
    pub event: Option<Event>,
    /// Whom it concerns.
    pub subject: Option<Subject>,
    pub address: Option<IpAddr>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Only records older than the one of this id, which need not be there any more.
    pub after: Option<Uuid>,
    /// At most this many.
    pub limit: u32,
}

/// Reads a moment: RFC 3339, or a date or a date and time of UTC, like `2026-11-24` or
/// `2026-11-24T18:30`.
///
/// # Errors
/// It is none of these.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => text.to_owned(),
    };
    Timestamp::parse(&full).map_err(|_| {
        "is not a time like 2026-11-24, 2026-11-24T18:30 or 2026-11-24T18:30:00Z (UTC)".to_owned()
    })
}

/// The same for the end of a stretch of time: a date is meant with all of its day.
///
/// # Errors
/// It is not a time.
pub fn until(text: &str) -> Result<Timestamp, String> {
    let at = moment(text)?;
    Ok(if text.len() == 10 { at.plus(DAY) } else { at })
}

/// # Errors
/// It is no IP address.
pub fn address(text: &str) -> Result<IpAddr, String> {
    let address: Result<IpAddr, _> = text.parse();
    address
        .map(|address| address.to_canonical())
        .map_err(|_| "is not an address like 192.0.2.7 or 2001:db8::7".to_owned())
}

/// # Errors
/// It is longer than any search needs to be, or holds what no record does: SQLite would take a
/// pattern to end at NUL.
pub fn search(text: &str) -> Result<String, String> {
    if text.chars().count() > LONGEST_SEARCH {
        return Err(format!(
            "is longer than the {LONGEST_SEARCH} characters that a search may have"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err("holds control characters, which no record does".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}
