//! The process is killed while people sign in and out, and what it had promised is looked for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Browser, Machine};
use crate::support::PASSWORD;

const ROUNDS: u64 = 6;

const OTHER_PASSWORD: &str = "staple battery horse";

/// What a client had an answer to.
#[derive(Default)]
struct Ledger {
    live: Vec<Browser>,
    ended: Vec<Browser>,
}

/// Signs in, and every other time out again or is signed out from another session, until the server is
/// gone.
fn use_until_it_is_killed(machine: &Machine, killed: &AtomicBool) -> Ledger {
    let mut ledger = Ledger::default();
    for turn in 0.. {
        if killed.load(Ordering::Relaxed) {
            return ledger;
        }
        let Some(browser) = signed_in(machine) else {
            continue;
        };
        if turn % 2 == 0 {
            ledger.live.push(browser);
            continue;
        }
        let ended = match ledger.live.first() {
            Some(other) if turn % 4 == 1 => revoked(other, &browser),
            _ => signed_out(&browser),
        };
        if ended == Some(303) {
            ledger.ended.push(browser);
        }
    }
    ledger
}

/// The status of a whole answer.
fn answered(ask: impl FnOnce() -> u16) -> Option<u16> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask)).ok()
}

fn signed_out(browser: &Browser) -> Option<u16> {
    answered(|| browser.clone().post("/logout", &[]).status)
}

fn revoked(from: &Browser, browser: &Browser) -> Option<u16> {
    answered(|| {
        let path = format!("/account/sessions/{}/revoke", browser.clone().session_id());
        from.clone().post(&path, &[]).status
    })
}

/// Changes the password to and fro until the server is gone; the one it has by an answer, and the one
/// that it may have.
fn change_passwords(machine: &Machine, mut password: usize) -> (usize, Option<usize>) {
    let words = [PASSWORD, OTHER_PASSWORD];
    let Some(mut browser) = signed_in_with(machine, "bob", words[password]) else {
        return (password, None);
    };
    loop {
        let other = 1 - password;
        let fields = [
            ("current_password", words[password]),
            ("new_password", words[other]),
        ];
        match answered(|| browser.post("/account/password", &fields).status) {
            Some(303) => password = other,
            _ => return (password, Some(other)),
        }
    }
}

/// `None`: there was no whole answer.
fn signed_in(machine: &Machine) -> Option<Browser> {
    signed_in_with(machine, "alice", PASSWORD)
}

fn signed_in_with(machine: &Machine, name: &str, password: &str) -> Option<Browser> {
    let mut browser = machine.anonymous();
    let status = answered(|| browser.sign_in(name, password).status);
    (status == Some(303)).then_some(browser)
}

#[test]
fn aud_02_flt_01_a_kill_loses_nothing_that_was_answered_and_leaves_nothing_half_done() {
    let machine = Machine::new().set("VESTIBULE_SESSIONS__MAX_PER_USER", "1000000");
    machine.add_user("alice", &[]);
    machine.add_user("bob", &[]);
    let mut password = 0;
    let mut live = Vec::new();
    let mut ended = Vec::new();
    for round in 0..ROUNDS {
        let server = machine.start();
        let killed = AtomicBool::new(false);
        let (ledgers, (had, doubtful)) = thread::scope(|scope| {
            let changes = scope.spawn(|| change_passwords(&machine, password));
            let clients: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| use_until_it_is_killed(&machine, &killed)))
                .collect();
            // The moment is what varies; nothing is waited for.
            thread::sleep(Duration::from_millis(150 + 130 * round));
            server.kill();
            killed.store(true, Ordering::Relaxed);
            let ledgers: Vec<_> = clients
                .into_iter()
                .map(|client| client.join().expect("a client"))
                .collect();
            (ledgers, changes.join().expect("a client"))
        });
        for ledger in ledgers {
            live.extend(ledger.live);
            ended.extend(ledger.ended);
        }
        let _server = machine.start();
        let works = |one: usize| {
            let words = [PASSWORD, OTHER_PASSWORD];
            signed_in_with(&machine, "bob", words[one]).is_some()
        };
        password = [had, 1 - had]
            .into_iter()
            .find(|one| works(*one))
            .expect("one of the two");
        assert!(!works(1 - password), "and not the other");
        assert!(
            password == had || doubtful == Some(password),
            "an answered change holds"
        );
    }
    let _server = machine.start();
    assert!(
        live.len() >= 10 && ended.len() >= 5,
        "{} live, {} ended",
        live.len(),
        ended.len()
    );
    assert!(
        live.iter_mut()
            .all(|browser| browser.session().status == 200),
        "an answered sign-in is live"
    );
    assert!(
        ended
            .iter_mut()
            .all(|browser| browser.session().status == 401),
        "an answered sign-out holds"
    );
    for (what, query) in [
        (
            "a session without its record",
            "SELECT count(*) FROM sessions WHERE id NOT IN (SELECT session_id FROM audit WHERE event = 'sign_in')",
        ),
        (
            "a record without its session",
            "SELECT count(*) FROM audit WHERE event = 'sign_in' AND result = 'ok' AND session_id NOT IN (SELECT id FROM sessions)",
        ),
        (
            "an end without its record",
            "SELECT count(*) FROM sessions WHERE end_reason = 'signed_out' AND id NOT IN (SELECT session_id FROM audit WHERE event = 'sign_out')",
        ),
        (
            "a record without its end",
            "SELECT count(*) FROM audit WHERE event = 'sign_out' AND session_id IN (SELECT id FROM sessions WHERE ended_at IS NULL)",
        ),
    ] {
        assert_eq!(machine.number(query), 0, "{what}");
    }
    machine.cli(&["db", "check"]).done();
}
