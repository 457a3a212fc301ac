//! Refuses settings that contradict each other or promise less than they should.

use std::fmt;
use std::time::Duration;

use url::{Host, Url};

use super::{DAY, Listen, Secret, Server, Settings, SignUp};
use super::{MOST_ITERATIONS, MOST_LANES, MOST_MEMORY_KIB};
use crate::foundation::db::Location;

/// Why settings were not taken: a sentence for each fault, which names its key.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<String>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Refused {}

impl From<String> for Refused {
    fn from(fault: String) -> Self {
        Self(vec![fault])
    }
}

impl Settings {
    /// The same settings with the default `public_url` filled in, or what is wrong with them.
    pub(super) fn checked(mut self, server: &Server) -> Result<Self, Refused> {
        let default = format!("http://localhost:{}", server.port);
        let url = self
            .public_url
            .get_or_insert_with(|| Url::parse(&default).expect("a URL by its making"))
            .clone();
        let unreadable = [
            self.read_database_password().err(),
            self.read_metrics_secret().err(),
        ];
        let faults: Vec<String> = [
            unreadable.into_iter().flatten().collect(),
            self.public_url_faults(&url),
            self.site_faults(&url),
            self.session_faults(),
            self.password_faults(),
            self.mail_faults(&url),
            self.sign_up_faults(),
            self.other_faults(),
            server.faults(),
        ]
        .concat();
        if faults.is_empty() {
            Ok(self)
        } else {
            Err(Refused(faults))
        }
    }

    fn public_url_faults(&self, url: &Url) -> Vec<String> {
        // A password in the address is not for the terminal.
        let mut shown = url.clone();
        let _ = (shown.set_username(""), shown.set_password(None));
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        match url.scheme() {
            "http" | "https" if !bare || url.host().is_none() => {
                vec![format!(
                    "public_url: {shown} must be a scheme, a host and a port alone, like https://auth.example.com"
                )]
            }
            "http" if !on_loopback(url) && !self.insecure_http => vec![format!(
                "public_url: {shown} is plain http off this machine, so passwords and cookies could be read on the way; \
                 use https, or set insecure_http = true to accept that on a network you trust"
            )],
            "https" if self.trusted_proxies.is_empty() => vec![format!(
                "trusted_proxies: must name the proxy that ends TLS for {shown}, like [\"127.0.0.1\"]; \
                 without it all visitors would share one address, and one throttle"
            )],
            "http" | "https" => Vec::new(),
            other => vec![format!("public_url: {other}: is not http: or https:")],
        }
    }

    fn site_faults(&self, url: &Url) -> Vec<String> {
        let Some(domain) = self.sites.cookie_domain.as_deref() else {
            return Vec::new();
        };
        let canonical = matches!(Host::parse(domain), Ok(Host::Domain(name)) if name == domain);
        let labels: Vec<&str> = domain.split('.').collect();
        let fault = if !canonical || labels.len() < 2 || labels.contains(&"") {
            "is not a domain in lower case and A-labels, like example.com"
        } else if psl::suffix_str(domain) == Some(domain) {
            "is a public suffix, for which browsers take no cookie"
        } else if url.scheme() != "https" {
            "needs an https public_url: over plain http the cookie could be read and planted on the way"
        } else if self.sites.domain_over(url.host_str().unwrap_or_default()) != Some(domain) {
            "must be a domain that the host of public_url is under"
        } else {
            return Vec::new();
        };
        vec![format!("sites.cookie_domain: {domain:?} {fault}")]
    }

    fn session_faults(&self) -> Vec<String> {
        let sessions = &self.sessions;
        let longest = 400 * DAY;
        let lifetimes = [
            ("sessions.idle_timeout", sessions.idle_timeout),
            ("sessions.max_lifetime", sessions.max_lifetime),
            (
                "sessions.remember_idle_timeout",
                sessions.remember_idle_timeout,
            ),
            (
                "sessions.remember_max_lifetime",
                sessions.remember_max_lifetime,
            ),
            (
                "sessions.reauthenticate_after",
                sessions.reauthenticate_after,
            ),
        ];
        let mut faults: Vec<String> = lifetimes
            .into_iter()
            .filter(|(_, value)| *value < Duration::from_secs(1) || *value > longest)
            .map(|(key, _)| {
                format!("{key}: must be between 1s and 400d, the most that browsers keep a cookie")
            })
            .collect();
        for (prefix, (idle, max)) in [
            ("", sessions.limits(false)),
            ("remember_", sessions.limits(true)),
        ] {
            if idle > max {
                faults.push(format!(
                    "sessions.{prefix}idle_timeout: is longer than sessions.{prefix}max_lifetime"
                ));
            }
        }
        if sessions.history > 3_650 * DAY {
            faults.push("sessions.history: is at most 3650d".to_owned());
        }
        if sessions.max_per_user == 0 {
            faults.push(
                "sessions.max_per_user: must be at least 1, or nobody could sign in".to_owned(),
            );
        }
        faults
    }

    fn password_faults(&self) -> Vec<String> {
        let passwords = &self.passwords;
        let ranges = [
            ("min_length", passwords.min_length as u64, 8, 256),
            (
                "memory_kib",
                u64::from(passwords.memory_kib),
                19_456,
                u64::from(MOST_MEMORY_KIB),
            ),
            (
                "iterations",
                u64::from(passwords.iterations),
                2,
                u64::from(MOST_ITERATIONS),
            ),
            (
                "lanes",
                u64::from(passwords.lanes),
                1,
                u64::from(MOST_LANES),
            ),
            ("hashing_threads", passwords.threads() as u64, 1, 256),
        ];
        ranges
            .into_iter()
            .filter(|(_, value, least, most)| value < least || value > most)
            .map(|(key, value, least, most)| {
                format!("passwords.{key}: {value} is not between {least} and {most}")
            })
            .collect()
    }

    /// Where the database is.
    ///
    /// # Errors
    /// The settings name none, or contradict each other.
    pub fn location(&self) -> Result<Location, String> {
        let location = Location::parse(&self.database_url);
        self.at(location.map_err(|fault| format!("database_url: {fault}"))?)
    }

    /// A database that is named elsewhere, with what the settings say of it.
    ///
    /// # Errors
    /// The settings contradict the address.
    pub fn at(&self, location: Location) -> Result<Location, String> {
        let password = self.database_password.as_ref().map(Secret::reveal);
        location.with(
            password,
            self.database.schema.as_deref(),
            self.database.confirm,
        )
    }

    fn read_database_password(&mut self) -> Result<(), String> {
        if let Some(path) = &self.database_password_file {
            let read = Secret::read(path);
            self.database_password =
                Some(read.map_err(|why| format!("database_password_file: {why}"))?);
        }
        Ok(())
    }

    fn read_metrics_secret(&mut self) -> Result<(), String> {
        let (key, secret) = match (&self.metrics_token, &self.metrics_token_file) {
            (None, None) => return Ok(()),
            (Some(_), Some(_)) => {
                return Err(
                    "metrics_token: is set, and metrics_token_file too; set one of them".to_owned(),
                );
            }
            (Some(token), None) => ("metrics_token", token.clone()),
            (None, Some(path)) => {
                let key = "metrics_token_file";
                (
                    key,
                    Secret::read(path).map_err(|why| format!("{key}: {why}"))?,
                )
            }
        };
        if let Some(fault) = secret.fault() {
            return Err(format!("{key}: {fault}"));
        }
        self.metrics_secret = Some(secret);
        Ok(())
    }

    fn mail_faults(&self, url: &Url) -> Vec<String> {
        let mail = &self.mail;
        let Some(host) = mail.host.as_deref() else {
            let others = mail.username.is_some() || mail.from.is_some() || mail.port.is_some();
            let fault =
                "mail.host: is not set, and other settings of mail are; without it no mail is sent";
            return others.then(|| fault.to_owned()).into_iter().collect();
        };
        let mut faults = Vec::new();
        let here = ["localhost", "127.0.0.1", "::1"].contains(&host);
        if mail.tls() == super::MailTls::None && !here && !self.insecure_http {
            faults.push("mail.tls: none would send links that set passwords in the clear; use implicit or starttls".to_owned());
        }
        if mail.password.is_some() && mail.password_file.is_some() {
            faults.push(
                "mail.password: is set, and mail.password_file too; set one of them".to_owned(),
            );
        }
        if mail.username.is_none() && (mail.password.is_some() || mail.password_file.is_some()) {
            faults.push("mail.username: is missing, and a password is set".to_owned());
        }
        if mail.from.is_none() && url.host_str().is_none_or(|host| !host.contains('.')) {
            faults.push(
                "mail.from: is needed, like \"Vestibule <vestibule@example.com>\"".to_owned(),
            );
        }
        faults
    }

    fn sign_up_faults(&self) -> Vec<String> {
        let SignUp::Domains(domains) = &self.accounts.sign_up else {
            return Vec::new();
        };
        let is_domain = |name: &&String| {
            matches!(Host::parse(name), Ok(Host::Domain(parsed)) if parsed.eq_ignore_ascii_case(name))
                && name.contains('.')
        };
        let fault = if domains.is_empty() {
            "lists no domain; to let nobody sign up, set off".to_owned()
        } else if let Some(other) = domains.iter().find(|name| !is_domain(name)) {
            format!("{other:?} is no domain like example.com, or not in A-labels")
        } else if !self.mail.is_on() {
            "a list of domains needs mail.host: without mail nobody can prove an address".to_owned()
        } else {
            return Vec::new();
        };
        vec![format!("accounts.sign_up: {fault}")]
    }

    fn other_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let throttle = &self.throttle;
        for (key, tries, interval) in [
            ("account", throttle.account_tries, throttle.account_interval),
            ("address", throttle.address_tries, throttle.address_interval),
        ] {
            if !(1..=10_000).contains(&tries) {
                faults.push(format!(
                    "throttle.{key}_tries: {tries} is not between 1 and 10000"
                ));
            }
            if interval < Duration::from_secs(1) || interval > DAY {
                faults.push(format!("throttle.{key}_interval: must be between 1s and 1d, so that nobody is shut out for good"));
            }
        }
        faults.extend(self.location().err());
        if let Some(folder) = self
            .templates_dir
            .as_ref()
            .filter(|folder| !folder.is_dir())
        {
            faults.push(format!(
                "templates_dir: there is no folder {}",
                folder.display()
            ));
        }
        if let Some(Listen::Unix(path)) = &self.listen
            && !path.is_absolute()
        {
            // Not a name by mistake: `listen = "system"`, or an address.
            faults.push(format!("listen: {} is neither \"systemd\" nor the absolute path of a Unix socket; address and port have keys of their own", path.display()));
        }
        faults
    }
}

impl Server {
    fn faults(&self) -> Vec<String> {
        if (1..=1024).contains(&self.workers) {
            Vec::new()
        } else {
            vec![format!(
                "workers: {} is not between 1 and 1024",
                self.workers
            )]
        }
    }
}

/// Whether only this machine can reach the host that `url` names.
pub(crate) fn on_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
