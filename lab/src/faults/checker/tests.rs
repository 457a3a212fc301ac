use std::collections::HashSet;

use tempfile::TempDir;

use super::*;
use crate::faults::history::{Event, Request};
use crate::library;
use crate::sqlite;

/// A service that answers as it is told, and its database with one session.
struct Fake {
    folder: TempDir,
    live: HashSet<String>,
    password: &'static str,
    broken: bool,
}

impl Fake {
    fn new() -> Self {
        let service = Self {
            folder: tempfile::tempdir().expect("a folder"),
            live: HashSet::from(["a=1".to_owned()]),
            password: "new",
            broken: false,
        };
        let database = service.database();
        sqlite::block_on(library::create_database(&database)).expect("a database");
        service.execute(
            "INSERT INTO users (id, username, display_name, admin, password_changed_at, created_at) VALUES (x'01', 'u', 'U', 0, 1, 1);
             INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                                   idle_expires_at, expires_at, address, user_agent, device)
             VALUES (zeroblob(32), x'02', x'01', 'password', 0, 1, 1, 1, 9, 9, '', '', '');
             INSERT INTO audit (id, at, event, result, source, user_id, session_id) VALUES (x'03', 1, 'sign_in', 'ok', 'web', x'01', x'02')",
        );
        service
    }

    fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("vestibule.db")
    }

    fn execute(&self, statement: &'static str) {
        let options = sqlite::file(&self.database()).foreign_keys(false);
        sqlite::connected(&options, async |connection| {
            sqlx::raw_sql(statement).execute(connection).await
        })
        .unwrap_or_else(|error: sqlx::Error| panic!("{statement}: {error}"));
    }

    fn check(&mut self, lines: Vec<Event>) -> Vec<String> {
        let database = self.database();
        check(&History(vec![lines]), self, &database).expect("a service to check")
    }

    fn assert_found(&mut self, lines: Vec<Event>, start: &str) {
        let violations = self.check(lines);
        assert!(
            violations
                .iter()
                .any(|violation| violation.starts_with(start)),
            "{start}: {violations:?}"
        );
    }
}

impl Service for Fake {
    fn session(&mut self, cookie: &str) -> io::Result<u16> {
        Ok(match (self.broken, self.live.contains(cookie)) {
            (true, _) => 503,
            (false, true) => 200,
            (false, false) => 401,
        })
    }

    fn sign_in(&mut self, _: &str, password: &str) -> io::Result<u16> {
        Ok(if password == self.password { DONE } else { 401 })
    }

    fn enter(&mut self, ticket: &str, _: &str) -> io::Result<u16> {
        Ok(if self.live.contains(ticket) {
            DONE
        } else {
            302
        })
    }
}

fn invoke(request: Request, ends: &[&str]) -> Event {
    let ends = ends.iter().map(|cookie| (*cookie).to_owned()).collect();
    Event::Invoke {
        request,
        ends,
        at: 1,
    }
}

fn answer(status: u16, cookie: Option<&str>) -> Event {
    Event::Answer {
        status,
        cookie: cookie.map(str::to_owned),
    }
}

fn signed_in(cookie: &str) -> Vec<Event> {
    vec![invoke(Request::SignIn, &[]), answer(DONE, Some(cookie))]
}

fn then(mut lines: Vec<Event>, more: impl IntoIterator<Item = Event>) -> Vec<Event> {
    lines.extend(more);
    lines
}

fn changed() -> Event {
    let [user, old, new] = ["u", "old", "new"].map(str::to_owned);
    invoke(Request::ChangePassword { user, old, new }, &[])
}

#[test]
fn kept_promises_are_no_fault() {
    let sign_out = [invoke(Request::End, &["a=2"]), answer(DONE, None)];
    let lines = then(then(signed_in("a=1"), signed_in("a=2")), sign_out);
    let lines = then(lines, [changed(), answer(DONE, None)]);
    assert_eq!(Fake::new().check(lines), [""; 0]);
}

#[test]
fn a_sign_in_that_is_not_there_is_found() {
    Fake::new().assert_found(
        signed_in("a=lost"),
        "I1: an acknowledged session answers 401",
    );
}

#[test]
fn a_sign_out_that_did_not_happen_is_found() {
    let sign_out = [invoke(Request::End, &["a=1"]), answer(DONE, None)];
    Fake::new().assert_found(
        then(signed_in("a=1"), sign_out),
        "I2: an ended session answers 200",
    );
}

#[test]
fn a_sign_out_without_a_yes_may_be_either_but_not_an_error() {
    let in_doubt = [invoke(Request::End, &["a=1", "a=2"]), answer(503, None)];
    let lines = then(then(signed_in("a=1"), signed_in("a=2")), in_doubt);
    let mut service = Fake::new();
    assert_eq!(service.check(lines.clone()), [""; 0]);
    service.broken = true;
    service.assert_found(lines, "I3: a session in doubt answers 503");
}

#[test]
fn a_wrong_answer_while_the_fault_lasts_is_found() {
    let saw = |status| {
        [Event::Check {
            cookie: "a=1".to_owned(),
            status,
        }]
    };
    Fake::new().assert_found(
        then(signed_in("a=1"), saw(401)),
        "I1: a live session was answered 401",
    );
    assert_eq!(Fake::new().check(then(signed_in("a=1"), saw(503))), [""; 0]);
}

#[test]
fn an_old_password_that_still_works_is_found() {
    let mut service = Fake::new();
    service.password = "old";
    service.assert_found(
        vec![changed(), answer(DONE, None)],
        "I2: after a change of password",
    );
    assert_eq!(service.check(vec![changed(), answer(503, None)]), [""; 0]);
    service.password = "neither";
    service.assert_found(vec![changed()], "I3: after a change in doubt");
}

#[test]
fn what_stands_alone_is_found() {
    for half in [
        "DELETE FROM audit",
        "DELETE FROM sessions",
        "UPDATE sessions SET ended_at = 1, end_reason = 'signed_out'",
        "INSERT INTO audit (id, at, event, result, source, session_id) VALUES (x'04', 1, 'sign_out', 'ok', 'web', x'02')",
        "UPDATE sessions SET ended_at = 1, end_reason = 'revoked'",
        "INSERT INTO audit (id, at, event, result, source, session_id) VALUES (x'04', 1, 'session_revoke', 'ok', 'web', x'02')",
        "UPDATE users SET password_changed_at = 2",
        "UPDATE users SET disabled_at = 1",
    ] {
        let mut service = Fake::new();
        service.execute(half);
        service.assert_found(Vec::new(), "I3: 1 of: ");
    }
}

#[test]
fn a_forgotten_guess_is_found() {
    let mut service = Fake::new();
    let guess = || [invoke(Request::Guess, &[]), answer(401, None)];
    service
        .execute("INSERT INTO throttle (bucket, full_at) VALUES ('address 127.0.0.1', 3600000001)");
    assert_eq!(service.check(guess().into()), [""; 0]);
    service.assert_found(
        then(guess().into(), guess()),
        "I4: 2 guesses were answered, 1 are counted",
    );
}

#[test]
fn a_ticket_that_works_twice_is_found() {
    let used = |ticket: &str| {
        let [ticket, flow] = [ticket, "flow"].map(str::to_owned);
        vec![
            invoke(Request::Enter { ticket, flow }, &[]),
            answer(DONE, None),
        ]
    };
    let mut service = Fake::new();
    assert_eq!(service.check(used("spent")), [""; 0]);
    service.assert_found(used("a=1"), "I4: a ticket that was used works again");
}

#[test]
fn rows_that_refer_to_nothing_are_found() {
    let mut service = Fake::new();
    service.execute("INSERT INTO memberships (user_id, group_name) VALUES (x'01', 'none')");
    service.assert_found(Vec::new(), "I5: rows of memberships refer to nothing");
}

#[test]
fn an_index_that_tells_another_story_is_found() {
    let mut service = Fake::new();
    service.execute(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '(user_id, id)', '(session_id, id)') WHERE name = 'audit_user'",
    );
    service.assert_found(Vec::new(), "I5: ");
}

#[test]
fn a_secret_that_was_never_issued_and_opens_is_found() {
    let mut service = Fake::new();
    let (secret, _) = seeding::token([127; 32]);
    service.live.insert(format!("{COOKIE}={secret}"));
    service.assert_found(Vec::new(), "I6: a secret that was never issued answers 200");
}

#[test]
fn a_wrong_password_that_signs_in_is_found() {
    let lines = vec![invoke(Request::Guess, &[]), answer(DONE, Some("a=1"))];
    Fake::new().assert_found(lines, "I6: a wrong password signed in");
}
