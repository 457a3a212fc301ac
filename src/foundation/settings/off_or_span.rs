use std::time::Duration;

use rocket::serde::{Deserialize, Serialize};

use super::{DAY, HOUR};

/// A span of time, where the thing is not off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct OffOrSpan(pub Option<Duration>);

impl TryFrom<String> for OffOrSpan {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let span = humantime::parse_duration(&text).ok();
        let span = span.filter(|span| (HOUR..=400 * DAY).contains(span));
        let span = span.ok_or("is off, or between 1h and 400d, like 30d")?;
        Ok(Self(Some(span)))
    }
}

impl From<OffOrSpan> for String {
    fn from(trust: OffOrSpan) -> Self {
        trust.0.map_or_else(
            || "off".to_owned(),
            |span| humantime::format_duration(span).to_string(),
        )
    }
}
