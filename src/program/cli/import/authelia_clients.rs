use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::authelia_policy::Policy;
use crate::foundation::clock::Timestamp;
use crate::oidc::clients::{Alg, AuthMethod, Client, Consent, hash_of_secret};
use crate::oidc::imported::Entry;
use crate::people::users::Fault;

/// Of Authelia's configuration, what is of use here.
#[derive(Deserialize)]
struct File {
    identity_providers: Providers,
}

#[derive(Deserialize)]
struct Providers {
    oidc: Oidc,
}

#[derive(Deserialize)]
struct Oidc {
    #[serde(default)]
    authorization_policies: BTreeMap<String, Policy>,
    #[serde(default)]
    clients: Vec<Spanned<Written>>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(alias = "id")]
    client_id: String,
    #[serde(alias = "description")]
    client_name: Option<String>,
    #[serde(alias = "secret")]
    client_secret: Option<String>,
    #[serde(default)]
    public: bool,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    require_pkce: bool,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Clients, and what of them is left out though they are taken.
pub type Read = Result<(Vec<Entry>, Vec<Fault>), Vec<Fault>>;

pub fn read(text: &str) -> Read {
    // The library's own words may quote the line, with the hash in it.
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |at| at.line());
        vec![Fault {
            line: usize::try_from(line).unwrap_or(usize::MAX),
            text: "cannot be read: below identity_providers, oidc, clients each has a client_id, and redirect_uris as a list".to_owned(),
        }]
    })?;
    let (mut entries, mut left_out, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let Oidc {
        authorization_policies: policies,
        clients,
    } = file.identity_providers.oidc;
    for client in clients {
        let line = usize::try_from(client.referenced.line()).unwrap_or(usize::MAX);
        let mut reading = Reading::of(client.value, &policies);
        let read = reading.client();
        let told = |text: String| Fault {
            line,
            text: format!("{}: {text}", reading.written.client_id),
        };
        faults.extend(reading.faults.iter().cloned().map(told));
        left_out.extend(reading.left_out.iter().cloned().map(told));
        if let Some((client, hash)) = read {
            entries.push(Entry { line, client, hash });
        }
    }
    if faults.is_empty() {
        Ok((entries, left_out))
    } else {
        Err(faults)
    }
}

/// A client that is being read, with what is found of it.
struct Reading<'a> {
    written: Written,
    policies: &'a BTreeMap<String, Policy>,
    faults: Vec<String>,
    left_out: Vec<String>,
}

impl<'a> Reading<'a> {
    fn of(written: Written, policies: &'a BTreeMap<String, Policy>) -> Self {
        Self {
            written,
            policies,
            faults: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// The client, and a hash of its secret; `None` if something cannot be taken.
    fn client(&mut self) -> Option<(Client, Option<String>)> {
        let id = self.written.client_id.clone();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        if id.is_empty() || id.len() > 100 || !id.chars().all(is_plain) {
            self.faults
                .push("a client_id has 1 to 100 letters, digits, - . _ ~".to_owned());
        }
        let name = self.written.client_name.clone();
        let name = name.unwrap_or_else(|| id.clone());
        let mut client = Client::new(&name, std::mem::take(&mut self.written.redirect_uris));
        client.id = id;
        client.pkce = self.written.require_pkce || self.written.public;
        let hash = self.secret(&mut client);
        self.policy(&mut client);
        client.consent = self.consent();
        client.auth_method = self.auth_method();
        client.alg = self.alg();
        self.scopes(&mut client);
        self.flows();
        self.rest();
        self.faults.is_empty().then_some((client, hash))
    }

    fn secret(&mut self, client: &mut Client) -> Option<String> {
        let secret = self.written.client_secret.take();
        match (
            secret.filter(|secret| !secret.is_empty()),
            self.written.public,
        ) {
            (None, true) => None,
            (None, false) => {
                self.faults.push("there is no client_secret".to_owned());
                None
            }
            (Some(_), true) => {
                self.faults
                    .push("a public client has no client_secret".to_owned());
                None
            }
            (Some(secret), false) => match secret.strip_prefix("$plaintext$") {
                Some(plain) => {
                    client.secret_hash = Some(hash_of_secret(plain));
                    None
                }
                None => Some(secret),
            },
        }
    }

    fn policy(&mut self, client: &mut Client) {
        match self.word("authorization_policy").as_deref() {
            Some("one_factor") => {}
            None | Some("two_factor") => client.two_factors = true,
            // Import gives it the time.
            Some("deny") => client.disabled_at = Some(Timestamp::from_micros(0)),
            Some(own) => match self.policies.get(own).and_then(Policy::groups) {
                Some((groups, two_factors)) => {
                    (client.groups, client.two_factors) = (groups, two_factors);
                }
                None => self.faults.push(format!(
                    "authorization_policy {own} is neither one_factor, two_factor nor deny, nor one that denies all but members of groups; write one of these, and see `client set --group` and `--factor`"
                )),
            },
        }
    }

    fn consent(&mut self) -> Consent {
        let is_kept = self
            .written
            .others
            .remove("pre_configured_consent_duration");
        match self.word("consent_mode").as_deref() {
            Some("implicit") => Consent::Never,
            Some("pre-configured" | "pre_configured") => Consent::Once,
            None | Some("auto") if is_kept.is_some() => Consent::Once,
            None | Some("auto" | "explicit") => Consent::Always,
            Some(other) => {
                self.faults
                    .push(format!("consent_mode {other} is not known here"));
                Consent::Always
            }
        }
    }

    fn auth_method(&mut self) -> Option<AuthMethod> {
        match self.word("token_endpoint_auth_method").as_deref() {
            Some("client_secret_basic") if !self.written.public => Some(AuthMethod::Basic),
            Some("client_secret_post") if !self.written.public => Some(AuthMethod::Post),
            Some("none") if self.written.public => None,
            None => None,
            Some(other) => {
                self.faults.push(format!(
                    "token_endpoint_auth_method {other} is not taken here for such a client"
                ));
                None
            }
        }
    }

    fn alg(&mut self) -> Alg {
        let named = self.word("id_token_signed_response_alg");
        let named = named.unwrap_or_else(|| Alg::Rs256.as_str().to_owned());
        Alg::parse(&named).unwrap_or_else(|| {
            self.faults.push(format!(
                "id_token_signed_response_alg {named} is not here; RS256 and ES256 are"
            ));
            Alg::Rs256
        })
    }

    fn scopes(&mut self, client: &mut Client) {
        for scope in self.words("scopes") {
            match scope.as_str() {
                "openid" | "profile" | "email" | "groups" => {}
                "offline_access" => client.offline_access = true,
                other => self.left_out.push(format!("scope {other}")),
            }
        }
    }

    /// What the application would ask for, and would not get.
    fn flows(&mut self) {
        for (name, needed, also) in [
            ("response_types", "code", &[][..]),
            ("grant_types", "authorization_code", &["refresh_token"][..]),
            ("response_modes", "query", &[][..]),
        ] {
            let words = self.words(name);
            if !words.is_empty() && !words.iter().any(|word| word == needed) {
                self.faults.push(format!("{name} has no {needed}"));
            }
            let others = words
                .iter()
                .filter(|word| *word != needed && !also.contains(&word.as_str()));
            let others = others.map(|word| format!("{name} {word}"));
            self.left_out.extend(others.collect::<Vec<_>>());
        }
        for name in [
            "userinfo_signed_response_alg",
            "access_token_signed_response_alg",
        ] {
            if let Some(alg) = self.word(name).filter(|alg| alg != "none") {
                self.faults
                    .push(format!("{name} {alg}: neither is signed here"));
            }
        }
    }

    fn rest(&mut self) {
        let is_set = |value: &Value| {
            let nothing = [
                Value::Null,
                Value::from(""),
                Value::from(false),
                Value::from("none"),
            ];
            !nothing.contains(value)
        };
        let rest = std::mem::take(&mut self.written.others);
        let rest = rest.into_iter().filter(|(_, value)| is_set(value));
        self.left_out.extend(rest.map(|(name, _)| name));
    }

    fn word(&mut self, name: &str) -> Option<String> {
        match self.written.others.remove(name)? {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn words(&mut self, name: &str) -> Vec<String> {
        let value = self.written.others.remove(name).unwrap_or_default();
        serde_json::from_value(value).unwrap_or_default()
    }
}
