use std::path::PathBuf;

use rocket::serde::{Deserialize, Serialize};

use super::{Secret, Settings};

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
