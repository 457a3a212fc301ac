//! Clients: applications that ask who somebody is.

mod change;

use std::time::Duration;

use super::claim_rules::ClaimRule;
use super::redirect_uri::{fault_of, same_but_for_port};
use super::store;
use crate::foundation::app::App;
use crate::foundation::clock::{DAY, Timestamp};
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::foundation::version::Version;
use crate::people::users::User;

pub(super) use change::faults;
pub use change::{add, change, check, edit, remove};

/// A relying party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    pub name: String,
    /// `None`: a public client, such as a program on somebody's machine, that can keep no secret.
    pub secret_hash: Option<TokenHash>,
    /// How it proves who it is; either way where it is not said.
    pub auth_method: Option<AuthMethod>,
    /// Whether it must send a challenge (RFC 7636).
    pub pkce: bool,
    pub alg: Alg,
    pub claims_in_id_token: bool,
    pub consent: Consent,
    pub two_factors: bool,
    /// Whether it may go on when the session has ended.
    pub offline_access: bool,
    pub back_channel_uri: Option<String>,
    /// Where people start who open it from here.
    pub launch_url: Option<String>,
    pub access_lifetime: Duration,
    pub refresh_idle: Duration,
    pub refresh_max: Duration,
    pub redirect_uris: Vec<String>,
    pub sign_out_uris: Vec<String>,
    /// Whose members may use it; everyone if there are none.
    pub groups: Vec<String>,
    /// In order.
    pub claims: Vec<ClaimRule>,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

/// An enumeration that is stored and typed as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($variant,)* }

        impl $name {
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let all: &[&str] = &[$($text),*];
                Self::parse(text).ok_or_else(|| format!("is one of: {}", all.join(", ")))
            }
        }
    };
}

words!(
    /// How a client proves who it is.
    AuthMethod { Basic "basic" Post "post" None "none" }
);
words!(
    /// What id_tokens are signed with.
    Alg { Rs256 "RS256" Es256 "ES256" }
);
words!(
    /// When a user is asked: each time, once for each set of scopes, or never, for an admin decided for all.
    Consent { Always "always" Once "once" Never "never" }
);

impl Client {
    /// With the values that hold where nothing is said.
    #[must_use]
    pub fn new(name: &str, redirect_uris: Vec<String>) -> Self {
        Self {
            id: Token::generate().reveal()[..22].replace(['-', '_'], "x"),
            name: name.to_owned(),
            secret_hash: None,
            auth_method: None,
            pkce: true,
            alg: Alg::Rs256,
            claims_in_id_token: true,
            consent: Consent::Never,
            two_factors: false,
            offline_access: false,
            back_channel_uri: None,
            launch_url: None,
            access_lifetime: Duration::from_secs(600),
            refresh_idle: 30 * DAY,
            refresh_max: 90 * DAY,
            redirect_uris,
            sign_out_uris: Vec::new(),
            groups: Vec::new(),
            claims: Vec::new(),
            created_at: Timestamp::from_micros(0),
            disabled_at: None,
        }
    }

    #[must_use]
    pub fn is_public(&self) -> bool {
        self.secret_hash.is_none()
    }

    /// Whether it is there for a user, as far as groups say.
    #[must_use]
    pub fn is_for(&self, user: &User) -> bool {
        let is_in = |group: &String| user.groups.contains(group);
        let is_member = self.groups.is_empty() || self.groups.iter().any(is_in);
        self.disabled_at.is_none() && is_member
    }

    /// Nobody signs in to it, and it is told nothing, until it is enabled again.
    pub fn set_disabled(&mut self, is_disabled: bool, now: Timestamp) {
        self.disabled_at = is_disabled.then(|| self.disabled_at.unwrap_or(now));
    }

    /// The registered address that `given` is, byte for byte; a loopback one at any port (RFC 8252, 7.3).
    #[must_use]
    pub fn has_redirect(&self, given: &str) -> bool {
        self.redirect_uris
            .iter()
            .any(|uri| uri == given || same_but_for_port(uri, given))
    }

    /// Of what the admin's form changes.
    #[must_use]
    pub fn version(&self) -> Version {
        let lists = [&self.redirect_uris, &self.sign_out_uris, &self.groups];
        let lists = lists.map(|list| list.join("\n"));
        let rules: Vec<String> = self.claims.iter().map(ToString::to_string).collect();
        let is_disabled = self.disabled_at.is_some();
        let switches = [
            self.pkce,
            self.two_factors,
            self.offline_access,
            is_disabled,
        ];
        let texts = [
            self.name.clone(),
            self.back_channel_uri.clone().unwrap_or_default(),
            self.launch_url.clone().unwrap_or_default(),
            self.consent.as_str().to_owned(),
            format!("{switches:?}"),
            rules.join("\n"),
        ];
        Version::of(texts.into_iter().chain(lists))
    }

    pub(super) fn faults(&self, insecure_http: bool) -> Vec<Refused> {
        let is_named = (1..=100).contains(&self.name.len());
        let is_named = is_named && !self.name.chars().any(char::is_control);
        let nameless = (!is_named).then_some(Refused::Name);
        let homeless = self.redirect_uris.is_empty().then_some(Refused::NoRedirect);
        let fault = |uri: &String, takes_schemes| {
            let fault = fault_of(uri, takes_schemes, insecure_http)?;
            Some(Refused::Uri(uri.clone(), fault))
        };
        let scheme = |uri| fault(uri, true);
        let web = |uri| fault(uri, false);
        nameless
            .into_iter()
            .chain(homeless)
            .chain(self.redirect_uris.iter().filter_map(scheme))
            .chain(self.sign_out_uris.iter().filter_map(web))
            .chain(self.back_channel_uri.iter().filter_map(web))
            .chain(self.launch_url.iter().filter_map(web))
            .collect()
    }
}

/// Why a client was not added or changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Unknown,
    Taken,
    Name,
    NoRedirect,
    Uri(String, &'static str),
    /// Something else that was typed; says what it should be.
    Malformed(String),
    /// The form was made from something older than this, which stands now.
    Conflict(Box<Client>),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such client"),
            Self::Taken => f.write_str("that name is taken"),
            Self::Name => f.write_str("a name has 1 to 100 characters"),
            Self::NoRedirect => f.write_str("a client needs an address that people come back to"),
            Self::Uri(uri, fault) => write!(f, "{uri}: {fault}"),
            Self::Malformed(what) => f.write_str(what),
            Self::Conflict(now) => write!(f, "{} was changed meanwhile", now.name),
        }
    }
}

/// A new secret, for an application's settings: told once.
#[must_use]
pub fn new_secret() -> Token {
    Token::generate()
}

/// What is stored of a client's secret, whatever it is made of.
#[must_use]
pub fn hash_of_secret(text: &str) -> TokenHash {
    super::jwt::sha256_hash(text.as_bytes())
}

/// # Errors
/// The database failed.
pub async fn by_id(app: &App, id: &str) -> Result<Option<Client>, Error> {
    Ok(store::client(app.db.reader(), id).await?)
}

/// By its id, or its name as people type it.
///
/// # Errors
/// The database failed.
pub async fn find(app: &App, name: &str) -> Result<Option<Client>, Error> {
    let all = list(app).await?;
    let found = all.iter().find(|client| client.id == name);
    let found = found.or_else(|| {
        all.iter()
            .find(|client| client.name.eq_ignore_ascii_case(name))
    });
    Ok(found.cloned())
}

/// # Errors
/// The database failed.
pub async fn list(app: &App) -> Result<Vec<Client>, Error> {
    Ok(store::clients(app.db.reader()).await?)
}
