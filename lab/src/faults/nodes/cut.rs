use std::thread;
use std::time::{Duration, Instant};

use xtask::run::Stop;

use super::Cluster;
use super::asked::{Asked, recovery, sign_in};
use super::relay::Way;
use crate::faults::testbed::Testbed;
use crate::faults::{Fault, Findings, workload};

pub const FAULT: Fault = Fault {
    id: "P9",
    what: "the way from one of three nodes to the database is cut, held, held one way, and slow, and healed",
    run,
};

const WAYS: [(&str, Way); 4] = [
    ("cut", Way::Cut),
    ("answers held", Way::AnswersHeld),
    ("held", Way::Held),
    ("200 ms late", Way::Slow(Duration::from_millis(200))),
];

/// For one answer: the server's limit for a statement, and what comes before it.
const PATIENCE: Duration = Duration::from_secs(9);

/// From the moment on at which the way is open.
const BOUND: Duration = Duration::from_secs(5);

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let cluster = Cluster::start(testbed, "cut", 3)?;
    let instances = cluster.instances();
    let time = Duration::from_secs(testbed.rounds(1, 10));
    let ways = if testbed.quick { &WAYS[..1] } else { &WAYS };
    for (seed, (name, way)) in (1..).zip(ways.iter().copied()) {
        let (mut near, mut far) = (Asked::default(), Asked::default());
        let (history, healed) = workload::run_at(&instances, 0..12, seed, || {
            let session = sign_in(&instances[0])?;
            thread::sleep(Duration::from_millis(300));
            cluster.nodes[2].relay.set(way);
            thread::scope(|scope| {
                let others = scope.spawn(|| near.during(time, &instances[0], &session));
                far.during(time, &instances[2], &session)?;
                others.join().expect("no panic")
            })?;
            cluster.nodes[2].relay.set(Way::Open);
            let healed = Instant::now();
            recovery(&instances)?;
            Ok(healed.elapsed())
        })?;
        findings.require(
            far.longest < PATIENCE,
            format!("{name}: an answer took {:?}", far.longest),
        );
        findings.require(
            healed < BOUND,
            format!("{name}: it took {healed:?} to heal"),
        );
        // The writers' lock may be with a transaction that is heard of no more, until the server ends that.
        let others = Asked::others(&near.checks, 200);
        findings.require(
            others == 0,
            format!("{name}: {others} session checks failed at a node that was not concerned"),
        );
        findings.check_nodes(&cluster, &history)?;
        findings.figure(format!(
            "{name}: {} of {} session checks 503 there, the longest answer after {} ms; at another node all 200, and {} of {} sign-ins 503, the longest after {} ms; healed in {} ms; {} acknowledged changes",
            far.checks.len() - Asked::others(&far.checks, 503),
            far.checks.len(),
            far.longest.as_millis(),
            Asked::others(&near.sign_ins, 303),
            near.sign_ins.len(),
            near.longest.as_millis(),
            healed.as_millis(),
            history.acknowledged()
        ));
    }
    Ok(findings)
}
