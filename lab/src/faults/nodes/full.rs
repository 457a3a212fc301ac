use std::thread;
use std::time::Duration;

use xtask::run::Stop;

use super::asked::{Asked, recovery, sign_in};
use super::{Cluster, Node};
use crate::driver::postgres::NAME;
use crate::faults::disk::Disk;
use crate::faults::testbed::Testbed;
use crate::faults::{Fault, Findings, workload};

pub const FAULT: Fault = Fault {
    id: "P7",
    what: "PostgreSQL's disk fills up under load and is freed",
    run,
};

/// From the moment on at which there is room, and the server runs.
const BOUND: Duration = Duration::from_secs(5);

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(3);

const MEBIBYTES: u64 = 160;

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let folder = testbed.folder("full")?;
    let disk = match Disk::mount_at(testbed, &folder, MEBIBYTES) {
        Ok(disk) => disk,
        Err(because) => return Ok(Findings::not_run(because)),
    };
    let mut cluster = Cluster {
        postgres: testbed.postgres_in(&folder)?,
        nodes: Vec::new(),
    };
    for number in 1..=2 {
        let node = Node::start(testbed, &cluster.postgres, NAME, &format!("full-{number}"))?;
        cluster.nodes.push(node);
    }
    let instances = cluster.instances();
    let full = Duration::from_secs(testbed.rounds(2, 30));
    let mut asked = Asked::default();
    let (history, (ended, recovery)) = workload::run_at(&instances, 0..16, 1, || {
        let session = sign_in(&instances[0])?;
        thread::sleep(Duration::from_millis(500));
        disk.fill()?;
        asked.during(full, &instances[0], &session)?;
        disk.free()?;
        // Where its log cannot grow, the server ends.
        let ended = !cluster.postgres.is_running();
        if ended {
            cluster.postgres.start()?;
        }
        Ok((ended, recovery(&instances)?))
    })?;
    let odd = asked
        .checks
        .iter()
        .filter(|status| ![200, 503].contains(status));
    let odd = odd.count();
    findings.require(
        odd == 0,
        format!("{odd} session checks were answered oddly"),
    );
    let refused = asked.sign_ins.len() - Asked::others(&asked.sign_ins, 503);
    findings.require(
        refused + history.answered(503) > 0,
        "nothing was refused: the disk was not full",
    );
    asked.require_in_time(&mut findings, PATIENCE, (recovery, BOUND));
    findings.check_nodes(&cluster, &history)?;
    findings.figure(format!(
        "full for {} s: {} refusals, {} of {} session checks 200, {}; a sign-in at each node {} ms after there is room; {} acknowledged changes",
        full.as_secs(),
        refused + history.answered(503),
        asked.checks.len() - Asked::others(&asked.checks, 200),
        asked.checks.len(),
        if ended { "the server ended and was started again" } else { "the server went on" },
        recovery.as_millis(),
        history.acknowledged()
    ));
    Ok(findings)
}
