//! Holds the service to what the ledger says that it promised.
//!
//! - I1: a sign-in that was acknowledged and not ended since is live.
//! - I2: what was acknowledged as ended answers 401.
//! - I3: what was not acknowledged may be either, but never half: session, record and change stand or
//!   fall together.
//! - I4: failures are counted, acknowledged ones at least; a ticket that was used is used.
//! - I5: the database is whole.
//! - I6: a secret that was never issued opens nothing.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use vestibule::testing::seeding;

use super::ledger::{DONE, Ledger, Line, Request};
use super::machine::{COOKIE, INTERVAL};

/// Whoever can be asked what the service says; the status of its answer.
pub trait Witness {
    fn session(&mut self, cookie: &str) -> io::Result<u16>;
    fn sign_in(&mut self, user: &str, password: &str) -> io::Result<u16>;
    /// [`DONE`] if the ticket works.
    fn enter(&mut self, ticket: &str, flow: &str) -> io::Result<u16>;
}

/// Everything that is wrong; nothing if all promises were kept.
pub fn judge(
    ledger: &Ledger,
    witness: &mut impl Witness,
    database: &Path,
) -> io::Result<Vec<String>> {
    let mut faults = ask(ledger, witness)?;
    let promised = Promised::of(ledger);
    faults.extend(in_database(&promised, database).map_err(io::Error::other)?);
    Ok(faults)
}

/// What can be found by asking the service alone: all but what is counted, and halves.
pub fn ask(ledger: &Ledger, witness: &mut impl Witness) -> io::Result<Vec<String>> {
    let promised = Promised::of(ledger);
    let mut faults = promised.contradictions.clone();
    faults.extend(sessions(&promised, witness)?);
    faults.extend(passwords(&promised, witness)?);
    faults.extend(tickets(&promised, witness)?);
    faults.extend(never_issued(witness)?);
    Ok(faults)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Live,
    Ended,
    /// Asked to end, and not told whether it did.
    Either,
}

/// What a ledger amounts to.
#[derive(Default)]
struct Promised {
    sessions: HashMap<String, State>,
    passwords: HashMap<String, Passwords>,
    /// Used ones, each with its cookie.
    tickets: Vec<(String, String)>,
    guesses: i64,
    first_guess: Option<i64>,
    contradictions: Vec<String>,
}

#[derive(Clone)]
struct Passwords {
    /// Refused, accepted; if the change was not acknowledged, one or the other.
    old: String,
    new: String,
    acknowledged: bool,
}

impl Promised {
    fn of(ledger: &Ledger) -> Self {
        let mut promised = Self::default();
        for lines in &ledger.0 {
            for (number, line) in lines.iter().enumerate() {
                match line {
                    Line::Intent { asks, ends, at } => {
                        promised.intend(asks, ends, *at, lines.get(number + 1));
                    }
                    Line::Saw { cookie, status } => promised.see(cookie, *status),
                    Line::Answer { .. } => {}
                }
            }
        }
        promised
    }

    fn intend(&mut self, asks: &Request, ends: &[String], at: i64, answer: Option<&Line>) {
        let (status, cookie) = match answer {
            Some(Line::Answer { status, cookie }) => (*status, cookie.clone()),
            _ => (0, None),
        };
        let done = status == DONE;
        for cookie in ends {
            let state = self.sessions.entry(cookie.clone()).or_insert(State::Either);
            match (done, *state) {
                (true, _) => *state = State::Ended,
                (false, State::Live) => *state = State::Either,
                (false, _) => {}
            }
        }
        if let Some(cookie) = cookie.filter(|_| done) {
            self.sessions.insert(cookie, State::Live);
        }
        match asks {
            Request::Guess => {
                self.first_guess = Some(self.first_guess.map_or(at, |first| first.min(at)));
                self.guesses += i64::from(status == 401);
                if done {
                    self.contradictions
                        .push("I6: a wrong password signed in".to_owned());
                }
            }
            Request::ChangePassword { user, old, new } => {
                let (old, new) = (old.clone(), new.clone());
                let passwords = Passwords {
                    old,
                    new,
                    acknowledged: done,
                };
                self.passwords.insert(user.clone(), passwords);
            }
            Request::Enter { ticket, flow } => {
                let used = done.then(|| (ticket.clone(), flow.clone()));
                self.tickets.extend(used);
            }
            Request::SignIn | Request::End => {}
        }
    }

    /// While the fault lasted: no answer is no lie, but a wrong one is.
    fn see(&mut self, cookie: &str, status: u16) {
        match (self.sessions.get(cookie), status) {
            (Some(State::Live), 401) => self
                .contradictions
                .push("I1: a live session was answered 401".to_owned()),
            (Some(State::Ended) | None, 200..=299) => self
                .contradictions
                .push(format!("I2: an ended session was answered {status}")),
            _ => {}
        }
    }
}

fn sessions(promised: &Promised, witness: &mut impl Witness) -> io::Result<Vec<String>> {
    let mut faults = Vec::new();
    for (cookie, state) in &promised.sessions {
        let status = witness.session(cookie)?;
        match (state, status) {
            (State::Live | State::Either, 200) | (State::Ended | State::Either, 401) => {}
            (State::Live, _) => {
                faults.push(format!("I1: an acknowledged session answers {status}"))
            }
            (State::Ended, _) => faults.push(format!("I2: an ended session answers {status}")),
            (State::Either, _) => faults.push(format!("I3: a session in doubt answers {status}")),
        }
    }
    Ok(faults)
}

fn passwords(promised: &Promised, witness: &mut impl Witness) -> io::Result<Vec<String>> {
    let mut faults = Vec::new();
    for (
        user,
        Passwords {
            old,
            new,
            acknowledged,
        },
    ) in &promised.passwords
    {
        let (old, new) = (witness.sign_in(user, old)?, witness.sign_in(user, new)?);
        match (acknowledged, old, new) {
            (_, 401, DONE) | (false, DONE, 401) => {}
            (true, _, _) => faults.push(format!(
                "I2: after a change of password the old one answers {old}, the new one {new}"
            )),
            (false, _, _) => faults.push(format!(
                "I3: after a change in doubt the old password answers {old}, the new one {new}"
            )),
        }
    }
    Ok(faults)
}

fn tickets(promised: &Promised, witness: &mut impl Witness) -> io::Result<Vec<String>> {
    let mut faults = Vec::new();
    for (ticket, flow) in &promised.tickets {
        if witness.enter(ticket, flow)? == DONE {
            faults.push("I4: a ticket that was used works again".to_owned());
        }
    }
    Ok(faults)
}

fn never_issued(witness: &mut impl Witness) -> io::Result<Vec<String>> {
    let mut faults = Vec::new();
    for byte in [0, 1, 127, 255] {
        let (secret, _) = seeding::token([byte; 32]);
        let status = witness.session(&format!("{COOKIE}={secret}"))?;
        if status != 401 {
            faults.push(format!(
                "I6: a secret that was never issued answers {status}"
            ));
        }
    }
    Ok(faults)
}

/// Queries that count what must not be there, for I3.
const HALVES: [(&str, &str); 8] = [
    (
        "a session without its record",
        "SELECT count(*) FROM sessions WHERE id NOT IN (SELECT session_id FROM audit WHERE event = 'sign_in' AND result = 'ok')",
    ),
    (
        "a record without its session",
        "SELECT count(*) FROM audit WHERE event = 'sign_in' AND result = 'ok' AND session_id NOT IN (SELECT id FROM sessions)",
    ),
    (
        "a sign-out without its record",
        "SELECT count(*) FROM sessions WHERE end_reason = 'signed_out' AND id NOT IN (SELECT session_id FROM audit WHERE event = 'sign_out')",
    ),
    (
        "a record without its sign-out",
        "SELECT count(*) FROM audit WHERE event = 'sign_out' AND session_id IN (SELECT id FROM sessions WHERE ended_at IS NULL)",
    ),
    (
        "a revoke without its record",
        "SELECT count(*) FROM sessions WHERE end_reason = 'revoked' AND id NOT IN (SELECT session_id FROM audit WHERE event = 'session_revoke')",
    ),
    (
        "a record without its revoke",
        "SELECT count(*) FROM audit WHERE event = 'session_revoke' AND session_id IN (SELECT id FROM sessions WHERE ended_at IS NULL)",
    ),
    (
        "a change of password without its record",
        "SELECT count(*) FROM users u WHERE password_changed_at > created_at
         AND NOT EXISTS (SELECT 1 FROM audit WHERE event = 'password_change' AND user_id = u.id AND at >= u.password_changed_at)",
    ),
    (
        "a barred user with a live session",
        "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.disabled_at IS NOT NULL AND s.ended_at IS NULL",
    ),
];

fn in_database(promised: &Promised, database: &Path) -> Result<Vec<String>, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .read_only(true);
    super::block_on(async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let mut faults = unsound(&mut connection).await?;
        for (what, query) in HALVES {
            let count: i64 = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
            if count > 0 {
                faults.push(format!("I3: {count} of: {what}"));
            }
        }
        faults.extend(forgotten_guesses(promised, &mut connection).await?);
        connection.close().await?;
        Ok(faults)
    })
}

/// I5.
pub async fn unsound(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let integrity: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&mut *connection)
        .await?;
    let orphans: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT \"table\" FROM pragma_foreign_key_check")
            .fetch_all(connection)
            .await?;
    let integrity = integrity.into_iter().filter(|line| line != "ok");
    let orphans = orphans
        .into_iter()
        .map(|table| format!("rows of {table} refer to nothing"));
    Ok(integrity
        .chain(orphans)
        .map(|fault| format!("I5: {fault}"))
        .collect())
}

/// I4. All guesses come from one address, and each moves the moment when its bucket is full again by an
/// interval.
async fn forgotten_guesses(
    promised: &Promised,
    connection: &mut SqliteConnection,
) -> Result<Option<String>, sqlx::Error> {
    let Some(first) = promised.first_guess.filter(|_| promised.guesses > 0) else {
        return Ok(None);
    };
    let full_at: Option<i64> =
        sqlx::query_scalar("SELECT max(full_at) FROM throttle WHERE bucket = 'address 127.0.0.1'")
            .fetch_one(connection)
            .await?;
    let interval = i64::try_from(INTERVAL.as_micros()).unwrap_or(i64::MAX);
    let counted = (full_at.unwrap_or(first) - first) / interval;
    Ok((counted < promised.guesses).then(|| {
        format!(
            "I4: {} guesses were answered, {counted} are counted",
            promised.guesses
        )
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tempfile::TempDir;
    use vestibule::foundation::db::{Location, prepare};

    use super::*;

    /// What a service would say, and its database with one session.
    struct Service {
        folder: TempDir,
        live: HashSet<String>,
        password: &'static str,
        broken: bool,
    }

    impl Service {
        fn new() -> Self {
            let service = Self {
                folder: tempfile::tempdir().expect("a folder"),
                live: HashSet::from(["a=1".to_owned()]),
                password: "new",
                broken: false,
            };
            let location = Location::parse(&service.database().to_string_lossy()).expect("a path");
            super::super::block_on(prepare(&location)).expect("a database");
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
            let options = SqliteConnectOptions::new()
                .filename(self.database())
                .foreign_keys(false);
            super::super::block_on(async {
                let mut connection = SqliteConnection::connect_with(&options).await?;
                sqlx::raw_sql(statement).execute(&mut connection).await?;
                connection.close().await
            })
            .expect("a statement");
        }

        fn judged(&mut self, lines: Vec<Line>) -> Vec<String> {
            let database = self.database();
            judge(&Ledger(vec![lines]), self, &database).expect("a judgement")
        }

        fn assert_found(&mut self, lines: Vec<Line>, start: &str) {
            let faults = self.judged(lines);
            assert!(
                faults.iter().any(|fault| fault.starts_with(start)),
                "{start}: {faults:?}"
            );
        }
    }

    impl Witness for Service {
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

    fn intent(asks: Request, ends: &[&str]) -> Line {
        let ends = ends.iter().map(|cookie| (*cookie).to_owned()).collect();
        Line::Intent { asks, ends, at: 1 }
    }

    fn answer(status: u16, cookie: Option<&str>) -> Line {
        Line::Answer {
            status,
            cookie: cookie.map(str::to_owned),
        }
    }

    fn signed_in(cookie: &str) -> Vec<Line> {
        vec![intent(Request::SignIn, &[]), answer(DONE, Some(cookie))]
    }

    fn then(mut lines: Vec<Line>, more: impl IntoIterator<Item = Line>) -> Vec<Line> {
        lines.extend(more);
        lines
    }

    fn changed() -> Line {
        let [user, old, new] = ["u", "old", "new"].map(str::to_owned);
        intent(Request::ChangePassword { user, old, new }, &[])
    }

    #[test]
    fn kept_promises_are_no_fault() {
        let sign_out = [intent(Request::End, &["a=2"]), answer(DONE, None)];
        let lines = then(then(signed_in("a=1"), signed_in("a=2")), sign_out);
        let lines = then(lines, [changed(), answer(DONE, None)]);
        assert_eq!(Service::new().judged(lines), [""; 0]);
    }

    #[test]
    fn a_sign_in_that_is_not_there_is_found() {
        Service::new().assert_found(
            signed_in("a=lost"),
            "I1: an acknowledged session answers 401",
        );
    }

    #[test]
    fn a_sign_out_that_did_not_happen_is_found() {
        let sign_out = [intent(Request::End, &["a=1"]), answer(DONE, None)];
        Service::new().assert_found(
            then(signed_in("a=1"), sign_out),
            "I2: an ended session answers 200",
        );
    }

    #[test]
    fn a_sign_out_without_a_yes_may_be_either_but_not_an_error() {
        let in_doubt = [intent(Request::End, &["a=1", "a=2"]), answer(503, None)];
        let lines = then(then(signed_in("a=1"), signed_in("a=2")), in_doubt);
        let mut service = Service::new();
        assert_eq!(service.judged(lines.clone()), [""; 0]);
        service.broken = true;
        service.assert_found(lines, "I3: a session in doubt answers 503");
    }

    #[test]
    fn a_wrong_answer_while_the_fault_lasts_is_found() {
        let saw = |status| {
            [Line::Saw {
                cookie: "a=1".to_owned(),
                status,
            }]
        };
        Service::new().assert_found(
            then(signed_in("a=1"), saw(401)),
            "I1: a live session was answered 401",
        );
        assert_eq!(
            Service::new().judged(then(signed_in("a=1"), saw(503))),
            [""; 0]
        );
    }

    #[test]
    fn an_old_password_that_still_works_is_found() {
        let mut service = Service::new();
        service.password = "old";
        service.assert_found(
            vec![changed(), answer(DONE, None)],
            "I2: after a change of password",
        );
        assert_eq!(service.judged(vec![changed(), answer(503, None)]), [""; 0]);
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
            let mut service = Service::new();
            service.execute(half);
            service.assert_found(Vec::new(), "I3: 1 of: ");
        }
    }

    #[test]
    fn a_forgotten_guess_is_found() {
        let mut service = Service::new();
        let guess = || [intent(Request::Guess, &[]), answer(401, None)];
        service.execute(
            "INSERT INTO throttle (bucket, full_at) VALUES ('address 127.0.0.1', 3600000001)",
        );
        assert_eq!(service.judged(guess().into()), [""; 0]);
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
                intent(Request::Enter { ticket, flow }, &[]),
                answer(DONE, None),
            ]
        };
        let mut service = Service::new();
        assert_eq!(service.judged(used("spent")), [""; 0]);
        service.assert_found(used("a=1"), "I4: a ticket that was used works again");
    }

    #[test]
    fn rows_that_refer_to_nothing_are_found() {
        let mut service = Service::new();
        service.execute("INSERT INTO memberships (user_id, group_name) VALUES (x'01', 'none')");
        service.assert_found(Vec::new(), "I5: rows of memberships refer to nothing");
    }

    #[test]
    fn an_index_that_tells_another_story_is_found() {
        let mut service = Service::new();
        service.execute(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '(user_id, id)', '(session_id, id)') WHERE name = 'audit_user'",
        );
        service.assert_found(Vec::new(), "I5: ");
    }

    #[test]
    fn a_secret_that_was_never_issued_and_opens_is_found() {
        let mut service = Service::new();
        let (secret, _) = seeding::token([127; 32]);
        service.live.insert(format!("{COOKIE}={secret}"));
        service.assert_found(Vec::new(), "I6: a secret that was never issued answers 200");
    }

    #[test]
    fn a_wrong_password_that_signs_in_is_found() {
        let lines = vec![intent(Request::Guess, &[]), answer(DONE, Some("a=1"))];
        Service::new().assert_found(lines, "I6: a wrong password signed in");
    }
}
