//! The standby is promoted while the old primary lives on: the worst that a fail-over can be.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use xtask::run::{Outcome, Stop, failed};

use super::asked::{recovery, sign_in};
use super::relay::{Relay, Way};
use super::{Cluster, NAME};
use crate::driver::{Instance, Postgres, wait_for};
use crate::faults::history::{DONE, Event, History};
use crate::faults::testbed::Testbed;
use crate::faults::{Fault, Findings, workload};
use crate::library;

pub const SYNCHRONOUS: Fault = Fault {
    id: "P4",
    what: "fail-over to a synchronous standby under load; one of three nodes still reaches the old primary alone",
    run: to_a_synchronous_one,
};

pub const ASYNCHRONOUS: Fault = Fault {
    id: "P5",
    what: "fail-over to an asynchronous standby, which had not got what was acknowledged last",
    run: to_an_asynchronous_one,
};

/// From the moment on at which the new primary writes.
const BOUND: Duration = Duration::from_secs(10);

/// A cluster and the standby of its server, which is reached over a relay.
struct Pair {
    cluster: Cluster,
    standby: Postgres,
    replication: Relay,
}

impl Pair {
    fn start(testbed: &Testbed, name: &str) -> Result<Self, Stop> {
        let cluster = Cluster::start(testbed, name, 3)?;
        let replication = Relay::start(&cluster.postgres.folder)?;
        let folder = testbed.folder(&format!("{name}-standby"))?;
        let address = format!("host=127.0.0.1 port={}", replication.port);
        let mut standby = cluster.postgres.standby(&folder, &address)?;
        standby.start()?;
        let pair = Self {
            cluster,
            standby,
            replication,
        };
        pair.wait_for_state("streaming")?;
        Ok(pair)
    }

    fn wait_for_state(&self, state: &str) -> Outcome {
        let query = format!(
            "DO $$ BEGIN ASSERT EXISTS (SELECT FROM pg_stat_replication WHERE '{state}' IN (state, sync_state)); END $$"
        );
        let mut asking = self.cluster.postgres.ask(NAME).map_err(failed(state))?;
        wait_for(state, || asking.execute(query.clone()).ok())
    }

    fn make_synchronous(&self) -> Outcome {
        let set = "ALTER SYSTEM SET synchronous_standby_names = 'standby'";
        self.cluster.postgres.execute(NAME, set)?;
        let reload = "SELECT pg_reload_conf()";
        self.cluster.postgres.execute(NAME, reload)?;
        self.wait_for_state("sync")
    }

    fn promote(&self) -> Outcome {
        self.standby.execute(NAME, "SELECT pg_promote()")
    }

    /// The new primary alone, with all nodes.
    fn after(mut self) -> Result<Cluster, Stop> {
        self.cluster.postgres.stop(Signal::QUIT)?;
        for node in &self.cluster.nodes {
            node.relay.lead_to(&self.standby.folder);
        }
        self.cluster.postgres = self.standby;
        Ok(self.cluster)
    }
}

/// Clients at the two nodes that follow, and at the one that does not.
const FOLLOWING: std::ops::Range<usize> = 0..12;
const LEFT: std::ops::Range<usize> = 12..18;

fn to_a_synchronous_one(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let mut pair = Pair::start(testbed, "synchronous")?;
    pair.make_synchronous()?;
    let status = pair.cluster.instances()[0].cli(&["db", "status"])?;
    findings.require(
        status
            .success()?
            .out
            .contains("nothing that was acknowledged"),
        "db status does not say what the standby is",
    );
    let instances = pair.cluster.instances();
    let (following, left) = instances.split_at(2);
    let split = Duration::from_secs(testbed.rounds(1, 30));
    let (one, (other, seen)) = workload::run_at(following, FOLLOWING, 1, || {
        workload::run_at(left, LEFT, 2, || {
            fail_over(&mut pair, following, &left[0], split)
        })
    })?;
    let acknowledged = one.acknowledged() + other.acknowledged();
    let late = acknowledged_since(&other, seen.promoted_at);
    findings.require(
        late == 0,
        format!("the old primary's node has acknowledged {late} changes since the promotion"),
    );
    findings.require(
        seen.recovery < BOUND,
        format!("nobody could sign in for {:?}", seen.recovery),
    );
    let cluster = pair.after()?;
    recovery(&cluster.instances())?;
    let history = History([one.0, other.0].concat());
    findings.check_nodes(&cluster, &history)?;
    findings.require(acknowledged > 0, "nothing was acknowledged");
    findings.figure(format!(
        "{acknowledged} acknowledged changes, {} lost; a sign-in {} ms after the promotion",
        findings.violations.len(),
        seen.recovery.as_millis()
    ));
    seen.report(&mut findings, split);
    Ok(findings)
}

/// What was seen of the node that still reached the old primary alone.
struct Seen {
    /// In Unix microseconds.
    promoted_at: i64,
    recovery: Duration,
    /// How often it let a session pass that had ended elsewhere, and of how many checks.
    passed: usize,
    asked: usize,
    last_passed: Duration,
}

impl Seen {
    fn report(&self, findings: &mut Findings, split: Duration) {
        findings.require(
            self.passed == 0,
            format!(
                "the old primary's node let sessions pass that had ended at the new one: {} of {} checks, the last {} ms after \
                 the promotion",
                self.passed,
                self.asked,
                self.last_passed.as_millis()
            ),
        );
        findings.figure(format!(
            "in {} s the node that still reaches the old primary was asked {} times, and let no session pass that had ended",
            split.as_secs(),
            self.asked
        ));
    }
}

fn fail_over(
    pair: &mut Pair,
    following: &[Instance],
    left: &Instance,
    split: Duration,
) -> Result<Seen, Stop> {
    thread::sleep(Duration::from_secs(1));
    let session = sign_in(&following[0])?;
    let promoted = Instant::now();
    pair.promote()?;
    let promoted_at = library::now().unix_micros();
    for node in &pair.cluster.nodes[..2] {
        node.relay.lead_to(&pair.standby.folder);
    }
    recovery(following)?;
    let mut seen = Seen {
        promoted_at,
        recovery: promoted.elapsed(),
        passed: 0,
        asked: 0,
        last_passed: Duration::ZERO,
    };
    let ended = wait_for("a sign-out", || sign_out(&following[0], &session))?;
    while ended.elapsed() < split {
        let answer = left
            .client()
            .and_then(|mut client| client.session(&session));
        seen.asked += 1;
        if answer.is_ok_and(|status| status == 200) {
            seen.passed += 1;
            seen.last_passed = ended.elapsed();
        }
        thread::sleep(Duration::from_millis(10));
    }
    // Whoever waits for it is told that it is gone.
    pair.cluster.postgres.stop(Signal::QUIT)?;
    Ok(seen)
}

/// When it was acknowledged.
fn sign_out(instance: &Instance, session: &str) -> Option<Instant> {
    let mut client = instance.client().ok()?;
    let answer = client.with_cookie(session).post("/logout", "").ok()?;
    (answer.status == DONE).then(Instant::now)
}

/// Changes that were asked for after this time and answered with a yes.
fn acknowledged_since(history: &History, since: i64) -> usize {
    let pairs = history.0.iter().flat_map(|lines| lines.windows(2));
    let late = pairs.filter(|pair| {
        matches!(
            pair,
            [Event::Invoke { at, .. }, Event::Answer { status: DONE, .. }] if *at > since
        )
    });
    late.count()
}

fn to_an_asynchronous_one(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let mut pair = Pair::start(testbed, "asynchronous")?;
    let instances = pair.cluster.instances();
    let told = instances[0].cli(&["db", "status"])?.success()?.out;
    findings.require(
        told.contains("what was acknowledged last"),
        format!("db status does not say what a fail-over loses: {told}"),
    );
    let (history, recovery) = workload::run_at(&instances, FOLLOWING, 1, || {
        thread::sleep(Duration::from_secs(1));
        pair.replication.set(Way::Held);
        thread::sleep(Duration::from_secs(1));
        pair.cluster.postgres.kill()?;
        pair.promote()?;
        let promoted = Instant::now();
        for node in &pair.cluster.nodes {
            node.relay.lead_to(&pair.standby.folder);
        }
        recovery(&instances)?;
        Ok(promoted.elapsed())
    })?;
    let cluster = pair.after()?;
    let mut lost = Findings::default();
    lost.check_nodes(&cluster, &history)?;
    // A loss of the last moments is all: nothing is half, damaged, or opened by what was never issued.
    let is_loss = |violation: &String| ["I1", "I2", "I4"].contains(&&violation[..2]);
    let (loss, more): (Vec<_>, Vec<_>) = lost.violations.into_iter().partition(is_loss);
    findings.violations.extend(more);
    findings.control(!loss.is_empty(), "what an asynchronous standby loses");
    findings.figure(format!(
        "{} acknowledged changes, {} answers of three nodes deny one of the last second; db status had said so; a sign-in at each node {} ms after the promotion",
        history.acknowledged(),
        loss.len(),
        recovery.as_millis()
    ));
    Ok(findings)
}
