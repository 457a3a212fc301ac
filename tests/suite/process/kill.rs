//! The process is killed while people sign in and out, and what it had promised is looked for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Browser, Machine};
use crate::support::PASSWORD;

const ROUNDS: u64 = 6;

/// What a client had an answer to.
#[derive(Default)]
struct Ledger {
    live: Vec<Browser>,
    ended: Vec<Browser>,
}

/// Signs in, and out again every other time, until the server is gone.
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
        let mut leaving = browser.clone();
        let answered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            leaving.post("/logout", &[]).status
        }));
        if answered.is_ok_and(|status| status == 303) {
            ledger.ended.push(browser);
        }
    }
    ledger
}

/// `None`: there was no whole answer.
fn signed_in(machine: &Machine) -> Option<Browser> {
    let mut browser = machine.anonymous();
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        browser.sign_in("alice", PASSWORD).status
    }));
    (answer.ok() == Some(303)).then_some(browser)
}

#[test]
fn aud_02_flt_01_a_kill_loses_nothing_that_was_answered_and_leaves_nothing_half_done() {
    let machine = Machine::new().set("VESTIBULE_SESSIONS__MAX_PER_USER", "1000000");
    machine.add_user("alice", &[]);
    let mut live = Vec::new();
    let mut ended = Vec::new();
    for round in 0..ROUNDS {
        let server = machine.start();
        let killed = AtomicBool::new(false);
        let ledgers = thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| use_until_it_is_killed(&machine, &killed)))
                .collect();
            // The moment is what varies; nothing is waited for.
            thread::sleep(Duration::from_millis(150 + 130 * round));
            server.kill();
            killed.store(true, Ordering::Relaxed);
            clients
                .into_iter()
                .map(|client| client.join().expect("a client"))
                .collect::<Vec<_>>()
        });
        for ledger in ledgers {
            live.extend(ledger.live);
            ended.extend(ledger.ended);
        }
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
