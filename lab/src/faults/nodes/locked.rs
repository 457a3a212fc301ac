use std::thread;
use std::time::Duration;

use xtask::run::{Stop, failed};

use super::asked::{Asked, recovery, sign_in};
use super::{Cluster, NAME};
use crate::faults::testbed::Testbed;
use crate::faults::{Fault, Findings, workload};

pub const FAULT: Fault = Fault {
    id: "P8",
    what: "another program holds LOCK TABLE sessions",
    run,
};

/// A second for the lock, and what a busy machine takes to hash.
const PATIENCE: Duration = Duration::from_secs(4);

/// From the moment on at which it is let go.
const BOUND: Duration = Duration::from_secs(3);

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let cluster = Cluster::start(testbed, "table-locked", 2)?;
    let instances = cluster.instances();
    let times: &[u64] = if testbed.quick { &[2] } else { &[1, 5, 30] };
    for seconds in times {
        let held = Duration::from_secs(*seconds);
        let mut asked = Asked::default();
        let (history, recovery) = workload::run_at(&instances, 0..12, *seconds, || {
            let session = sign_in(&instances[0])?;
            thread::sleep(Duration::from_millis(500));
            let mut holder = cluster.postgres.ask(NAME).map_err(failed("PostgreSQL"))?;
            holder
                .execute("BEGIN; LOCK TABLE sessions")
                .map_err(failed("a lock"))?;
            asked.during(held, &instances[0], &session)?;
            drop(holder);
            recovery(&instances)
        })?;
        let others = Asked::others(&asked.sign_ins, 503);
        findings.require(
            others == 0,
            format!("{others} sign-ins were not answered 503"),
        );
        let odd = asked
            .checks
            .iter()
            .find(|status| ![200, 503].contains(*status));
        findings.require(
            odd.is_none(),
            format!("a session check was answered {odd:?}"),
        );
        asked.require_in_time(&mut findings, PATIENCE, (recovery, BOUND));
        findings.check_nodes(&cluster, &history)?;
        findings.figure(format!(
            "held {seconds} s: {} of {} session checks 200, the others 503; the longest answer after {} ms; a sign-in at each node {} ms after; {} acknowledged changes",
            asked.checks.len() - Asked::others(&asked.checks, 200),
            asked.checks.len(),
            asked.longest.as_millis(),
            recovery.as_millis(),
            history.acknowledged()
        ));
    }
    Ok(findings)
}
