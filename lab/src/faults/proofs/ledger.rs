//! What was promised to one person, and whether it holds.

use std::io;

use super::person::{Application, asked_with};
use crate::driver::{Client, Instance};

/// What was acknowledged. Whatever is asked for leaves it first, and comes back with the answer.
#[derive(Debug, Default)]
pub struct Ledger {
    pub user: String,
    /// Recovery codes that signed in.
    pub used: Vec<String>,
    pub tokens: Vec<String>,
    pub revoked: Vec<String>,
    /// Codes of the application that were exchanged.
    pub spent: Vec<String>,
    /// Access and refresh tokens whose session lives.
    pub live: Vec<String>,
    /// The same of sessions that were signed out.
    pub over: Vec<String>,
}

impl Ledger {
    pub fn facts(&self) -> usize {
        [
            &self.used,
            &self.tokens,
            &self.revoked,
            &self.spent,
            &self.live,
            &self.over,
        ]
        .map(Vec::len)
        .iter()
        .sum()
    }
}

pub fn broken_promises(
    ledger: &Ledger,
    instance: &Instance,
    application: &Application,
) -> io::Result<Vec<String>> {
    let mut client = instance.client()?;
    let mut broken = Vec::new();
    let mut require = |holds: bool, what: String| {
        if !holds {
            broken.push(what);
        }
    };
    let user = &ledger.user;
    for code in &ledger.used {
        let status = sign_in_with(&mut client, user, code)?;
        require(
            status == 401,
            format!("{user} used a recovery code again: {status}"),
        );
    }
    for token in &ledger.tokens {
        let status = asked_with(&mut client, token)?;
        require(
            status == 200,
            format!("a token of {user} was forgotten: {status}"),
        );
    }
    for token in &ledger.revoked {
        let status = asked_with(&mut client, token)?;
        require(
            status != 200,
            format!("a revoked token of {user} opens: {status}"),
        );
    }
    for token in &ledger.live {
        let is_active = application.is_active(&mut client, token)?;
        require(
            is_active,
            format!("a token of the application for {user} was forgotten"),
        );
    }
    for token in &ledger.over {
        let is_active = application.is_active(&mut client, token)?;
        require(
            !is_active,
            format!("a token of the application outlived {user}'s session"),
        );
    }
    // Last: a code that comes again ends what was made of it.
    for code in &ledger.spent {
        let status = application.exchange(&mut client, code)?.status;
        require(
            status == 400,
            format!("a code for {user} was exchanged again: {status}"),
        );
    }
    Ok(broken)
}

/// Signs in by the password and a recovery code; the status of the second step.
pub fn sign_in_with(client: &mut Client, user: &str, code: &str) -> io::Result<u16> {
    client
        .without_cookie()
        .sign_in(user, crate::driver::PASSWORD)?;
    Ok(client
        .post("/login/code", &format!("recovery_code={code}"))?
        .status)
}
