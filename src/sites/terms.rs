//! What holds for a site as a whole, and how it is written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::rules::{Fallback, Malformed};
use crate::foundation::audit;
use crate::foundation::version::Version;

/// What a site asks for, whichever rule holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What holds where no rule does.
    pub fallback: Fallback,
    /// What people call it; the host if empty.
    pub name: String,
    pub note: String,
    /// Of whoever has to be signed in.
    pub factors: Factors,
    /// Whether programs may come with app tokens.
    pub tokens: bool,
    /// Whoever did not use the site for so long proves again who that is.
    pub idle: Option<Duration>,
    /// The same, so long after the last proof.
    pub max_age: Option<Duration>,
    /// Whether requests that a page makes by itself count as use.
    pub background: bool,
}

/// How many factors a visitor has to have proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factors {
    One,
    Two,
}

impl From<Fallback> for Terms {
    fn from(fallback: Fallback) -> Self {
        Self {
            fallback,
            name: String::new(),
            note: String::new(),
            factors: Factors::One,
            tokens: false,
            idle: None,
            max_age: None,
            background: true,
        }
    }
}

impl Terms {
    /// Of what the site's own form changes.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::of([self.to_string(), self.note.clone(), self.name.clone()])
    }

    /// What the cookie that hosts of a domain share is not good for: it may have been stolen at another host.
    #[must_use]
    pub fn are_strict(&self) -> bool {
        self.factors == Factors::Two || self.idle.is_some() || self.max_age.is_some()
    }

    /// As they are kept: name and note of one line.
    #[must_use]
    pub fn checked(self) -> Self {
        Self {
            name: audit::sanitize(&self.name),
            note: audit::sanitize(&self.note),
            ..self
        }
    }
}

/// `signed-in, two factors, app tokens, idle 15m`
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fallback)?;
        if self.factors == Factors::Two {
            f.write_str(", two factors")?;
        }
        if self.tokens {
            f.write_str(", app tokens")?;
        }
        if let Some(idle) = self.idle {
            write!(f, ", idle {}", humantime::format_duration(idle))?;
        }
        if let Some(max_age) = self.max_age {
            write!(f, ", max age {}", humantime::format_duration(max_age))?;
        }
        if !self.background {
            f.write_str(", background off")?;
        }
        Ok(())
    }
}

impl FromStr for Factors {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "one" => Ok(Self::One),
            "two" => Ok(Self::Two),
            _ => Err(Malformed("a factor is one or two")),
        }
    }
}

impl fmt::Display for Factors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "one",
            Self::Two => "two",
        })
    }
}

impl Factors {
    /// As it is stored.
    pub(super) fn number(self) -> i64 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// Anything but one is two: nobody is let in for what cannot be read.
    pub(super) fn of_number(number: i64) -> Self {
        if number == 1 { Self::One } else { Self::Two }
    }
}

/// Reads `on` or `off`.
///
/// # Errors
/// It is neither.
pub fn switch(text: &str) -> Result<bool, Malformed> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Malformed("a switch is on or off")),
    }
}

#[must_use]
pub fn switch_text(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Less, and a page would ask again before it is read.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// Reads a limit like `15m`, or `off`.
///
/// # Errors
/// It is neither, or no useful one.
pub fn limit(text: &str) -> Result<Option<Duration>, Malformed> {
    if text == "off" {
        return Ok(None);
    }
    let span = humantime::parse_duration(text).ok();
    let span = span.filter(|span| (SHORTEST..=LONGEST).contains(span));
    span.map(Some).ok_or(Malformed(
        "a limit is off, or between 1m and 400d, like 15m",
    ))
}

#[must_use]
pub fn limit_text(limit: Option<Duration>) -> String {
    limit.map_or_else(
        || "off".to_owned(),
        |limit| humantime::format_duration(limit).to_string(),
    )
}
