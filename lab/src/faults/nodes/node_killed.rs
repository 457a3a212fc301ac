use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use xtask::run::{Stop, failed};

use super::Cluster;
use super::asked::sign_in;
use crate::faults::testbed::{Testbed, bar};
use crate::faults::{Fault, Findings, workload};
use crate::statistics::quantile;

pub const FAULT: Fault = Fault {
    id: "P1",
    what: "kill -9 of one of three nodes under load",
    run,
};

/// A lock of the killed one's is free once its connections are closed; then there is a line to wait in.
const BOUND: Duration = Duration::from_secs(3);

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let mut cluster = Cluster::start(testbed, "node-killed", 3)?;
    let instances = cluster.instances();
    let rounds = testbed.rounds(2, 100);
    let bar = bar(rounds);
    let mut moments = StdRng::seed_from_u64(1);
    let (mut acknowledged, mut waits) = (0, Vec::new());
    for round in 0..rounds {
        let (killed, next) = (round as usize % 3, (round as usize + 1) % 3);
        let moment = Duration::from_millis(moments.random_range(50..=1_000));
        let (history, waited) = workload::run_at(&instances, 0..16, round, || {
            thread::sleep(moment);
            cluster.nodes[killed].end(Signal::KILL)?;
            let died = Instant::now();
            let session = sign_in(&instances[next])?;
            let waited = died.elapsed();
            let mut client = instances[next].client().map_err(failed("a node"))?;
            let status = client.session(&session).map_err(failed("a node"))?;
            findings.require(status == 200, format!("another node answers {status}"));
            cluster.nodes[killed].start_again()?;
            Ok(waited)
        })?;
        acknowledged += history.acknowledged();
        waits.push(waited);
        findings.check_nodes(&cluster, &history)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let longest = quantile(&waits, 1.0);
    findings.require(longest < BOUND, format!("others waited for {longest:?}"));
    findings.require(acknowledged > 0, "nothing was acknowledged");
    findings.figure(format!(
        "{rounds} rounds, {acknowledged} acknowledged changes, {} violations; a sign-in at another node {} ms after, {} at most",
        findings.violations.len(),
        quantile(&waits, 0.5).as_millis(),
        longest.as_millis()
    ));
    Ok(findings)
}
