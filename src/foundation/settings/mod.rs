//! Every setting, with its default and the reason for it.
//!
//! They come from `[default.vestibule]` of Rocket.toml and from the environment (`load`), and
//! are refused as a whole when they contradict each other or promise less than they should (`check`).

mod accounts;
mod check;
mod environment;
mod load;
mod mail;
mod off_or_span;
mod second_factor;
mod secret;
mod server;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use rocket::figment::Figment;
use rocket::serde::{Deserialize, Serialize};
use url::Url;

pub use accounts::{Accounts, SignUp};
pub use check::Refused;
pub(crate) use check::on_loopback;
pub use load::{Effective, Origin, Sources, refuse_password};
pub use mail::{Mail, MailTls};
pub use off_or_span::OffOrSpan;
pub use second_factor::{Required, SecondFactor};
pub use secret::Secret;
pub(crate) use secret::without_line_end;
pub use server::{Listen, Server, Shutdown};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// The most that a password's hash may take, by these settings or as it is stored: a hash obeys what
/// is stored, so a row from elsewhere could otherwise take all memory.
pub const MOST_MEMORY_KIB: u32 = 256 * 1024;
pub const MOST_ITERATIONS: u32 = 16;
pub const MOST_LANES: u32 = 16;

/// What Vestibule can be told; the keys of `[default.vestibule]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What browsers call this service: scheme, host and port. `http://localhost:PORT` if not set.
    #[serde(deserialize_with = "text::url")]
    pub public_url: Option<Url>,
    /// Allows an http `public_url` off loopback, as on a home network without certificates.
    pub insecure_http: bool,
    /// `sqlite:` and a path, seen from the working directory, or `postgres://USER@HOST/DATABASE`.
    #[serde(serialize_with = "text::without_password")]
    pub database_url: String,
    /// A file that holds the password of a postgres:// address, which others cannot read.
    pub database_password_file: Option<PathBuf>,
    /// What that file holds.
    #[serde(skip)]
    pub(crate) database_password: Option<Secret>,
    pub database: Database,
    pub nodes: Nodes,
    pub secrets: Secrets,
    pub second_factor: SecondFactor,
    pub mail: Mail,
    pub accounts: Accounts,
    pub oidc: Oidc,
    /// Addresses and networks whose X-Forwarded-* headers are believed. None by default.
    #[serde(with = "text::networks")]
    pub trusted_proxies: Vec<IpNet>,
    pub sessions: Sessions,
    pub passwords: Passwords,
    pub throttle: Throttle,
    pub cache: Cache,
    pub sites: Sites,
    #[serde(deserialize_with = "text::name")]
    pub log_format: LogFormat,
    #[serde(deserialize_with = "text::name")]
    pub log_level: LogLevel,
    /// Opens /metrics to whoever presents it: `Authorization: Bearer …`.
    pub metrics_token: Option<Secret>,
    /// A file that holds it instead, which others cannot read.
    pub metrics_token_file: Option<PathBuf>,
    /// Whichever of the two is set.
    #[serde(skip)]
    pub(crate) metrics_secret: Option<Secret>,
    /// A folder whose templates replace the embedded ones of the same name.
    pub templates_dir: Option<PathBuf>,
    /// Instead of address and port. For the program alone: a site that embeds us listens by itself.
    pub listen: Option<Listen>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: None,
            insecure_http: false,
            database_url: "sqlite:vestibule.db".to_owned(),
            database_password_file: None,
            database_password: None,
            database: Database::default(),
            nodes: Nodes::default(),
            secrets: Secrets::default(),
            second_factor: SecondFactor::default(),
            mail: Mail::default(),
            accounts: Accounts::default(),
            oidc: Oidc::default(),
            trusted_proxies: Vec::new(),
            sessions: Sessions::default(),
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            cache: Cache::default(),
            sites: Sites::default(),
            log_format: LogFormat::Text,
            log_level: LogLevel::Info,
            metrics_token: None,
            metrics_token_file: None,
            metrics_secret: None,
            templates_dir: None,
            listen: None,
        }
    }
}

/// How a database on a server is used.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// The schema that the tables are in, on a server that others use, too; `public` if not set.
    pub schema: Option<String>,
    /// Lets nobody pass unless a standby has confirmed a write within two seconds; by itself where a standby is
    /// synchronous.
    pub confirm: Option<bool>,
}

/// Several servers on one database of PostgreSQL's.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nodes {
    /// What this one is called; the name of the machine if not set.
    pub name: Option<String>,
}

impl Nodes {
    #[must_use]
    pub fn name(&self) -> String {
        let machine = || {
            rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned()
        };
        self.name.clone().unwrap_or_else(machine)
    }
}

/// What secrets such as those of TOTP are sealed with.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// A file that others cannot read, with a key in base64 on each line; `vestibule.key` beside a database of SQLite's if
    /// not set, made at the first start.
    pub key_file: Option<PathBuf>,
    /// The same text, from the environment alone: a settings file is shown and copied.
    pub key: Option<Secret>,
}

/// Vestibule as the provider of applications that speak OpenID Connect.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Oidc {
    /// Without applications it answers discovery alone.
    pub enabled: bool,
}

impl Default for Oidc {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// What is kept in memory of the database.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Sessions; 0 asks the database each time.
    pub entries: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self { entries: 100_000 }
    }
}

/// What protected sites share.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sites {
    /// One more cookie for all hosts under this domain, for pages that call sibling hosts from
    /// scripts. Off unless set: every host under the domain sees it, and can plant it.
    pub cookie_domain: Option<String>,
}

impl Sites {
    /// The shared domain that a host is under.
    #[must_use]
    pub fn domain_over(&self, host: &str) -> Option<&str> {
        let domain = self.cookie_domain.as_deref()?;
        let under = host.strip_suffix(domain)?.ends_with('.');
        under.then_some(domain)
    }
}

/// How long sessions live, and how many.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Ends a session that is not used: a working day.
    #[serde(with = "text::duration")]
    pub idle_timeout: Duration,
    /// Ends it even if it is used.
    #[serde(with = "text::duration")]
    pub max_lifetime: Duration,
    /// The same for "keep me signed in", as people expect it of their own devices.
    #[serde(with = "text::duration")]
    pub remember_idle_timeout: Duration,
    #[serde(with = "text::duration")]
    pub remember_max_lifetime: Duration,
    /// More than a person's devices; the sign-in after that ends the least recently used.
    pub max_per_user: u32,
    /// How long ended sessions stay listed.
    #[serde(with = "text::duration")]
    pub history: Duration,
    /// Age of the last password check after which sensitive changes ask again.
    #[serde(with = "text::duration")]
    pub reauthenticate_after: Duration,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            idle_timeout: 12 * HOUR,
            max_lifetime: 7 * DAY,
            remember_idle_timeout: 30 * DAY,
            remember_max_lifetime: 90 * DAY,
            max_per_user: 50,
            history: 90 * DAY,
            reauthenticate_after: 15 * MINUTE,
        }
    }
}

impl Sessions {
    /// (idle timeout, max lifetime) of a session.
    #[must_use]
    pub fn limits(&self, remember: bool) -> (Duration, Duration) {
        if remember {
            (self.remember_idle_timeout, self.remember_max_lifetime)
        } else {
            (self.idle_timeout, self.max_lifetime)
        }
    }
}

/// What a password must be, and what its hash costs.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passwords {
    /// Characters; NIST 800-63B-4 asks for 15 where a password is the only factor.
    pub min_length: usize,
    /// argon2id's memory, passes and lanes: OWASP's minimum. Raised values rehash at the next sign-in.
    pub memory_kib: u32,
    pub iterations: u32,
    pub lanes: u32,
    /// The most hashes computed at once; the number of cores if not set.
    pub hashing_threads: Option<usize>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            min_length: 15,
            memory_kib: 19_456,
            iterations: 2,
            lanes: 1,
            hashing_threads: None,
        }
    }
}

impl Passwords {
    #[must_use]
    pub fn threads(&self) -> usize {
        self.hashing_threads.unwrap_or_else(cores)
    }
}

/// How many wrong passwords are accepted, and how soon a try comes back.
///
/// Each user name and each address (IPv4, or IPv6 /64) has a bucket of tries; a failure takes one,
/// and one comes back each interval. Nobody is shut out for good, nobody may guess for ever.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// A person who mistypes five times waits, as with most lockouts.
    pub account_tries: u32,
    /// At most 96 guesses a day for one account.
    #[serde(with = "text::duration")]
    pub account_interval: Duration,
    /// A whole household or office may share one address.
    pub address_tries: u32,
    #[serde(with = "text::duration")]
    pub address_interval: Duration,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            account_tries: 5,
            account_interval: 15 * MINUTE,
            address_tries: 50,
            address_interval: MINUTE,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// No level prints cookies, passwords or codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    #[serde(alias = "warning")]
    Warn,
    Info,
    Debug,
    Trace,
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

impl Settings {
    /// Settings of a site that embeds Vestibule: the `vestibule` table of its own figment, under
    /// the environment.
    ///
    /// # Errors
    /// A key is unknown or mistyped, or values contradict each other; the text names the key.
    pub fn of_host(figment: &Figment) -> Result<Self, Refused> {
        load::of_host(figment)
    }

    /// What browsers call this service.
    ///
    /// # Panics
    /// The settings were not checked; each way to make them checks them.
    #[must_use]
    pub fn url(&self) -> &Url {
        self.public_url
            .as_ref()
            .expect("checked settings have a public_url")
    }

    /// Whether browsers reach this service by https, so that cookies can be Secure.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.url().scheme() == "https"
    }

    /// An absolute address of this service.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.url().as_str().trim_end_matches('/'))
    }
}
