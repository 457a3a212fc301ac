//! The process is killed while a password is chosen by a link: it is the new one and the link is spent, or nothing happened.

use std::time::Duration;

use super::{Machine, killed_under};

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
        let after = (round + 1 < ROUNDS).then(|| Duration::from_millis(12 * round));
        let answer = killed_under(running, after, || {
            let mut browser = machine.anonymous();
            browser.post(&page, &[("new_password", &new)]).status
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
