//! The process is killed while recovery codes are used: what was used stays used.

use std::time::Duration;

use vestibule::Clock;

use super::{Machine, killed_under};
use crate::support::{Authenticator, PASSWORD};

#[test]
fn flt_01_a_recovery_code_whose_use_was_answered_stays_used_though_the_process_is_killed() {
    let machine = Machine::new().set("VESTIBULE_THROTTLE__ACCOUNT_TRIES", "1000");
    let server = machine.start();
    machine.add_user("alice", &[]);
    let mut alice = machine.signed_in("alice");
    let app = Authenticator::of_page(&alice.get("/account/totp"));
    let now = Clock::system().now().unix_micros() / 1_000_000;
    let set_up = alice.post("/account/totp", &[("code", &app.code_at(now))]);
    let codes = set_up.elements("<li><code>", "</code>");
    assert_eq!(codes.len(), 10, "{}", set_up.body);
    let mut server = Some(server);
    let (mut used, mut unanswered) = (0, 0);
    for (round, code) in (0_u64..).zip(&codes) {
        let mut browser = machine.anonymous();
        assert_eq!(browser.sign_in("alice", PASSWORD).status, 303);
        let mut again = machine.anonymous();
        again.sign_in("alice", PASSWORD);
        let running = server.take().expect("a server");
        let after = Some(Duration::from_micros(400 * round));
        let status = killed_under(running, after, || {
            let fields = [("recovery_code", code.as_str())];
            browser.post("/login/code", &fields).status
        });
        server = Some(machine.start());
        let second = again.post("/login/code", &[("recovery_code", code)]).status;
        if status == Some(303) {
            used += 1;
            assert_eq!(second, 401, "round {round}: it was used");
            assert_eq!(
                browser.session().status,
                200,
                "round {round}: and its session is there"
            );
        } else {
            unanswered += 1;
            assert!([303, 401].contains(&second), "round {round}: {second}");
        }
        let mut third = machine.anonymous();
        third.sign_in("alice", PASSWORD);
        let answer = third.post("/login/code", &[("recovery_code", code)]);
        assert_eq!(
            answer.status, 401,
            "round {round}: by now it is used in any case"
        );
    }
    assert_eq!(used + unanswered, 10);
}
