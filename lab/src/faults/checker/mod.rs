//! Holds a service to what a history says that it promised.
//!
//! - I1: a sign-in that was acknowledged and not ended since is live.
//! - I2: what was acknowledged as ended answers 401.
//! - I3: what was not acknowledged may be either, but never half: session, record and change stand or
//!   fall together.
//! - I4: failures are counted, acknowledged ones at least; a ticket that was used is used.
//! - I5: the database is whole.
//! - I6: a secret that was never issued opens nothing.

mod database;
mod expected;

use std::io;

use super::history::{DONE, History};
use super::service::Service;
use crate::library::{COOKIE, seeding};
use expected::{Expected, Passwords, State};

pub use database::{Rows, damage};

/// As many as there are connections to be met.
const SECOND_ASKINGS: usize = 4;

/// Every promise that is broken.
pub fn check<'r>(
    history: &History,
    service: &mut impl Service,
    rows: impl Into<Rows<'r>>,
) -> io::Result<Vec<String>> {
    let mut violations = check_service(history, service)?;
    violations.extend(check_rows(history, rows)?);
    Ok(violations)
}

/// The database alone.
pub fn check_rows<'r>(history: &History, rows: impl Into<Rows<'r>>) -> io::Result<Vec<String>> {
    database::check(&Expected::of(history), &rows.into()).map_err(io::Error::other)
}

/// The same without the database: not what is counted, and not what was done by halves.
pub fn check_service(history: &History, service: &mut impl Service) -> io::Result<Vec<String>> {
    let expected = Expected::of(history);
    let mut violations = expected.contradictions.clone();
    violations.extend(sessions(&expected, service)?);
    violations.extend(passwords(&expected, service)?);
    violations.extend(tickets(&expected, service)?);
    violations.extend(never_issued(service)?);
    Ok(violations)
}

fn sessions(expected: &Expected, service: &mut impl Service) -> io::Result<Vec<String>> {
    let mut violations = Vec::new();
    for (cookie, state) in &expected.sessions {
        let status = service.session(cookie)?;
        match (state, status) {
            (State::Live | State::Either, 200) | (State::Ended | State::Either, 401) => {}
            (State::Live, _) => {
                violations.push(format!("I1: an acknowledged session answers {status}"))
            }
            (State::Ended, _) => violations.push(format!("I2: an ended session answers {status}")),
            (State::Either, _) => {
                violations.push(format!("I3: a session in doubt answers {status}"))
            }
        }
    }
    Ok(violations)
}

fn passwords(expected: &Expected, service: &mut impl Service) -> io::Result<Vec<String>> {
    let mut violations = Vec::new();
    for (
        user,
        Passwords {
            old,
            new,
            acknowledged,
        },
    ) in &expected.passwords
    {
        let (old, new) = (answer(service, user, old)?, answer(service, user, new)?);
        match (acknowledged, old, new) {
            (_, 401, DONE) | (false, DONE, 401) => {}
            (true, _, _) => violations.push(format!(
                "I2: after a change of password the old one answers {old}, the new one {new}"
            )),
            (false, _, _) => violations.push(format!(
                "I3: after a change in doubt the old password answers {old}, the new one {new}"
            )),
        }
    }
    Ok(violations)
}

/// A 503 says neither yes nor no: a connection that the fault has broken may be met here first.
fn answer(service: &mut impl Service, user: &str, password: &str) -> io::Result<u16> {
    let mut status = service.sign_in(user, password)?;
    for _ in 0..SECOND_ASKINGS {
        if status != 503 {
            break;
        }
        status = service.sign_in(user, password)?;
    }
    Ok(status)
}

fn tickets(expected: &Expected, service: &mut impl Service) -> io::Result<Vec<String>> {
    let mut violations = Vec::new();
    for (ticket, flow) in &expected.tickets {
        if service.enter(ticket, flow)? == DONE {
            violations.push("I4: a ticket that was used works again".to_owned());
        }
    }
    Ok(violations)
}

fn never_issued(service: &mut impl Service) -> io::Result<Vec<String>> {
    let mut violations = Vec::new();
    for byte in [0, 1, 127, 255] {
        let (secret, _) = seeding::token([byte; 32]);
        let status = service.session(&format!("{COOKIE}={secret}"))?;
        if status != 401 {
            violations.push(format!(
                "I6: a secret that was never issued answers {status}"
            ));
        }
    }
    Ok(violations)
}

#[cfg(test)]
mod tests;
