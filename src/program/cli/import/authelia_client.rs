use std::collections::BTreeMap;

use serde_json::Value;

use super::Read;
use super::authelia_policy::Policy;
use super::yaml::Fields;
use crate::foundation::clock::Timestamp;
use crate::oidc::clients::{Alg, AuthMethod, Client, Consent, hash_of_secret};
use crate::oidc::imported::Entry;
use crate::people::passwords::can_be_verified;
use crate::people::users::Fault;

/// A client that is being read, with what is found of it.
pub struct Reading<'a> {
    written: Fields,
    is_public: bool,
    policies: &'a BTreeMap<String, Value>,
    left_out: Vec<String>,
}

impl<'a> Reading<'a> {
    pub fn of(written: Value, policies: &'a BTreeMap<String, Value>) -> Self {
        let mut written = Fields::of(written);
        written.refuse_templates();
        Self {
            is_public: written.is("public"),
            written,
            policies,
            left_out: Vec::new(),
        }
    }

    /// Adds it to what is read: the client, unless nobody could say which, and all that is told of it.
    pub fn add_to(mut self, read: &mut Read<Entry>, line: usize) {
        let (client, hash) = self.client();
        let who = client.id.clone();
        let told = |text| Fault {
            line,
            text: if who.is_empty() {
                text
            } else {
                format!("{who}: {text}")
            },
        };
        read.faults
            .extend(self.written.faults.into_iter().map(told));
        let left_out = self.left_out.into_iter();
        read.left_out
            .extend(left_out.map(|what| told(format!("{what} is not taken"))));
        if !client.id.is_empty() {
            read.entries.push(Entry { line, client, hash });
        }
    }

    /// The client as far as it can be read, and a hash of its secret.
    fn client(&mut self) -> (Client, Option<String>) {
        let name = self.either("client_name", "description");
        let id = self.id(name.as_deref());
        let name = name.unwrap_or_else(|| id.clone());
        let mut client = Client::new(&name, self.written.list("redirect_uris"));
        client.id = id;
        client.pkce = self.written.is("require_pkce") || self.is_public;
        let hash = self.secret(&mut client);
        self.policy(&mut client);
        client.consent = self.consent();
        client.auth_method = self.auth_method();
        client.alg = self.alg();
        self.scopes(&mut client);
        self.flows();
        self.left_out.extend(self.written.rest());
        (client, hash)
    }

    /// Of a client without one, what else it is known by.
    fn id(&mut self, name: Option<&str>) -> String {
        let Some(id) = self.either("client_id", "id") else {
            self.fault("there is no client_id");
            return name.unwrap_or_default().to_owned();
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        if id.len() > 100 || !id.chars().all(is_plain) {
            self.fault("a client_id has 1 to 100 letters, digits, - . _ ~");
        }
        id
    }

    fn secret(&mut self, client: &mut Client) -> Option<String> {
        let secret = self.either("client_secret", "secret");
        match (secret, self.is_public) {
            (None, true) => None,
            (None, false) => {
                self.fault("there is no client_secret");
                None
            }
            (Some(_), true) => {
                self.fault("a public client has no client_secret");
                None
            }
            (Some(secret), false) => {
                if let Some(plain) = secret.strip_prefix("$plaintext$") {
                    client.secret_hash = Some(hash_of_secret(plain));
                    return None;
                }
                if secret.starts_with('$') || can_be_verified(&secret) {
                    return Some(secret);
                }
                // Of a template it is told already.
                if !secret.contains("{{") {
                    self.fault("client_secret is no digest; write $plaintext$ before a secret that is plain, or the digest of it");
                }
                None
            }
        }
    }

    fn policy(&mut self, client: &mut Client) {
        match self.written.text("authorization_policy").as_deref() {
            Some("one_factor") => {}
            None | Some("two_factor") => client.two_factors = true,
            // Import gives it the time.
            Some("deny") => client.disabled_at = Some(Timestamp::from_micros(0)),
            Some(own) => match self.policies.get(own).and_then(Policy::of) {
                Some(Policy {
                    groups,
                    two_factors,
                }) => {
                    (client.groups, client.two_factors) = (groups, two_factors);
                }
                None => self.fault(&format!(
                    "authorization_policy {own} is neither one_factor, two_factor nor deny, nor one that denies all but members of groups; write one of these, and see `client set --group` and `--factor`"
                )),
            },
        }
    }

    fn consent(&mut self) -> Consent {
        let is_kept = self.written.has("pre_configured_consent_duration");
        match self.written.text("consent_mode").as_deref() {
            Some("implicit") => Consent::Never,
            Some("pre-configured" | "pre_configured") => Consent::Once,
            None | Some("auto") if is_kept => Consent::Once,
            None | Some("auto" | "explicit") => Consent::Always,
            Some(other) => {
                self.fault(&format!("consent_mode {other} is not known here"));
                Consent::Always
            }
        }
    }

    fn auth_method(&mut self) -> Option<AuthMethod> {
        let method = self.written.text("token_endpoint_auth_method")?;
        match (method.as_str(), self.is_public) {
            ("client_secret_basic", false) => return Some(AuthMethod::Basic),
            ("client_secret_post", false) => return Some(AuthMethod::Post),
            ("none", true) => {}
            (other, _) => self.fault(&format!(
                "token_endpoint_auth_method {other} is not taken here for such a client"
            )),
        }
        None
    }

    fn alg(&mut self) -> Alg {
        let Some(named) = self.written.text("id_token_signed_response_alg") else {
            return Alg::Rs256;
        };
        Alg::parse(&named).unwrap_or_else(|| {
            self.fault(&format!(
                "id_token_signed_response_alg {named} is not here; RS256 and ES256 are"
            ));
            Alg::Rs256
        })
    }

    fn scopes(&mut self, client: &mut Client) {
        for scope in self.written.list("scopes") {
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
            let words = self.written.list(name);
            if !words.is_empty() && !words.iter().any(|word| word == needed) {
                self.fault(&format!("{name} has no {needed}"));
            }
            let others = words
                .iter()
                .filter(|word| *word != needed && !also.contains(&word.as_str()));
            let others = others.map(|word| format!("{name} {word}"));
            self.left_out.extend(others);
        }
        for name in [
            "userinfo_signed_response_alg",
            "access_token_signed_response_alg",
        ] {
            if let Some(alg) = self.written.text(name).filter(|alg| alg != "none") {
                self.fault(&format!("{name} {alg}: neither is signed here"));
            }
        }
    }

    /// By its name of today, or the one that it had.
    fn either(&mut self, name: &str, former: &str) -> Option<String> {
        let text = self.written.text(name);
        text.or_else(|| self.written.text(former))
    }

    fn fault(&mut self, text: &str) {
        self.written.faults.push(text.to_owned());
    }
}
