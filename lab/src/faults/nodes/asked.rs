//! What visitors of a node are answered while something is broken, and how soon.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use xtask::run::{Outcome, Stop, failed};

use crate::driver::{Client, Instance, PASSWORD, wait_for};
use crate::faults::Findings;

/// Of session checks and sign-ins.
#[derive(Default)]
pub struct Asked {
    pub checks: Vec<u16>,
    pub sign_ins: Vec<u16>,
    pub longest: Duration,
}

impl Asked {
    /// For so long: checks of a session, and a sign-in after some of them.
    pub fn during(&mut self, time: Duration, instance: &Instance, session: &str) -> Outcome {
        let began = Instant::now();
        while began.elapsed() < time {
            for _ in (0..10).take_while(|_| began.elapsed() < time) {
                let check = |client: &mut Client| client.session(session);
                let status = self.timed(instance, check)?;
                self.checks.push(status);
                thread::sleep(Duration::from_millis(5));
            }
            let status = self.timed(instance, |client| {
                let answer = client.without_cookie().sign_in("user-20", PASSWORD)?;
                Ok(answer.status)
            })?;
            self.sign_ins.push(status);
        }
        Ok(())
    }

    fn timed(
        &mut self,
        instance: &Instance,
        ask: impl FnOnce(&mut Client) -> io::Result<u16>,
    ) -> Result<u16, Stop> {
        let began = Instant::now();
        let status = instance.client().and_then(|mut client| ask(&mut client));
        self.longest = self.longest.max(began.elapsed());
        status.map_err(failed("a node"))
    }

    /// Nobody waited longer for an answer, nor until a sign-in worked again at each node.
    pub fn require_in_time(
        &self,
        findings: &mut Findings,
        patience: Duration,
        (recovery, bound): (Duration, Duration),
    ) {
        findings.require(
            self.longest < patience,
            format!("an answer took {:?}", self.longest),
        );
        findings.require(
            recovery < bound,
            format!("nobody could sign in for {recovery:?}"),
        );
    }

    /// How many of these were answered with another status.
    pub fn others(statuses: &[u16], wanted: u16) -> usize {
        statuses.iter().filter(|status| **status != wanted).count()
    }
}

/// The cookie of a new session; with many at work, a try may be turned away.
pub fn sign_in(instance: &Instance) -> Result<String, Stop> {
    wait_for("a sign-in", || instance.sign_in("user-20").ok())
}

/// How long it takes until somebody can sign in at each node.
pub fn recovery(instances: &[Instance]) -> Result<Duration, Stop> {
    let began = Instant::now();
    for instance in instances {
        sign_in(instance)?;
    }
    Ok(began.elapsed())
}
