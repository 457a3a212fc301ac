//! The process is killed while codes are exchanged and tokens are rotated: what was answered stays so.

use std::time::Duration;

use super::application::Application;
use super::{Machine, Server, killed_under};
use crate::support::Answer;

/// Kills at moments over what a request takes; the last one after its answer, however slow the machine is.
const ROUNDS: u64 = 20;

struct Killed {
    machine: Machine,
    application: Application,
    server: Option<Server>,
}

impl Killed {
    fn start() -> Self {
        let machine = Machine::new();
        let server = Some(machine.start());
        machine.add_user("alice", &[]);
        let application = Application::add(&machine);
        Self {
            machine,
            application,
            server,
        }
    }

    fn code(&self) -> String {
        let mut alice = self.machine.signed_in("alice");
        self.application.code(&mut alice)
    }

    /// The answer to a request under which the program was killed, if a whole one came; it runs again afterwards.
    fn under(&mut self, round: u64, ask: impl FnOnce(&Self) -> Answer + Send) -> Option<Answer> {
        let running = self.server.take().expect("a server");
        let this = &*self;
        let after = (round + 1 < ROUNDS).then(|| Duration::from_micros(400 * round));
        let answer = killed_under(running, after, || ask(this));
        self.server = Some(self.machine.start());
        answer
    }
}

fn text(answer: &Answer, name: &str) -> String {
    let json = answer.json();
    json[name]
        .as_str()
        .unwrap_or_else(|| panic!("{json}"))
        .to_owned()
}

#[test]
fn flt_01_oid_01_a_code_whose_exchange_was_answered_stays_used_though_the_process_is_killed() {
    let mut killed = Killed::start();
    let mut answered = 0;
    for round in 0..ROUNDS {
        let code = killed.code();
        let first = killed.under(round, |now| now.application.exchange(&now.machine, &code));
        let Killed {
            machine,
            application,
            ..
        } = &killed;
        let second = application.exchange(machine, &code);
        match first {
            Some(first) => {
                answered += 1;
                assert_eq!(first.status, 200, "{}", first.body);
                assert_eq!(text(&second, "error"), "invalid_grant", "round {round}");
                let token = text(&first, "access_token");
                assert!(!application.is_active(machine, &token), "it came twice");
            }
            None => assert!([200, 400].contains(&second.status), "{}", second.body),
        }
        let third = application.exchange(machine, &code);
        assert_eq!(text(&third, "error"), "invalid_grant", "round {round}");
    }
    assert!((1..ROUNDS).contains(&answered), "{answered} were answered");
}

#[test]
fn flt_01_oid_07_a_rotation_that_was_answered_stays_and_nobody_gets_two_families() {
    let mut killed = Killed::start();
    let first = killed.application.exchange(&killed.machine, &killed.code());
    let mut held = text(&first, "refresh_token");
    let mut answered = 0;
    for round in 0..ROUNDS {
        let used = held.clone();
        let answer = killed.under(round, |now| now.application.refresh(&now.machine, &used));
        let Killed {
            machine,
            application,
            ..
        } = &killed;
        // Whoever heard nothing asks again.
        let again = text(&application.refresh(machine, &used), "refresh_token");
        if let Some(answer) = answer {
            answered += 1;
            assert_eq!(text(&answer, "refresh_token"), again, "round {round}");
        }
        held = again;
    }
    assert!((1..ROUNDS).contains(&answered), "{answered} were answered");
    let live = killed
        .machine
        .number("SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL");
    assert_eq!(live, 1);
}
