//! Every setting, with its default and the reason for it.
//!
//! They come from `[default.vestibule]` of Rocket.toml and from the environment (`load`), and
//! are refused as a whole when they contradict each other or promise less than they should (`check`).

mod check;
mod environment;
mod load;
mod secret;
mod text;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use rocket::figment::Figment;
use rocket::serde::{Deserialize, Serialize};
use url::Url;

pub use check::Refused;
pub(crate) use check::on_loopback;
pub use load::{Effective, Origin, Sources, refuse_password};
pub use secret::Secret;
pub(crate) use secret::without_line_end;

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

/// When a second factor is asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondFactor {
    /// Of whom. Whoever has none yet sets one up at the next sign-in: the first to come with the password, so tell people
    /// before you set it.
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

/// The server that mail is handed to. Without a host there is no mail.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    pub host: Option<String>,
    /// 465 with TLS at once, 587 with STARTTLS, 25 without.
    pub port: Option<u16>,
    /// `implicit`, `starttls` or `none`; by the port if not set. Nothing is sent where the server offers less.
    pub tls: Option<MailTls>,
    pub username: Option<String>,
    pub password: Option<Secret>,
    /// A file that others cannot read, with the password.
    pub password_file: Option<PathBuf>,
    /// Like `Vestibule <vestibule@example.com>`.
    pub from: Option<String>,
    /// The certificate of a private authority.
    pub ca_file: Option<PathBuf>,
    /// What Vestibule calls itself; the host of `public_url` if not set.
    pub hello: Option<String>,
}

/// How the way to the mail server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// From the first byte on.
    Implicit,
    /// After a greeting, and before anything else.
    Starttls,
    None,
}

impl Mail {
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.host.is_some()
    }

    #[must_use]
    pub fn tls(&self) -> MailTls {
        self.tls.unwrap_or(match self.port {
            Some(465) => MailTls::Implicit,
            _ => MailTls::Starttls,
        })
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls() {
            MailTls::Implicit => 465,
            MailTls::Starttls => 587,
            MailTls::None => 25,
        })
    }

    /// Who sends it.
    #[must_use]
    pub fn from(&self, settings: &Settings) -> String {
        let own = || {
            let host = settings.url().host_str().unwrap_or("localhost");
            format!("Vestibule <vestibule@{host}>")
        };
        self.from.clone().unwrap_or_else(own)
    }
}

/// What people may do about their own accounts.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accounts {
    /// Whether a verified address signs in as well as a user name.
    pub sign_in_by_email: bool,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            sign_in_by_email: true,
        }
    }
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

/// Where the program listens, if not at an address and port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub enum Listen {
    /// The path of a Unix socket, for a proxy on the same machine.
    Unix(PathBuf),
    /// The socket of a systemd `.socket` unit, in which visitors wait during a restart.
    Systemd,
}

impl From<String> for Listen {
    fn from(text: String) -> Self {
        match text.as_str() {
            "systemd" => Self::Systemd,
            _ => Self::Unix(text.into()),
        }
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        match listen {
            Listen::Unix(path) => path.to_string_lossy().into_owned(),
            Listen::Systemd => "systemd".to_owned(),
        }
    }
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

/// Of Rocket's own keys, the ones that the binary takes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub struct Server {
    /// Loopback: a reverse proxy on the same machine reaches it, the network does not.
    pub address: IpAddr,
    pub port: u16,
    pub workers: usize,
    pub shutdown: Shutdown,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            address: IpAddr::from([127, 0, 0, 1]),
            port: 8000,
            workers: cores(),
            shutdown: Shutdown::default(),
        }
    }
}

/// Seconds that running requests are given when the server is told to stop.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// Answers that take longer than Rocket's own 2 s were cut though their change was made.
    pub grace: u32,
    pub mercy: u32,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            grace: 10,
            mercy: 3,
        }
    }
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
