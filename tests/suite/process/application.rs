//! An application of OpenID Connect, as an admin has added it, that asks the program over a socket.

use serde_json::Value;

use super::{Browser, Machine};
use crate::oidc::{VERIFIER, challenge, parameter, query};
use crate::support::Answer;

const CALLBACK: &str = "https://app.example.com/callback";

pub struct Application {
    id: String,
    secret: String,
}

impl Application {
    pub fn add(machine: &Machine) -> Self {
        let add = ["client", "add", "app", "--redirect-uri", CALLBACK, "--json"];
        let added = machine.cli(&add).done().json();
        let text = |name: &str| added[name].as_str().expect("a text").to_owned();
        Self {
            id: text("client_id"),
            secret: text("client_secret"),
        }
    }

    /// A code for whoever is signed in there.
    pub fn code(&self, browser: &mut Browser) -> String {
        let challenge = challenge(VERIFIER);
        let parameters = [
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let way = format!("/oauth/authorize?{}", query(&parameters));
        let answer = browser.get(&way);
        assert_eq!(answer.status, 303, "{}", answer.body);
        parameter(answer.header("location"), "code").expect("a code")
    }

    fn ask(&self, machine: &Machine, path: &str, fields: &[(&str, &str)]) -> Answer {
        let own = [
            ("client_id", self.id.as_str()),
            ("client_secret", self.secret.as_str()),
        ];
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain(own).collect();
        machine.anonymous().post(path, &fields)
    }

    pub fn exchange(&self, machine: &Machine, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.ask(machine, "/oauth/token", &fields)
    }

    pub fn refresh(&self, machine: &Machine, token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.ask(machine, "/oauth/token", &fields)
    }

    pub fn is_active(&self, machine: &Machine, token: &str) -> bool {
        let told: Value = self
            .ask(machine, "/oauth/introspect", &[("token", token)])
            .json();
        told["active"].as_bool().expect("active")
    }
}
