//! The address of a database of PostgreSQL's: what is taken of it, and what of the environment is not.

use std::fmt;
use std::str::FromStr as _;

use percent_encoding::percent_decode_str;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

const EXAMPLE: &str = "write it like postgres://vestibule@db.example.com/vestibule";

/// What an address may say after its `?`.
const PARAMETERS: [&str; 6] = [
    "host",
    "user",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
];

/// What the driver reads of the environment, and what stands in its place. The rest (PGHOST, PGUSER …) is always
/// overruled by the address.
const STRAY: [(&str, &str); 4] = [
    (
        "PGOPTIONS",
        "Vestibule sets the options of its connections itself",
    ),
    (
        "PGSSLROOTCERT",
        "name the file as sslrootcert= in database_url",
    ),
    ("PGSSLCERT", "name the file as sslcert= in database_url"),
    ("PGSSLKEY", "name the file as sslkey= in database_url"),
];

/// A database on a server.
#[derive(Clone)]
pub struct Server {
    options: PgConnectOptions,
    /// As PostgreSQL's own programs take it, without the password.
    address: String,
    password: Option<String>,
    tls: Tls,
    schema: String,
    confirm: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tls {
    Enough,
    /// Who listens on the way could take the database's place.
    LessThanVerified,
}

impl Server {
    /// Reads `postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE?…`; `host=` is a socket's folder there.
    ///
    /// # Errors
    /// It names no host, user or database, or says something that is not taken. The password is not repeated.
    pub fn parse(url: &str) -> Result<Self, String> {
        let parsed = Url::parse(url).map_err(|e| format!("{e}; {EXAMPLE}"))?;
        let is_near = refuse_incomplete(&parsed)?;
        refuse_stray(&parsed)?;
        // The driver decodes what stands in the address, and looks into the password file.
        let options = PgConnectOptions::from_str(url).map_err(|e| e.to_string())?;
        let mode = parameter(&parsed, "sslmode");
        let options = match &mode {
            Some(_) => options,
            None if is_near => options.ssl_mode(PgSslMode::Prefer),
            None => options.ssl_mode(PgSslMode::VerifyFull),
        };
        let is_verified = mode.as_deref().is_none_or(|mode| mode == "verify-full");
        Ok(Self {
            options: options
                .port(parsed.port().unwrap_or(5432))
                .database(&database(&parsed))
                .application_name("vestibule"),
            password: parsed.password().map(decoded),
            address: address(parsed, mode.is_none() && !is_near),
            tls: if is_near || is_verified {
                Tls::Enough
            } else {
                Tls::LessThanVerified
            },
            schema: "public".to_owned(),
            confirm: None,
        })
    }

    /// With the password of `database_password_file`, and the schema of `database.schema`.
    ///
    /// # Errors
    /// There are two passwords, or one in the environment that would be taken; or the schema is no plain name.
    pub fn with(mut self, password: Option<&str>, schema: Option<&str>) -> Result<Self, String> {
        match password {
            Some(_) if self.password.is_some() => {
                return Err("database_password_file: is set, and database_url has a password too; leave one of them out".into());
            }
            Some(password) => {
                self.options = self.options.password(password);
                self.password = Some(password.to_owned());
            }
            None if self.password.is_none() && std::env::var_os("PGPASSWORD").is_some() => {
                return Err("PGPASSWORD is set in the environment; put the password into database_password_file or a password file (PGPASSFILE), and unset it".into());
            }
            None => {}
        }
        if let Some(schema) = schema {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if schema.is_empty() || schema.len() > 63 || !schema.chars().all(is_plain) {
                return Err(format!(
                    "database.schema: {schema:?} is not of a-z, 0-9 and _"
                ));
            }
            schema.clone_into(&mut self.schema);
        }
        Ok(self)
    }

    /// A server of the tests', as they connect to it.
    #[must_use]
    pub fn of(options: PgConnectOptions) -> Self {
        Self {
            address: String::new(),
            options: options.application_name("vestibule"),
            password: None,
            tls: Tls::Enough,
            schema: "public".to_owned(),
            confirm: None,
        }
    }

    /// Whether writes have to be confirmed, as `database.confirm` says; with a synchronous standby where it does not.
    #[must_use]
    pub fn confirmed(mut self, confirm: Option<bool>) -> Self {
        self.confirm = confirm;
        self
    }

    pub(super) fn confirm(&self) -> Option<bool> {
        self.confirm
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// What an operator is told at each start.
    pub fn warn(&self) {
        if self.tls == Tls::LessThanVerified {
            tracing::warn!(
                "database_url: sslmode is less than verify-full: who listens between here and {self} can read the \
                 database's password, or answer in its place"
            );
        }
    }
}

/// Says whether the server is on this machine.
fn refuse_incomplete(url: &Url) -> Result<bool, String> {
    let mut names = url.query_pairs().map(|(name, _)| name);
    if let Some(name) = names.find(|name| !PARAMETERS.contains(&&**name)) {
        let known = PARAMETERS.join(", ");
        return Err(format!(
            "{name}: is not taken in an address of PostgreSQL's; there are {known}"
        ));
    }
    let (host, socket) = (url.host_str().unwrap_or_default(), parameter(url, "host"));
    let fault = if socket
        .as_ref()
        .is_some_and(|folder| !folder.starts_with('/'))
    {
        "host= is the absolute path of a socket's folder; a host stands before the database"
    } else if socket.is_none() && (host.is_empty() || host.contains(',')) {
        "one host is named before the database, or a socket's folder as host=/run/postgresql"
    } else if url.username().is_empty() && parameter(url, "user").is_none() {
        "names no user"
    } else if database(url).is_empty() {
        "names no database"
    } else {
        return Ok(socket.is_some() || is_loopback(host));
    };
    Err(format!("{fault}; {EXAMPLE}"))
}

fn refuse_stray(url: &Url) -> Result<(), String> {
    let is_stray = |name: &str| {
        let overruled = match name {
            "PGSSLROOTCERT" => parameter(url, "sslrootcert"),
            "PGSSLCERT" => parameter(url, "sslcert"),
            "PGSSLKEY" => parameter(url, "sslkey"),
            _ => None,
        };
        overruled.is_none() && std::env::var_os(name).is_some()
    };
    match STRAY.iter().find(|(name, _)| is_stray(name)) {
        Some((name, instead)) => Err(format!(
            "{name} is set in the environment; {instead}, and unset it"
        )),
        None => Ok(()),
    }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

fn database(url: &Url) -> String {
    decoded(url.path().trim_start_matches('/'))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// For PostgreSQL's own programs.
fn address(mut url: Url, is_verified: bool) -> String {
    let _ = url.set_password(None);
    if is_verified {
        url.query_pairs_mut().append_pair("sslmode", "verify-full");
    }
    url.into()
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Without user and password.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.options.get_database().unwrap_or_default();
        match self.options.get_socket() {
            Some(folder) => write!(f, "postgres:///{database} on {}", folder.display()),
            None => {
                let (host, port) = (self.options.get_host(), self.options.get_port());
                write!(f, "postgres://{host}:{port}/{database}")
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}
