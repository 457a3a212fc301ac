//! The process is killed while a password is chosen by a link: it is the new one and the link is spent, or nothing happened.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use super::{Machine, wait_for};

/// Kills at moments over what a reset takes; the last one after its answer, however slow the machine is.
const ROUNDS: u64 = 12;

#[test]
fn flt_01_rst_03_a_reset_during_which_the_process_is_killed_is_done_or_is_not() {
    let machine = Machine::new().set("VESTIBULE_THROTTLE__ACCOUNT_TRIES", "1000");
    let mut server = Some(machine.start());
    machine.add_user("alice", &[]);
    let (mut old, mut answered) = (crate::support::PASSWORD.to_owned(), 0);
    for round in 0..ROUNDS {
        let link = machine.cli(&["user", "reset-link", "alice"]).done().out;
        let (_, token) = link.trim().rsplit_once('/').expect("a link");
        let (page, new) = (
            format!("/reset/{token}"),
            format!("the password of round {round}"),
        );
        let running = server.take().expect("a server");
        let answer = thread::scope(|scope| {
            let choose = || {
                machine
                    .anonymous()
                    .post(&page, &[("new_password", &new)])
                    .status
            };
            let choosing = scope.spawn(move || catch_unwind(AssertUnwindSafe(choose)).ok());
            if round + 1 == ROUNDS {
                wait_for("an answer", || choosing.is_finished().then_some(()));
            } else {
                thread::sleep(Duration::from_millis(12 * round));
            }
            running.kill();
            choosing.join().expect("an end")
        });
        server = Some(machine.start());
        let by = |password: &str| machine.anonymous().sign_in("alice", password).status;
        let is_new = by(&new) == 303;
        assert_eq!(
            by(&old),
            if is_new { 401 } else { 303 },
            "round {round}: one of the two"
        );
        if answer.is_some() {
            answered += 1;
            assert!(is_new, "round {round}: it was acknowledged");
        }
        if is_new {
            assert_eq!(
                machine.anonymous().get(&page).status,
                404,
                "round {round}: the link is spent"
            );
            old = new;
        }
    }
    assert!((1..ROUNDS).contains(&answered), "{answered} were answered");
}
