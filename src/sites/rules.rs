//! What sites and rules say, and how they are written.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use uuid::Uuid;

use super::host::Pattern;
use super::terms::{Factors, Terms};
use crate::foundation::version::Version;
use crate::people::users::{User, group_name, username};

/// A protected host, or all hosts one level below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub id: Uuid,
    pub host: Pattern,
    pub terms: Terms,
    /// In order; the first match wins.
    pub rules: Vec<Rule>,
}

impl Site {
    /// Whether it does so anywhere.
    #[must_use]
    pub fn asks_for_two_factors(&self) -> bool {
        let mut factors = self.rules.iter().map(|rule| rule.factors);
        self.terms.factors == Factors::Two || factors.any(|factors| factors == Factors::Two)
    }

    /// Of the rules in their order: what one of them does depends on those before it.
    #[must_use]
    pub fn rules_version(&self) -> Version {
        Version::of(self.rules.iter().map(|rule| format!("{} {rule}", rule.id)))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    Deny,
    SignedIn,
    Public,
    Group(String),
}

/// What may, or may not, be done by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: Uuid,
    pub path: PathPattern,
    /// None: all. GET includes HEAD.
    pub methods: Vec<String>,
    /// None: from everywhere.
    pub networks: Vec<IpNet>,
    pub who: Who,
    pub effect: Effect,
    /// Of whom it allows; one that denies asks for none.
    pub factors: Factors,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    Anyone,
    SignedIn,
    User(String),
    Group(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// `/exact`, or `/prefix/*`, which includes `/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    Exact(String),
    Prefix(String),
}

/// A text that is not what it should be; says what it should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

impl Who {
    #[must_use]
    pub fn includes(&self, user: Option<&User>) -> bool {
        match (self, user) {
            (Self::Anyone, _) | (Self::SignedIn, Some(_)) => true,
            (Self::User(name), Some(user)) => *name == user.username,
            (Self::Group(name), Some(user)) => user.groups.contains(name),
            (_, None) => false,
        }
    }
}

impl Rule {
    /// # Errors
    /// It denies, and asks for two factors.
    pub fn checked(self) -> Result<Self, Malformed> {
        match (self.effect, self.factors) {
            (Effect::Deny, Factors::Two) => {
                Err(Malformed("a rule that denies asks for no second factor"))
            }
            _ => Ok(self),
        }
    }

    #[must_use]
    pub fn covers_method(&self, method: &str) -> bool {
        let covers = |own: &str| own == method || (own == "GET" && method == "HEAD");
        self.methods.is_empty() || self.methods.iter().any(|own| covers(own))
    }

    /// Where the address is not known, a rule that allows for a network never holds, and one that
    /// denies for it always does.
    #[must_use]
    pub fn covers_address(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || match address {
                Some(address) => self
                    .networks
                    .iter()
                    .any(|network| network.contains(&address)),
                None => self.effect == Effect::Deny,
            }
    }
}

/// `allow GET /admin/* from 10.0.0.0/8 for group:admins with two factors`
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.effect)?;
        if !self.methods.is_empty() {
            write!(f, "{} ", self.methods.join(", "))?;
        }
        write!(f, "{}", self.path)?;
        if !self.networks.is_empty() {
            let networks: Vec<String> = self.networks.iter().map(ToString::to_string).collect();
            write!(f, " from {}", networks.join(", "))?;
        }
        write!(f, " for {}", self.who)?;
        if self.factors == Factors::Two {
            f.write_str(" with two factors")?;
        }
        Ok(())
    }
}

impl PathPattern {
    /// `/*`: no path is told from another.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        matches!(self, Self::Prefix(prefix) if prefix.is_empty())
    }

    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(own) => own == path,
            Self::Prefix(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

impl FromStr for PathPattern {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed =
            Malformed("a path is written /exact or /prefix/*, decoded, without ? # * .. or //");
        let (path, prefix) = text
            .strip_suffix("/*")
            .map_or((text, false), |path| (path, true));
        let odd = |part: &str| matches!(part, "." | "..");
        let rooted = path.starts_with('/') || prefix && path.is_empty();
        if !rooted
            || path.contains(['?', '#', '*', '\\', ';', '%'])
            || text.contains("//")
            || path.chars().any(char::is_control)
            || path.split('/').any(odd)
        {
            return Err(malformed);
        }
        Ok(if prefix {
            Self::Prefix(path.to_owned())
        } else {
            Self::Exact(path.to_owned())
        })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(prefix) => write!(f, "{prefix}/*"),
        }
    }
}

impl FromStr for Fallback {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = Malformed("a default is deny, signed-in, public or group:NAME");
        match text {
            "deny" => Ok(Self::Deny),
            "signed-in" => Ok(Self::SignedIn),
            "public" => Ok(Self::Public),
            other => {
                let name = other
                    .strip_prefix("group:")
                    .and_then(|name| group_name(name).ok());
                name.map(Self::Group).ok_or(malformed)
            }
        }
    }
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deny => f.write_str("deny"),
            Self::SignedIn => f.write_str("signed-in"),
            Self::Public => f.write_str("public"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

impl FromStr for Who {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = Malformed("who is anyone, signed-in, user:NAME or group:NAME");
        match text.split_once(':') {
            None if text == "anyone" => Ok(Self::Anyone),
            None if text == "signed-in" => Ok(Self::SignedIn),
            Some(("user", name)) => username(name).map(Self::User).map_err(|_| malformed),
            Some(("group", name)) => group_name(name).map(Self::Group).map_err(|_| malformed),
            _ => Err(malformed),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::SignedIn => f.write_str("signed-in"),
            Self::User(name) => write!(f, "user:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

impl FromStr for Effect {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            _ => Err(Malformed("an effect is allow or deny")),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

/// An HTTP method: a token (RFC 9110, 5.6.2) without small letters. Applications disagree whether
/// `post` is POST, so that no rule could be right about it.
///
/// # Errors
/// It is something else, or longer than any method.
pub fn method(text: &str) -> Result<String, Malformed> {
    let fair = |byte: u8| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
    };
    if (1..=20).contains(&text.len()) && text.bytes().all(fair) {
        Ok(text.to_owned())
    } else {
        Err(Malformed(
            "a method is written in capitals, like GET or VERSION-CONTROL",
        ))
    }
}

/// A network like 10.0.0.0/8; an address alone is the network of that one address.
///
/// # Errors
/// It is something else.
pub fn network(text: &str) -> Result<IpNet, Malformed> {
    let address = text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = address.or_else(|| text.parse().ok());
    network
        .map(|network: IpNet| network.trunc())
        .ok_or(Malformed(
            "a network is an address, or written like 10.0.0.0/8",
        ))
}
