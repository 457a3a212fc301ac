use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::lab::{Lab, bar};
use super::machine::Machine;
use super::{Fault, Findings, traffic};
use crate::run::Stop;

pub const FAULT: Fault = Fault {
    id: "B1",
    what: "kill -9 while people sign in and out, revoke, bar, guess and change a password",
    run,
};

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let machine = lab.machine("kill")?;
    let mut moments = StdRng::seed_from_u64(1);
    let (mut acknowledged, mut ready) = (0, Vec::new());
    let rounds = lab.rounds(25, 1_000);
    let bar = bar(rounds);
    let mut server = machine.start()?;
    for round in 0..rounds {
        let moment = Duration::from_millis(moments.random_range(50..=3_000));
        let (ledger, ()) = traffic::run(&machine, traffic::ALL, round, || {
            thread::sleep(moment);
            server.kill()
        })?;
        server = machine.start()?;
        ready.push(server.ready_after);
        acknowledged += ledger.acknowledged();
        findings.judge(&machine, &ledger)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    server.kill()?;
    findings.control(
        a_lost_session_is_found(&machine)?,
        "a session lost on purpose",
    );
    ready.sort();
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
    Ok(findings)
}

/// The control: a session whose row is taken away behind the server's back.
fn a_lost_session_is_found(machine: &Machine) -> Result<bool, Stop> {
    let server = machine.start()?;
    let (ledger, ()) = traffic::run(machine, 0..2, 0, || {
        thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    let newest =
        "DELETE FROM sessions WHERE id = (SELECT max(id) FROM sessions WHERE ended_at IS NULL)";
    machine.execute(newest)?;
    let mut blank = Findings::default();
    let found = blank.judge(machine, &ledger)? > 0;
    server.kill()?;
    Ok(found)
}
