use std::thread;
use std::time::{Duration, Instant};

use xtask::run::{Stop, failed};

use super::asked::{Asked, recovery, sign_in};
use super::{Cluster, NAME, WINDOW};
use crate::driver::Postgres;
use crate::driver::postgres::Asking;
use crate::faults::testbed::Testbed;
use crate::faults::{Fault, Findings, workload};

pub const FAULT: Fault = Fault {
    id: "P6",
    what: "PostgreSQL has no connection left: another program has taken all, and the nodes' are ended",
    run,
};

/// From the moment on at which connections are free.
const BOUND: Duration = Duration::from_secs(5);

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(3);

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let cluster = Cluster::start(testbed, "crowded", 2)?;
    let instances = cluster.instances();
    let crowded = Duration::from_secs(testbed.rounds(1, 30));
    let mut asked = Asked::default();
    let (history, (taken, recovery)) = workload::run_at(&instances, 0..4, 1, || {
        let session = sign_in(&instances[0])?;
        thread::sleep(Duration::from_secs(1));
        let crowd = take_all(&cluster.postgres)?;
        thread::sleep(WINDOW);
        asked.during(crowded, &instances[0], &session)?;
        let taken = crowd.len();
        drop(crowd);
        Ok((taken, recovery(&instances)?))
    })?;
    let let_in = asked.sign_ins.len() - Asked::others(&asked.sign_ins, 303);
    findings.require(let_in == 0, format!("{let_in} sign-ins were taken"));
    let others = Asked::others(&asked.checks, 503);
    findings.require(
        others == 0,
        format!("session checks were answered {:?}", asked.checks),
    );
    asked.require_in_time(&mut findings, PATIENCE, (recovery, BOUND));
    findings.require(history.acknowledged() > 0, "nothing was acknowledged");
    findings.check_nodes(&cluster, &history)?;
    findings.figure(format!(
        "{taken} connections taken for {} s: {} session checks and {} sign-ins refused, the longest after {} ms; a sign-in at each node {} ms after they are free; {} acknowledged changes",
        crowded.as_secs(),
        asked.checks.len(),
        asked.sign_ins.len(),
        asked.longest.as_millis(),
        recovery.as_millis(),
        history.acknowledged()
    ));
    Ok(findings)
}

const END_NODES: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vestibule'";
const NODES: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vestibule'";

/// Takes what is free, and what the nodes leave when theirs are ended, until they have none.
fn take_all(postgres: &Postgres) -> Result<Vec<Asking>, Stop> {
    let mut admin = postgres.ask(NAME).map_err(failed("PostgreSQL"))?;
    // Meanwhile the nodes get none, or they would be as quick.
    admin
        .execute("CREATE ROLE crowd LOGIN; ALTER ROLE vestibule CONNECTION LIMIT 0")
        .map_err(failed("a role"))?;
    let mut taken = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        let before = taken.len();
        taken.extend(std::iter::from_fn(|| postgres.ask_as("crowd").ok()));
        let nodes = admin.number(NODES).map_err(failed("PostgreSQL"))?;
        if nodes == 0 && taken.len() == before {
            let open = admin.execute("ALTER ROLE vestibule CONNECTION LIMIT -1");
            open.map_err(failed("a role"))?;
            // Its place is one of those that are taken.
            taken.push(admin);
            return Ok(taken);
        }
        admin.execute(END_NODES).map_err(failed("PostgreSQL"))?;
        // What they had is free a moment later.
        thread::sleep(WINDOW);
    }
    Err(Stop::because("the nodes keep their connections"))
}
