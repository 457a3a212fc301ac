//! Settings from the environment, as people and container files write them.
//!
//! A variable is text. What it is read as, the default of its setting says: `TRUE` and `1` are true
//! for a yes or no, and text for a text. Not figment's own provider, which guesses from the value
//! alone, and drops keys without a word when they do not fit its tables.

use std::ffi::OsString;

use rocket::figment::value::{Dict, Empty, Map, Value};
use rocket::figment::{Error, Metadata, Profile, Provider};
use serde_json::Value as Json;

use super::load::TABLE;
use super::secret::between_quotes;
use super::{Database, Mail, Passwords, Refused, Server, Settings};

/// Of Rocket's own keys, those that may be set; the others could weaken what Vestibule promises.
pub(super) const SERVER_KEYS: [&str; 4] = ["address", "port", "workers", "shutdown"];

/// `VESTIBULE_KEY`, `VESTIBULE_TABLE__KEY`, and `ROCKET_KEY` too for the server's own keys.
#[derive(Default)]
pub(super) struct Environment {
    server: Dict,
    settings: Dict,
    pub database_url: Option<String>,
}

impl Environment {
    pub fn read(variables: &[(OsString, OsString)]) -> Result<Self, Refused> {
        let defaults = Defaults::new();
        let mut read = Self::default();
        // By name: a table comes before its keys, and VESTIBULE_PORT wins over ROCKET_PORT.
        let mut variables: Vec<_> = variables.iter().collect();
        variables.sort();
        let faults: Vec<String> = variables
            .into_iter()
            .filter_map(|(name, value)| {
                let name = name.to_string_lossy();
                let fault = read.take(&defaults, &name, value.to_str()).err()?;
                Some(format!("{name}: {fault}"))
            })
            .collect();
        if faults.is_empty() {
            Ok(read)
        } else {
            Err(Refused(faults))
        }
    }

    /// Takes a variable, if it is for us.
    fn take(&mut self, defaults: &Defaults, name: &str, value: Option<&str>) -> Result<(), String> {
        let (of_rocket, key) = match name.split_once('_') {
            Some(("VESTIBULE", key)) => (false, key.to_ascii_lowercase()),
            Some(("ROCKET", "PROFILE")) => return Ok(()),
            Some(("ROCKET", key)) => (true, key.to_ascii_lowercase()),
            Some(("DATABASE", "URL")) => (false, "database_url".to_owned()),
            _ => return Ok(()),
        };
        let value = value.ok_or("is not UTF-8")?;
        let of_server = SERVER_KEYS.contains(&key.split("__").next().unwrap_or_default());
        if of_rocket && !of_server {
            return Err(not_taken(&key));
        }
        let (table, default) = if of_server {
            (&mut self.server, place(&defaults.server, &key))
        } else {
            (&mut self.settings, place(&defaults.settings, &key))
        };
        if is_service_link(&key, value, default) {
            return Err("Kubernetes puts this there for a service whose name begins with vestibule; set enableServiceLinks: false for the pod".to_owned());
        }
        let default = default.ok_or_else(|| {
            format!(
                "there is no setting {}; take the variable away, or, if it is meant for something else, \
                 give it a name that does not begin with VESTIBULE_",
                key.replace("__", ".")
            )
        })?;
        let value = typed(&key, value, default)?;
        if name == "DATABASE_URL" {
            self.database_url = value.into_string();
        } else {
            insert(table, &key, value);
        }
        Ok(())
    }
}

/// What holds where nothing is set, as JSON: its kinds are those of the settings.
struct Defaults {
    server: Json,
    settings: Json,
}

impl Defaults {
    fn new() -> Self {
        let passwords = Passwords::default();
        // What is no text among the settings that are none by default.
        let hashing_threads = Some(passwords.threads());
        let mail = Mail {
            port: Some(587),
            ..Mail::default()
        };
        let database = Database {
            confirm: Some(false),
            ..Database::default()
        };
        let settings = Settings {
            passwords: Passwords {
                hashing_threads,
                ..passwords
            },
            mail,
            database,
            ..Settings::default()
        };
        Self {
            server: serde_json::to_value(Server::default()).unwrap_or_default(),
            settings: serde_json::to_value(settings).unwrap_or_default(),
        }
    }
}

fn place<'d>(defaults: &'d Json, key: &str) -> Option<&'d Json> {
    key.split("__")
        .try_fold(defaults, |table, step| table.get(step))
}

fn insert(table: &mut Dict, key: &str, value: Value) {
    let Some((step, rest)) = key.split_once("__") else {
        table.insert(key.to_owned(), value);
        return;
    };
    let inner = table
        .entry(step.to_owned())
        .or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, inner) = inner {
        insert(inner, rest, value);
    }
}

/// `VESTIBULE_SERVICE_HOST`, `VESTIBULE_DB_PORT_5432_TCP`; and `VESTIBULE_PORT=tcp://…`, which is a
/// setting's name too.
fn is_service_link(key: &str, value: &str, default: Option<&Json>) -> bool {
    let names_one = ["service_host", "service_port", "_tcp", "_udp", "_sctp"]
        .iter()
        .any(|part| key.contains(part));
    let is_one = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    (default.is_none() && names_one) || is_one
}

/// Why a key of Rocket's own is refused, and what to set in its place.
pub(super) fn not_taken(key: &str) -> String {
    let instead = match key {
        "log_level" => "; what is logged, VESTIBULE_LOG_LEVEL says",
        "ip_header" => "; whom to believe, VESTIBULE_TRUSTED_PROXIES says",
        "template_dir" => "; templates of your own stand in VESTIBULE_TEMPLATES_DIR",
        "config" => "; the file is named by --config",
        "tls" => "; TLS is ended by a reverse proxy",
        "secret_key" => "; no cookie needs a key",
        _ => "",
    };
    format!(
        "is not taken; of Rocket's own keys only {} are{instead}",
        SERVER_KEYS.join(", ")
    )
}

/// The value, as what the default is.
fn typed(key: &str, text: &str, default: &Json) -> Result<Value, String> {
    // Never guessed at: blanks and quotes may be part of a secret.
    let is_secret = ["token", "password", "key"]
        .iter()
        .any(|end| key.ends_with(end));
    let text = match text.trim() {
        _ if is_secret => text,
        trimmed => between_quotes(trimmed).unwrap_or(trimmed),
    };
    match default {
        Json::Null if text.is_empty() => Ok(Value::from(Empty::None)),
        Json::Array(_) => Ok(Value::from(list(text))),
        Json::Object(_) => match text.parse() {
            Ok(table @ Value::Dict(..)) => Ok(table),
            _ => Err(format!(
                "{key} is a table; set its keys, like VESTIBULE_SESSIONS__IDLE_TIMEOUT=12h"
            )),
        },
        _ if text.is_empty() => Err(format!(
            "is empty; write a value like {}, or leave the variable out",
            shown(default)
        )),
        Json::Bool(_) => yes_or_no(text)
            .map(Value::from)
            .ok_or_else(|| format!("{text:?} is neither true nor false")),
        Json::Number(_) => text
            .parse::<u64>()
            .map(Value::from)
            .map_err(|_| format!("{text:?} is no whole number like {default}")),
        _ => Ok(Value::from(text)),
    }
}

fn shown(default: &Json) -> String {
    default
        .as_str()
        .map_or_else(|| default.to_string(), str::to_owned)
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// `10.0.0.1,10.0.0.0/8`, with or without blanks, brackets and quotes.
pub(super) fn list(text: &str) -> Vec<&str> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    bare.unwrap_or(text)
        .split(|c: char| c == ',' || c.is_whitespace())
        .map(|item| between_quotes(item).unwrap_or(item))
        .filter(|item| !item.is_empty())
        .collect()
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment").interpolater(|_, keys| {
            keys.iter()
                .map(|key| key.to_ascii_uppercase())
                .collect::<Vec<_>>()
                .join("__")
        })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut keys = self.server.clone();
        keys.insert(TABLE.to_owned(), Value::from(self.settings.clone()));
        // Profile::Global: the environment wins over every profile of the file.
        Ok(Profile::Global.collect(keys))
    }
}
