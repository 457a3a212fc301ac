use std::time::Duration;

use rocket::serde::{Deserialize, Serialize};

use super::{DAY, HOUR};

/// When a second factor is asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondFactor {
    /// Of whom. Whoever has none yet sets one up at the next sign-in, after a code by mail where the address is confirmed.
    /// Elsewhere the first to come with the password does, so tell people before you set it.
    pub required: Required,
    /// How long a browser is not asked again, where its user wishes so; `off` asks each time.
    pub trust_device: TrustDevice,
}

/// Who needs a second factor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Required {
    #[default]
    None,
    Admins,
    All,
    Group(String),
}

impl TryFrom<String> for Required {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match (text.as_str(), text.strip_prefix("group:")) {
            ("none", _) => Ok(Self::None),
            ("admins", _) => Ok(Self::Admins),
            ("all", _) => Ok(Self::All),
            (_, Some(group)) if !group.is_empty() => Ok(Self::Group(group.to_owned())),
            _ => Err("is none, admins, all or group:NAME"),
        }
    }
}

impl From<Required> for String {
    fn from(required: Required) -> Self {
        match required {
            Required::None => "none".to_owned(),
            Required::Admins => "admins".to_owned(),
            Required::All => "all".to_owned(),
            Required::Group(group) => format!("group:{group}"),
        }
    }
}

/// How long a trusted browser stays one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustDevice(pub Option<Duration>);

impl TryFrom<String> for TrustDevice {
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

impl From<TrustDevice> for String {
    fn from(trust: TrustDevice) -> Self {
        trust.0.map_or_else(
            || "off".to_owned(),
            |span| humantime::format_duration(span).to_string(),
        )
    }
}
