use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::lab::{Lab, bar};
use super::{Fault, Findings, traffic};
use crate::run::Stop;

pub const FAULT: Fault = Fault {
    id: "B1",
    what: "kill -9 while people sign in and out, revoke, bar, guess and change a password",
    run,
};

/// Machines that are killed at the same time, where there are many rounds.
const AT_ONCE: u64 = 4;

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let at_once = lab.rounds(1, AT_ONCE);
    let rounds = lab.rounds(25, 1_000);
    let bar = bar(rounds);
    let killed = thread::scope(|scope| {
        let bar = &bar;
        let machines = (0..at_once)
            .map(|number| scope.spawn(move || kill(lab, number, rounds / at_once, bar)));
        let machines: Vec<_> = machines.collect();
        let killed = machines
            .into_iter()
            .map(|machine| machine.join().expect("a machine"));
        killed.collect::<Result<Vec<_>, Stop>>()
    })?;
    bar.finish_and_clear();
    let mut findings = Findings::default();
    let acknowledged: usize = killed.iter().map(|killed| killed.acknowledged).sum();
    let mut ready: Vec<_> = killed
        .iter()
        .flat_map(|killed| killed.ready.clone())
        .collect();
    ready.sort();
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
        ready[ready.len() / 2].as_millis(),
        ready[ready.len() - 1].as_millis()
    ));
    findings.control(a_lost_session_is_found(lab)?, "a session lost on purpose");
    Ok(findings)
}

#[derive(Default)]
struct Killed {
    acknowledged: usize,
    ready: Vec<Duration>,
    violations: Vec<String>,
}

/// Kills one machine again and again.
fn kill(lab: &Lab, number: u64, rounds: u64, bar: &ProgressBar) -> Result<Killed, Stop> {
    let machine = lab.machine(&format!("kill-{number}"))?;
    let mut moments = StdRng::seed_from_u64(number);
    let (mut killed, mut findings) = (Killed::default(), Findings::default());
    let mut server = machine.start()?;
    for round in 0..rounds {
        let moment = Duration::from_millis(moments.random_range(50..=3_000));
        let seed = number * rounds + round;
        let (ledger, ()) = traffic::run(&machine, traffic::ALL, seed, || {
            thread::sleep(moment);
            server.kill()
        })?;
        server = machine.start()?;
        killed.ready.push(server.ready_after);
        killed.acknowledged += ledger.acknowledged();
        findings.judge(&machine, &ledger)?;
        bar.inc(1);
    }
    killed.violations = findings.violations;
    server.kill().map(|()| killed)
}

/// The control: a session whose row is taken away behind the server's back.
fn a_lost_session_is_found(lab: &Lab) -> Result<bool, Stop> {
    let machine = lab.machine("kill-control")?;
    let server = machine.start()?;
    let (ledger, ()) = traffic::run(&machine, 0..2, 0, || {
        thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    machine.execute(
        "DELETE FROM sessions WHERE id = (SELECT max(id) FROM sessions WHERE ended_at IS NULL)",
    )?;
    let found = Findings::default().judge(&machine, &ledger)? > 0;
    server.kill()?;
    Ok(found)
}
