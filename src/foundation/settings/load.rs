//! Where settings come from. Lowest first: defaults, the file's profiles, `DATABASE_URL`,
//! the environment, the command line.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rocket::figment::providers::{Format, Serialized, Toml};
use rocket::figment::value::{Dict, Map, Value};
use rocket::figment::{Error, Figment, Metadata, Profile, Provider, Source};
use url::Url;

use super::environment::{Environment, SERVER_KEYS, not_taken};
use super::secret::is_read_only;
use super::{Refused, Server, Settings};

pub(super) const TABLE: &str = "vestibule";

/// What a command was given to find its settings.
pub struct Sources<'a> {
    /// The file of `--config`, or Rocket.toml of the working directory, which may be absent.
    pub file: Option<&'a Path>,
    pub environment: Vec<(OsString, OsString)>,
    /// The address of `--database`.
    pub database: Option<&'a str>,
}

/// Settings that were found and checked, and where each came from.
pub struct Effective {
    pub settings: Settings,
    pub server: Server,
    figment: Figment,
}

/// One line of `vestibule config show`.
#[derive(serde::Serialize)]
pub struct Origin {
    pub key: String,
    pub value: serde_json::Value,
    pub source: String,
}

impl Effective {
    /// # Errors
    /// The file cannot be read, a key or profile is unknown, a value is mistyped, or values
    /// contradict each other.
    pub fn load(sources: &Sources) -> Result<Self, Refused> {
        let profile = selected_profile(&sources.environment);
        let environment = Environment::read(&sources.environment)?;
        if let Some(address) = sources.database {
            refuse_password(address).map_err(|fault| format!("--database: {fault}"))?;
        }
        let mut figment = Figment::from(Serialized::defaults(Server::default()))
            .merge(Serialized::default(TABLE, Settings::default()))
            .merge(file(sources.file, &profile)?);
        figment = figment
            .merge(database_url(
                "DATABASE_URL",
                environment.database_url.as_deref(),
            ))
            .merge(environment)
            .merge(database_url("--database", sources.database))
            .select(profile);
        let server: Server = figment.extract().map_err(|e| refused(&e))?;
        let settings: Settings = figment.focus(TABLE).extract().map_err(|e| refused(&e))?;
        let settings = settings.checked(&server)?;
        keep_token_from_others(&figment)?;
        keep_key_out_of_files(&figment)?;
        Ok(Self {
            settings,
            server,
            figment,
        })
    }

    /// Every setting with its value and where it came from; secrets are hidden.
    #[must_use]
    pub fn origins(&self) -> Vec<Origin> {
        let server = serde_json::to_value(&self.server).unwrap_or_default();
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        let mut origins = Vec::new();
        self.collect("", "", &server, &mut origins);
        self.collect(&format!("{TABLE}."), "", &settings, &mut origins);
        origins
    }

    fn collect(&self, table: &str, key: &str, value: &serde_json::Value, to: &mut Vec<Origin>) {
        if let Some(fields) = value.as_object() {
            for (name, value) in fields {
                let key = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                self.collect(table, &key, value, to);
            }
            return;
        }
        let source = self.figment.find_metadata(&format!("{table}{key}"));
        to.push(Origin {
            key: key.to_owned(),
            value: value.clone(),
            source: source.map_or_else(|| "default".to_owned(), describe),
        });
    }
}

pub(super) fn of_host(figment: &Figment) -> Result<Settings, Refused> {
    // The host owns its Rocket settings, and DATABASE_URL is most often its own database.
    let ours: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(b"VESTIBULE_"))
        .collect();
    let figment = Figment::from(Serialized::default(TABLE, Settings::default()))
        .merge(figment)
        .merge(Environment::read(&ours)?)
        .select(figment.profile().clone());
    let port = figment
        .extract_inner("port")
        .unwrap_or_else(|_| Server::default().port);
    let settings: Settings = figment.focus(TABLE).extract().map_err(|e| refused(&e))?;
    settings.checked(&Server {
        port,
        ..Server::default()
    })
}

/// For an address on the command line: everybody on the machine sees a program's arguments.
///
/// # Errors
/// There is a password in it.
pub fn refuse_password(address: &str) -> Result<(), String> {
    match Url::parse(address) {
        Ok(url) if url.password().is_some() => Err(
            "the address holds a password, which every user of this machine can read here; give it in DATABASE_URL, \
             in database_password_file, or in a password file (PGPASSFILE)"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

fn selected_profile(environment: &[(OsString, OsString)]) -> Profile {
    let built_for = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let named = environment
        .iter()
        .find(|(name, _)| name == "ROCKET_PROFILE");
    let named = named.map(|(_, value)| value.to_string_lossy());
    Profile::new(named.as_deref().unwrap_or(built_for))
}

/// The file's profiles, each of its keys known; nothing if there is no Rocket.toml.
fn file(named: Option<&Path>, selected: &Profile) -> Result<Figment, Refused> {
    let path = named.unwrap_or(Path::new("Rocket.toml"));
    if named.is_some() && !path.is_file() {
        return Err(format!("{}: there is no such file", path.display()).into());
    }
    if path.is_dir() {
        return Err(format!("{}: is a folder, not a file", path.display()).into());
    }
    if !path.exists() {
        return Ok(Figment::new());
    }
    if mode(path) & OTHERS_WRITE != 0 && !is_read_only(path) {
        let path = path.display();
        return Err(format!(
            "{path}: others can write it; run chmod o-w {path}, or, where its file system keeps no modes \
             (FAT, some network drives), mount it with umask=022 or file_mode=0644"
        )
        .into());
    }
    // file_exact: the file that is named, and no parent folder's.
    let toml = Toml::file_exact(path).nested();
    let profiles = toml
        .data()
        .map_err(|e| unreadable(path, &e.kind.to_string()))?;
    let faults: Vec<String> = profiles
        .iter()
        .flat_map(|(profile, keys)| unknown_keys(path, profile, keys, selected))
        .collect();
    if faults.is_empty() {
        Ok(Figment::from(toml))
    } else {
        Err(Refused(faults))
    }
}

const OTHERS_WRITE: u32 = 0o002;
const OTHERS_READ: u32 = 0o004;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).map_or(0, |file| file.permissions().mode())
}

/// A token that stands in a file which others can read is refused, as `metrics_token_file` is.
fn keep_token_from_others(figment: &Figment) -> Result<(), Refused> {
    let found = figment.find_metadata(&format!("{TABLE}.metrics_token"));
    match found.and_then(|found| found.source.as_ref()) {
        Some(Source::File(path)) if mode(path) & OTHERS_READ != 0 && !is_read_only(path) => {
            let path = path.display();
            Err(format!(
                "metrics_token: others can read {path}, where it stands; run chmod o-r {path}, \
                 or put the token into a file of its own and name that as metrics_token_file"
            )
            .into())
        }
        _ => Ok(()),
    }
}

/// The key that secrets are sealed with stands in no settings file, which is shown, copied and put under version control.
fn keep_key_out_of_files(figment: &Figment) -> Result<(), Refused> {
    let found = figment.find_metadata(&format!("{TABLE}.secrets.key"));
    match found.and_then(|found| found.source.as_ref()) {
        Some(Source::File(path)) => Err(format!(
            "secrets.key: stands in {}; put it into a file of its own and name that as secrets.key_file, or into the \
             environment as VESTIBULE_SECRETS__KEY",
            path.display()
        )
        .into()),
        _ => Ok(()),
    }
}

/// Without the line that TOML's own message quotes: it may hold a secret.
fn unreadable(path: &Path, error: &str) -> Refused {
    let told: Vec<&str> = error.lines().filter(|line| !line.contains('|')).collect();
    format!("{}: {}", path.display(), told.join("; ")).into()
}

fn unknown_keys(path: &Path, profile: &Profile, keys: &Dict, selected: &Profile) -> Vec<String> {
    let path = path.display();
    let known = ["default", "global", "debug", "release"];
    if !known.iter().any(|name| profile == name) && profile != selected {
        return vec![format!(
            "{path}: [{profile}] is not a profile; settings stand under [default.{TABLE}], \
             and under [debug], [release] or the profile that ROCKET_PROFILE names"
        )];
    }
    keys.keys()
        .filter(|key| *key != TABLE && !SERVER_KEYS.contains(&key.as_str()))
        .map(|key| format!("{path}: {profile}.{key}: {}", not_taken(key)))
        .collect()
}

fn database_url(named: &'static str, url: Option<&str>) -> Figment {
    url.map_or_else(Figment::new, |url| {
        Figment::from(NamedValue {
            named,
            dict: Dict::from([("database_url".to_owned(), Value::from(url))]),
        })
    })
}

struct NamedValue {
    named: &'static str,
    dict: Dict,
}

impl Provider for NamedValue {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.named)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Global.collect(Dict::from([(
            TABLE.to_owned(),
            Value::from(self.dict.clone()),
        )])))
    }
}

fn describe(metadata: &Metadata) -> String {
    match &metadata.source {
        // Only our own defaults stand in the code.
        Some(Source::Code(_)) => "default".to_owned(),
        Some(source) => source.to_string(),
        None => metadata.name.to_string(),
    }
}

/// One sentence a fault: the key, what is wrong, and where it stands.
fn refused(error: &Error) -> Refused {
    Refused(
        error
            .clone()
            .into_iter()
            .map(|fault| {
                let place = fault
                    .metadata
                    .as_ref()
                    .map(|m| format!(" ({})", describe(m)))
                    .unwrap_or_default();
                let key = fault.path.join(".");
                if key.is_empty() {
                    format!("{}{place}", fault.kind)
                } else {
                    format!("{key}: {}{place}", fault.kind)
                }
            })
            .collect(),
    )
}
