use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use xtask::run::{Outcome, Stop};

use super::asked::{Asked, recovery, sign_in};
use super::{Cluster, WINDOW};
use crate::driver::{Postgres, wait_for};
use crate::faults::history::History;
use crate::faults::testbed::Testbed;
use crate::faults::{Fault, Findings, workload};

pub const KILLED: Fault = Fault {
    id: "P2",
    what: "kill -9 of all of PostgreSQL under load, and its restart",
    run: |testbed| {
        let (mut findings, cluster) = run(testbed, "killed", Postgres::kill)?;
        findings.control(
            a_lost_session_is_found(&cluster)?,
            "a session lost on purpose",
        );
        Ok(findings)
    },
};

pub const RESTARTED: Fault = Fault {
    id: "P3",
    what: "an orderly restart of PostgreSQL under load",
    run: |testbed| {
        let (mut findings, mut cluster) = run(testbed, "restarted", stop)?;
        let ready = ready_unasked(&mut cluster)?;
        findings.require(
            ready < UNASKED,
            format!("nodes that nobody asked were not ready for {ready:?}"),
        );
        findings.figure(format!(
            "nodes that are asked nothing else are ready {} ms after it answers",
            ready.as_millis()
        ));
        Ok(findings)
    },
};

/// From the moment on at which the server answers.
const BOUND: Duration = Duration::from_secs(5);

/// Where no session check tells of it, what is asked now and then does.
const UNASKED: Duration = Duration::from_secs(10);

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(3);

fn stop(postgres: &mut Postgres) -> Outcome {
    postgres.stop(Signal::INT)
}

fn run(
    testbed: &Testbed,
    name: &str,
    end: fn(&mut Postgres) -> Outcome,
) -> Result<(Findings, Cluster), Stop> {
    let mut findings = Findings::default();
    let mut cluster = Cluster::start(testbed, name, 3)?;
    let instances = cluster.instances();
    let times: &[u64] = if testbed.quick { &[1] } else { &[1, 5, 30] };
    for seconds in times {
        let gone = Duration::from_secs(*seconds);
        let mut asked = Asked::default();
        let (history, recovery) = workload::run_at(&instances, 0..16, *seconds, || {
            let session = sign_in(&instances[0])?;
            thread::sleep(Duration::from_secs(1));
            end(&mut cluster.postgres)?;
            let ended = Instant::now();
            thread::sleep(WINDOW);
            asked.during(
                gone.saturating_sub(ended.elapsed()),
                &instances[0],
                &session,
            )?;
            cluster.postgres.start()?;
            recovery(&instances)
        })?;
        let others = Asked::others(&asked.checks, 503) + Asked::others(&asked.sign_ins, 503);
        findings.require(
            others == 0,
            format!("without a database {others} requests were not answered 503"),
        );
        asked.require_in_time(&mut findings, PATIENCE, (recovery, BOUND));
        findings.require(history.acknowledged() > 0, "nothing was acknowledged");
        findings.check_nodes(&cluster, &history)?;
        findings.figure(figure(gone, &history, &asked, recovery));
    }
    Ok((findings, cluster))
}

fn figure(gone: Duration, history: &History, asked: &Asked, recovery: Duration) -> String {
    format!(
        "gone for {} s: {} acknowledged changes, {} refusals, the longest after {} ms; a sign-in at each node {} ms after it answers",
        gone.as_secs(),
        history.acknowledged(),
        history.answered(503) + asked.checks.len() + asked.sign_ins.len(),
        asked.longest.as_millis(),
        recovery.as_millis()
    )
}

/// How long it takes until each node is ready where no session check tells it of the new server.
fn ready_unasked(cluster: &mut Cluster) -> Result<Duration, Stop> {
    stop(&mut cluster.postgres)?;
    cluster.postgres.start()?;
    let began = Instant::now();
    let mut unready = cluster.instances();
    wait_for("all nodes to be ready", || {
        unready.retain(|instance| !instance.is_ready());
        unready.is_empty().then_some(())
    })?;
    Ok(began.elapsed())
}

fn a_lost_session_is_found(cluster: &Cluster) -> Result<bool, Stop> {
    let instances = cluster.instances();
    let (history, ()) = workload::run_at(&instances, 0..2, 0, || {
        thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    let lose = "DELETE FROM sessions WHERE id = (SELECT id FROM sessions WHERE ended_at IS NULL ORDER BY id DESC LIMIT 1)";
    cluster.postgres.execute(super::NAME, lose)?;
    // Each node asks what was changed, and learns of it.
    thread::sleep(WINDOW);
    Ok(Findings::default().check_nodes(cluster, &history)? > 0)
}
