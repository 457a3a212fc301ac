use std::fs;
use std::thread;
use std::time::Duration;

use super::disk::Disk;
use super::judge::Witness;
use super::lab::Lab;
use super::machine::{Machine, PASSWORD, wait_for};
use super::{Fault, Findings, strace, traffic};
use crate::bench::failed;
use crate::run::{Outcome, Stop};

pub const FAULT: Fault = Fault {
    id: "B2",
    what: "a disk that fills up under load and is freed; strace: one transient ENOSPC",
    run,
};

/// What the same process may take to sign somebody in once there is space.
const BOUND: Duration = Duration::from_secs(5);

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    transient(lab, &mut findings)?;
    let machine = lab.empty_machine("disk-full")?;
    match Disk::mount(lab, &machine, 16) {
        Ok(disk) => full(lab, &machine, &disk, &mut findings)?,
        Err(why) => findings.not_run = Some(why),
    }
    Ok(findings)
}

fn full(lab: &Lab, machine: &Machine, disk: &Disk, findings: &mut Findings) -> Outcome {
    lab.furnish(machine)?;
    let mut server = machine.start()?;
    let (ledger, recovery) = traffic::run(machine, 0..8, 2, || {
        thread::sleep(Duration::from_secs(1));
        let session = machine.sign_in("user-09")?;
        disk.fill()?;
        let mut client = machine.client().map_err(failed("no connection"))?;
        wait_for("a sign-in that is refused", || {
            let status = client.sign_in("user-09", PASSWORD);
            (status.ok()? == 503).then_some(())
        })?;
        let status = client
            .session(&session)
            .map_err(failed("GET /api/session"))?;
        findings.require(
            status == 200,
            format!("with a full disk a session check is answered {status}"),
        );
        thread::sleep(Duration::from_secs(1));
        disk.free()?;
        machine.recovery("user-09")
    })?;
    findings.require(server.has_ended().is_none(), "the process ended");
    findings.require(
        recovery < BOUND,
        format!("the first good sign-in took {recovery:?}"),
    );
    findings.require(
        ledger.answered(503) > 0,
        "nothing was refused: nothing was tried",
    );
    findings.judge(machine, &ledger)?;
    server.kill()?;
    let server = machine.start()?;
    findings.judge(machine, &ledger)?;
    findings.figure(format!(
        "{} refusals, {:.1} s from free space to the first good sign-in",
        ledger.answered(503),
        recovery.as_secs_f64()
    ));
    server.kill()
}

fn transient(lab: &Lab, findings: &mut Findings) -> Outcome {
    let machine = lab.machine("transient-enospc")?;
    let trace = machine.path("trace");
    let injected = "pwrite64:error=ENOSPC:when=124..126";
    let mut server = machine
        .clone()
        .under(strace::injects(injected, &trace))
        .start()?;
    let (ledger, recovery) = traffic::run(&machine, 0..8, 2, || {
        let seen = || {
            fs::read_to_string(&trace)
                .ok()
                .filter(|trace| trace.contains("(INJECTED)"))
        };
        wait_for("an injected error", seen)?;
        machine.recovery("user-09")
    })?;
    findings.require(
        server.has_ended().is_none(),
        "after a transient ENOSPC the process ended",
    );
    findings.require(
        recovery < BOUND,
        format!("after a transient ENOSPC the first good sign-in took {recovery:?}"),
    );
    findings.judge(&machine, &ledger)?;
    findings.figure(format!(
        "after a transient ENOSPC {:.1} s",
        recovery.as_secs_f64()
    ));
    server.kill()
}
