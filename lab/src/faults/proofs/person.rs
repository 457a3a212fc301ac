//! Somebody who uses what counts once, and an application that signs people in.

use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use xtask::run::{Stop, failed};

use super::ledger::{Ledger, sign_in_with};
use crate::driver::{Answer, Client, Instance, PASSWORD};
use crate::faults::service::SITE;

const CALLBACK: &str = "https://app.localhost/callback";

pub struct Person {
    instance: Instance,
    user: String,
    /// Recovery codes that were never tried.
    codes: Vec<String>,
    rng: StdRng,
}

impl Person {
    /// A user with a second factor.
    pub fn enrol(instance: &Instance, number: usize) -> Result<Self, Stop> {
        let user = format!("proven-{number}");
        instance.add_user(&user, &[])?;
        let enrol = || {
            let mut client = instance.client()?;
            client.sign_in(&user, PASSWORD)?;
            let page = client.get("/account/totp")?.body;
            let key = between(&page, "id=\"setup-key\">", "</code>").replace(' ', "");
            let oathtool = Command::new("oathtool")
                .args(["--totp", "-b", &key])
                .output()?;
            let code = String::from_utf8_lossy(&oathtool.stdout);
            let set_up = client.post("/account/totp", &format!("code={}", code.trim()))?;
            Ok(recovery_codes(&set_up.body))
        };
        let codes: Vec<String> = enrol().map_err(failed::<io::Error>(&user))?;
        if codes.len() != 10 {
            return Err(Stop::because(format!(
                "{user} has {} recovery codes",
                codes.len()
            )));
        }
        Ok(Self {
            instance: instance.clone(),
            user,
            codes,
            rng: StdRng::seed_from_u64(number as u64),
        })
    }

    /// An error is no answer: what was asked for is in doubt, and the next visit has another connection.
    pub fn work(&mut self, application: &Application, over: &AtomicBool) -> Ledger {
        let mut ledger = Ledger {
            user: self.user.clone(),
            ..Ledger::default()
        };
        while !over.load(Ordering::Relaxed) {
            if self.visit(application, &mut ledger).is_err() {
                thread::sleep(Duration::from_millis(5));
            }
        }
        ledger
    }

    fn visit(&mut self, application: &Application, ledger: &mut Ledger) -> io::Result<()> {
        let mut client = self.instance.client()?;
        let Some(code) = self.codes.pop() else {
            return Ok(());
        };
        if sign_in_with(&mut client, &self.user, &code)? != 303 {
            return Ok(());
        }
        ledger.used.push(code);
        if self.codes.len() < 3 {
            let renewed = client.post("/account/recovery-codes", "")?;
            self.codes = recovery_codes(&renewed.body);
        }
        self.use_a_token(&mut client, ledger)?;
        self.use_the_application(&mut client, application, ledger)
    }

    fn use_a_token(&mut self, client: &mut Client, ledger: &mut Ledger) -> io::Result<()> {
        let page = client.get("/account/tokens")?.body;
        let id = between(&page, "name=\"id\" value=\"", "\"").to_owned();
        let made = client.post("/account/tokens", &format!("id={id}&name=lab&all_sites=on"))?;
        let token = between(&made.body, "id=\"token\">", "</code>").to_owned();
        if !token.starts_with("vst_") {
            return Ok(());
        }
        ledger.tokens.push(token.clone());
        asked_with(client, &token)?;
        if self.rng.random() {
            ledger.tokens.pop();
            if client
                .post(&format!("/account/tokens/{id}/revoke"), "")?
                .status
                == 303
            {
                ledger.revoked.push(token);
            }
        }
        Ok(())
    }

    fn use_the_application(
        &mut self,
        client: &mut Client,
        application: &Application,
        ledger: &mut Ledger,
    ) -> io::Result<()> {
        let back = client.get(&application.way())?.location;
        let code = between(&back, "code=", "&").to_owned();
        if code.is_empty() {
            return Ok(());
        }
        let mut tokens = application.exchange(client, &code)?;
        if tokens.status != 200 {
            return Ok(());
        }
        ledger.spent.push(code);
        if self.rng.random() {
            tokens = application.refresh(client, &json(&tokens)["refresh_token"])?;
        }
        let told = json(&tokens);
        let own =
            ["access_token", "refresh_token"].map(|name| told[name].as_str().map(str::to_owned));
        let own: Vec<String> = own.into_iter().flatten().collect();
        if self.rng.random() {
            ledger.live.extend(own);
        } else if client.post("/logout", "")?.status == 303 {
            ledger.over.extend(own);
        }
        Ok(())
    }
}

/// The status of a request to the site with an app token.
pub fn asked_with(client: &mut Client, token: &str) -> io::Result<u16> {
    let headers = format!(
        "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: {SITE}\r\nX-Forwarded-Uri: /\r\n\
         Authorization: Bearer {token}\r\n"
    );
    Ok(client.get_with("/api/authz/forward-auth", &headers)?.status)
}

/// An application, as an admin has added it.
pub struct Application {
    id: String,
    secret: String,
}

impl Application {
    pub fn add(instance: &Instance) -> Result<Self, Stop> {
        let add = [
            "client",
            "add",
            "lab",
            "--redirect-uri",
            CALLBACK,
            "--no-pkce",
            "--json",
        ];
        let added = instance.cli(&add)?.success()?.out;
        let added: Value = serde_json::from_str(&added).map_err(failed("client add"))?;
        let text = |name: &str| added[name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            id: text("client_id"),
            secret: text("client_secret"),
        })
    }

    fn way(&self) -> String {
        let id = &self.id;
        format!(
            "/oauth/authorize?response_type=code&scope=openid&client_id={id}&redirect_uri={CALLBACK}"
        )
    }

    pub fn exchange(&self, client: &mut Client, code: &str) -> io::Result<Answer> {
        self.ask(
            client,
            "/oauth/token",
            &format!("grant_type=authorization_code&redirect_uri={CALLBACK}&code={code}"),
        )
    }

    fn refresh(&self, client: &mut Client, token: &Value) -> io::Result<Answer> {
        let token = token.as_str().unwrap_or_default();
        self.ask(
            client,
            "/oauth/token",
            &format!("grant_type=refresh_token&refresh_token={token}"),
        )
    }

    pub fn is_active(&self, client: &mut Client, token: &str) -> io::Result<bool> {
        let told = self.ask(client, "/oauth/introspect", &format!("token={token}"))?;
        Ok(json(&told)["active"] == true)
    }

    fn ask(&self, client: &mut Client, path: &str, form: &str) -> io::Result<Answer> {
        let Self { id, secret } = self;
        client.post(
            path,
            &format!("{form}&client_id={id}&client_secret={secret}"),
        )
    }
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_default()
}

fn recovery_codes(page: &str) -> Vec<String> {
    let codes = page.split("<li><code>").skip(1);
    codes
        .filter_map(|rest| Some(rest.split_once("</code>")?.0.to_owned()))
        .collect()
}

/// What stands between the two, or up to the end; empty if the first is not there.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or(rest, |(found, _)| found)
}
