use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use xtask::run::{Stop, failed};

use super::asked::sign_in;
use super::{Cluster, NAME};
use crate::faults::testbed::Testbed;
use crate::faults::{Fault, Findings, workload};

pub const FAULT: Fault = Fault {
    id: "P10",
    what: "SIGSTOP of a node that holds the writers' lock",
    run,
};

/// The server ends a transaction that says nothing for 3 s; then there is a line to wait in.
const BOUND: Duration = Duration::from_millis(4_500);

/// Nobody who runs holds the lock for so long without a word.
const HELD: &str = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND state LIKE 'idle in transaction%'
      AND state_change < clock_timestamp() - INTERVAL '150 ms'";

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let cluster = Cluster::start(testbed, "stopped-node", 2)?;
    let instances = cluster.instances();
    let rounds = testbed.rounds(1, 10);
    let (mut tries, mut acknowledged, mut longest) = (0, 0, Duration::ZERO);
    for round in 0..rounds {
        let (history, waited) = workload::run_at(&instances, 0..16, round, || {
            let stopped_at = stop_with_lock(&cluster, &mut tries)?;
            sign_in(&instances[1])?;
            let waited = stopped_at.elapsed();
            thread::sleep(Duration::from_millis(500));
            cluster.nodes[0].signal(Signal::CONT)?;
            sign_in(&instances[0])?;
            Ok(waited)
        })?;
        acknowledged += history.acknowledged();
        longest = longest.max(waited);
        findings.check_nodes(&cluster, &history)?;
    }
    findings.require(longest < BOUND, format!("others waited for {longest:?}"));
    findings.figure(format!(
        "{rounds} times caught in {tries} tries: the other node signs in again {} ms after at most; {acknowledged} acknowledged changes, {} violations",
        longest.as_millis(),
        findings.violations.len()
    ));
    Ok(findings)
}

/// Stops the first node, again and again, until it has the lock when it is stopped; when that was.
fn stop_with_lock(cluster: &Cluster, tries: &mut usize) -> Result<Instant, Stop> {
    let node = &cluster.nodes[0];
    let mut asking = cluster.postgres.ask(NAME).map_err(failed("PostgreSQL"))?;
    for _ in 0..200 {
        *tries += 1;
        node.signal(Signal::STOP)?;
        let stopped_at = Instant::now();
        thread::sleep(Duration::from_millis(200));
        if asking.number(HELD).map_err(failed("pg_locks"))? > 0 {
            return Ok(stopped_at);
        }
        node.signal(Signal::CONT)?;
        thread::sleep(Duration::from_millis(37));
    }
    Err(Stop::because("the node was never stopped with the lock"))
}
