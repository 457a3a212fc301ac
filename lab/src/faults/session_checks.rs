//! Session checks beside a fault: whoever is signed in should notice nothing.

use std::thread;
use std::time::{Duration, Instant};

use xtask::run::Stop;

use super::Findings;
use crate::driver::Instance;
use crate::statistics::{millis, quantile};

#[derive(Default)]
pub struct SessionChecks {
    times: Vec<Duration>,
    errors: usize,
}

impl SessionChecks {
    /// One after the other, a few milliseconds apart, each over a new connection.
    pub fn run(instance: &Instance, session: &str, during: Duration) -> Result<Self, Stop> {
        let mut checks = Self::default();
        let began = Instant::now();
        while began.elapsed() < during {
            let sent = Instant::now();
            let status = instance
                .client()
                .and_then(|mut client| client.session(session));
            checks.times.push(sent.elapsed());
            checks.errors += usize::from(!status.is_ok_and(|status| status == 200));
            thread::sleep(Duration::from_millis(5));
        }
        match checks.times.len() {
            0 => Err(Stop::because("session checks: none was made")),
            _ => Ok(checks),
        }
    }

    pub fn p99(&self) -> Duration {
        quantile(&self.times, 0.99)
    }

    /// All were answered 200, and quickly.
    pub fn require(&self, bound: Duration, findings: &mut Findings) {
        let p99 = self.p99();
        findings.require(
            p99 <= bound,
            format!("session checks took {p99:?} at the 99th percentile, {bound:?} at most"),
        );
        findings.require(
            self.errors == 0,
            format!("{} session checks failed", self.errors),
        );
    }

    pub fn figure(&self, findings: &mut Findings) {
        findings.figure(format!(
            "{} session checks, p50 {:.1} ms, p99 {:.1} ms, {} errors",
            self.times.len(),
            millis(quantile(&self.times, 0.5)),
            millis(self.p99()),
            self.errors
        ));
    }
}
