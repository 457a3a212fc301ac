use rocket::serde::{Deserialize, Serialize};

use super::OffOrSpan;
use super::environment::list;

/// What people may do about their own accounts.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accounts {
    /// Whether people make accounts by themselves: `off`, `open`, `approval` by an admin, or the mail domains whose people
    /// may.
    pub sign_up: SignUp,
    /// Whether a verified address signs in as well as a user name.
    pub sign_in_by_email: bool,
    /// Whether people may delete their own accounts, and after how long, in which they may think better of it.
    pub delete_own: OffOrSpan,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            sign_up: SignUp::Off,
            sign_in_by_email: true,
            delete_own: OffOrSpan::default(),
        }
    }
}

/// Who may make an account without being invited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum SignUp {
    #[default]
    Off,
    Open,
    /// An admin enables each account.
    Approval,
    /// Whoever has an address there, and nobody below.
    Domains(Vec<String>),
}

impl SignUp {
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self != Self::Off
    }

    /// Whether somebody with this address may.
    #[must_use]
    pub fn takes(&self, address: Option<&str>) -> bool {
        let domain = address.and_then(|address| address.rsplit_once('@'));
        match self {
            Self::Off => false,
            Self::Open | Self::Approval => true,
            Self::Domains(domains) => domain.is_some_and(|(_, domain)| {
                domains.iter().any(|own| own.eq_ignore_ascii_case(domain))
            }),
        }
    }
}

/// As it stands in a file.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Written {
    Word(String),
    Domains(Vec<String>),
    Other(rocket::figment::value::Value),
}

const WANTED: &str = "is off, open, approval or a list of mail domains like [\"example.com\"]";

impl TryFrom<Written> for SignUp {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, &'static str> {
        match written {
            Written::Word(word) => match word.as_str() {
                "off" => Ok(Self::Off),
                "open" => Ok(Self::Open),
                "approval" => Ok(Self::Approval),
                // As it comes from the environment, where all is text.
                text if text.starts_with('[') => {
                    let domains = list(text).into_iter().map(str::to_owned);
                    Ok(Self::Domains(domains.collect()))
                }
                _ => Err(WANTED),
            },
            Written::Domains(domains) => Ok(Self::Domains(domains)),
            Written::Other(_) => Err(WANTED),
        }
    }
}

impl From<SignUp> for Written {
    fn from(sign_up: SignUp) -> Self {
        let word = |word: &str| Self::Word(word.to_owned());
        match sign_up {
            SignUp::Off => word("off"),
            SignUp::Open => word("open"),
            SignUp::Approval => word("approval"),
            SignUp::Domains(domains) => Self::Domains(domains),
        }
    }
}
