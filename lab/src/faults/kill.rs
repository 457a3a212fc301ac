use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use xtask::run::Stop;

use super::testbed::{Testbed, bar};
use super::{Fault, Findings, workload};
use crate::statistics::quantile;

pub const FAULT: Fault = Fault {
    id: "B1",
    what: "kill -9 while people sign in and out, revoke, disable, guess and change a password",
    run,
};

/// Machines that are killed at the same time, where there are many rounds.
const AT_ONCE: u64 = 4;

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let at_once = testbed.rounds(1, AT_ONCE);
    let rounds = testbed.rounds(25, 1_000);
    let bar = bar(rounds);
    let killed = thread::scope(|scope| {
        let bar = &bar;
        let instances = (0..at_once)
            .map(|number| scope.spawn(move || kill(testbed, number, rounds / at_once, bar)));
        let instances: Vec<_> = instances.collect();
        let killed = instances
            .into_iter()
            .map(|instance| instance.join().expect("an instance"));
        killed.collect::<Result<Vec<_>, Stop>>()
    })?;
    bar.finish_and_clear();
    let mut findings = Findings::default();
    let acknowledged: usize = killed.iter().map(|killed| killed.acknowledged).sum();
    let ready: Vec<_> = killed
        .iter()
        .flat_map(|killed| killed.ready.clone())
        .collect();
    findings.violations = killed
        .into_iter()
        .flat_map(|killed| killed.violations)
        .collect();
    findings.require(
        acknowledged > 0,
        "nothing was acknowledged: nothing was tried",
    );
    findings.figure(format!(
        "{rounds} rounds, {acknowledged} acknowledged changes, {} violations",
        findings.violations.len()
    ));
    findings.figure(format!(
        "start to ready {} ms, {} at most",
        quantile(&ready, 0.5).as_millis(),
        quantile(&ready, 1.0).as_millis()
    ));
    findings.control(
        a_lost_session_is_found(testbed)?,
        "a session lost on purpose",
    );
    Ok(findings)
}

#[derive(Default)]
struct Killed {
    acknowledged: usize,
    ready: Vec<Duration>,
    violations: Vec<String>,
}

/// Kills one instance again and again.
fn kill(testbed: &Testbed, number: u64, rounds: u64, bar: &ProgressBar) -> Result<Killed, Stop> {
    let instance = testbed.instance(&format!("kill-{number}"))?;
    let mut moments = StdRng::seed_from_u64(number);
    let (mut killed, mut findings) = (Killed::default(), Findings::default());
    let mut server = instance.start()?;
    for round in 0..rounds {
        let moment = Duration::from_millis(moments.random_range(50..=3_000));
        let seed = number * rounds + round;
        let (history, ()) = workload::run(&instance, workload::ALL, seed, || {
            thread::sleep(moment);
            server.kill()
        })?;
        server = instance.start()?;
        killed.ready.push(server.ready_after);
        killed.acknowledged += history.acknowledged();
        findings.check(&instance, &history)?;
        bar.inc(1);
    }
    killed.violations = findings.violations;
    server.kill().map(|()| killed)
}

/// The control: a session whose row is taken away behind the server's back.
fn a_lost_session_is_found(testbed: &Testbed) -> Result<bool, Stop> {
    let instance = testbed.instance("kill-control")?;
    let server = instance.start()?;
    let (history, ()) = workload::run(&instance, 0..2, 0, || {
        thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    instance.execute(
        "DELETE FROM sessions WHERE id = (SELECT max(id) FROM sessions WHERE ended_at IS NULL)",
    )?;
    let found = Findings::default().check(&instance, &history)? > 0;
    server.kill()?;
    Ok(found)
}
