use rocket::serde::{Deserialize, Serialize};

use super::OffOrSpan;

/// When a second factor is asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondFactor {
    /// Of whom. Whoever has none yet sets one up at the next sign-in, after a code by mail or from an admin. Where no mail
    /// is set up, the first to come with the password does, so tell people before you set it.
    pub required: Required,
    /// How long a browser is not asked again, where its user wishes so; `off` asks each time.
    pub trust_device: OffOrSpan,
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
