//! What was ended is dead from the next request on, over connections that were open before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::keep_alive::Connection;
use super::{Browser, Machine, PATIENCE};
use crate::support::PASSWORD;

/// Ends the session of a browser in some way; afterwards 1,000 of 1,000 checks over four connections
/// that were open, and had been answered, before are denied. Other connections ask all the while, so
/// that the server has the session in memory.
fn dead_at_once(end: impl FnOnce(&Machine, &mut Browser)) {
    let machine = Machine::new();
    let _server = machine.start();
    machine.add_user("alice", &[]);
    let mut alice = machine.signed_in("alice");
    let mut open: Vec<Connection> = (0..4)
        .map(|_| Connection::open(&machine).with(&alice.cookie))
        .collect();
    for connection in &mut open {
        assert_eq!(connection.send("GET", "/api/session", ""), 200);
    }
    let ended = AtomicBool::new(false);
    let cookie = alice.cookie.clone();
    let denied = thread::scope(|scope| {
        scope.spawn(|| {
            let mut asking = Connection::open(&machine).with(&cookie);
            let began = Instant::now();
            while !ended.load(Ordering::Relaxed) && began.elapsed() < PATIENCE {
                asking.send("GET", "/api/session", "");
            }
        });
        end(&machine, &mut alice);
        let denied = count_denied(&mut open);
        ended.store(true, Ordering::Relaxed);
        denied
    });
    assert_eq!(denied, 1_000);
}

fn count_denied(open: &mut [Connection]) -> usize {
    (0..1_000)
        .filter(|turn| open[turn % 4].send("GET", "/api/session", "") == 401)
        .count()
}

#[test]
fn ses_04_a_session_is_dead_after_its_sign_out() {
    dead_at_once(|_, alice| assert_eq!(alice.post("/logout", &[]).status, 303));
}

#[test]
fn adm_02_a_session_is_dead_after_a_revoke_by_the_command_line() {
    dead_at_once(|machine, alice| {
        machine
            .cli(&["session", "revoke", &alice.session_id()])
            .done();
    });
}

#[test]
fn adm_02_a_session_is_dead_after_a_revoke_by_a_page() {
    dead_at_once(|machine, alice| {
        machine.add_user("root", &["--admin"]);
        let path = format!("/admin/sessions/{}/revoke", alice.session_id());
        assert_eq!(machine.signed_in("root").post(&path, &[]).status, 303);
    });
}

#[test]
fn ses_08_a_session_is_dead_after_its_user_is_disabled_by_the_command_line() {
    dead_at_once(|machine, _| {
        machine.cli(&["user", "disable", "alice"]).done();
    });
}

#[test]
fn ses_09_a_sessions_old_secret_is_dead_after_a_change_of_password() {
    dead_at_once(|_, alice| {
        let fields = [
            ("current_password", PASSWORD),
            ("new_password", "a much better secret"),
        ];
        assert_eq!(alice.post("/account/password", &fields).status, 303);
    });
}
