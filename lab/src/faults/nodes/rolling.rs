use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use xtask::run::{Stop, failed};

use super::Cluster;
use super::asked::sign_in;
use crate::driver::Instance;
use crate::faults::testbed::Testbed;
use crate::faults::{Fault, Findings, workload};

pub const FAULT: Fault = Fault {
    id: "P11",
    what: "two nodes are stopped and started one after the other under load",
    run,
};

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let mut cluster = Cluster::start(testbed, "rolling", 2)?;
    let instances = cluster.instances();
    let rounds = testbed.rounds(1, 10);
    let session = sign_in(&instances[0])?;
    let over = AtomicBool::new(false);
    let (history, (asked, failed)) = workload::run_at(&instances, 0..12, 1, || {
        thread::scope(|scope| {
            let visitor = scope.spawn(|| visit(&instances, &session, &over));
            let rolled = (0..rounds).try_for_each(|_| roll(&mut cluster));
            over.store(true, Ordering::Relaxed);
            rolled.map(|()| visitor.join().expect("no panic"))
        })
    })?;
    findings.require(failed == 0, format!("{failed} checks failed at both nodes"));
    findings.require(history.acknowledged() > 0, "nothing was acknowledged");
    findings.check_nodes(&cluster, &history)?;
    findings.figure(format!(
        "{rounds} times each: {failed} of {asked} session checks failed at both, {} acknowledged changes, {} violations (the same release: there is no earlier one)",
        history.acknowledged(),
        findings.violations.len()
    ));
    Ok(findings)
}

fn roll(cluster: &mut Cluster) -> Result<(), Stop> {
    for node in &mut cluster.nodes {
        thread::sleep(Duration::from_millis(500));
        node.end(Signal::TERM)?;
        node.start_again()?;
    }
    Ok(())
}

/// As a proxy does: what one node does not answer is asked at the other.
fn visit(instances: &[Instance], session: &str, over: &AtomicBool) -> (usize, usize) {
    let is_answered = |instance: &Instance| {
        let answer = instance.client().map_err(failed("a node"));
        answer.is_ok_and(|mut client| client.session(session).is_ok_and(|status| status == 200))
    };
    let (mut asked, mut failed) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        asked += 1;
        failed += usize::from(!instances.iter().any(is_answered));
        thread::sleep(Duration::from_millis(5));
    }
    (asked, failed)
}
