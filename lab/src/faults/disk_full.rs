use std::fs;
use std::thread;
use std::time::Duration;

use xtask::run::{Outcome, Stop, failed};

use super::disk::Disk;
use super::testbed::Testbed;
use super::{Fault, Findings, strace, workload};
use crate::driver::{Instance, PASSWORD, wait_for};

pub const FAULT: Fault = Fault {
    id: "B2",
    what: "a disk that fills up under load and is freed; strace: one transient ENOSPC",
    run,
};

/// What the same process may take to sign somebody in once there is space.
const BOUND: Duration = Duration::from_secs(5);

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    transient(testbed, &mut findings)?;
    let instance = testbed.empty_instance("disk-full")?;
    match Disk::mount(testbed, &instance, 16) {
        Ok(disk) => full(testbed, &instance, &disk, &mut findings)?,
        Err(why) => findings.not_run = Some(why),
    }
    Ok(findings)
}

fn full(testbed: &Testbed, instance: &Instance, disk: &Disk, findings: &mut Findings) -> Outcome {
    testbed.add_database(instance)?;
    let mut server = instance.start()?;
    let (history, recovery) = workload::run(instance, 0..8, 2, || {
        thread::sleep(Duration::from_secs(1));
        let session = instance.sign_in("user-09")?;
        disk.fill()?;
        let mut client = instance.client().map_err(failed("no connection"))?;
        wait_for("a sign-in that is refused", || {
            let answer = client.without_cookie().sign_in("user-09", PASSWORD);
            (answer.ok()?.status == 503).then_some(())
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
        instance.recovery("user-09")
    })?;
    findings.require(server.has_ended().is_none(), "the process ended");
    findings.require(
        recovery < BOUND,
        format!("the first good sign-in took {recovery:?}"),
    );
    findings.require(
        history.answered(503) > 0,
        "nothing was refused: nothing was tried",
    );
    findings.check(instance, &history)?;
    server.kill()?;
    let server = instance.start()?;
    findings.check(instance, &history)?;
    findings.figure(format!(
        "{} refusals, {:.1} s from free space to the first good sign-in",
        history.answered(503),
        recovery.as_secs_f64()
    ));
    server.kill()
}

fn transient(testbed: &Testbed, findings: &mut Findings) -> Outcome {
    let instance = testbed.instance("transient-enospc")?;
    let trace = instance.path("trace");
    let injected = "pwrite64:error=ENOSPC:when=124..126";
    let mut server = instance
        .clone()
        .under(strace::injects(injected, &trace))
        .start()?;
    let (history, recovery) = workload::run(&instance, 0..8, 2, || {
        let seen = || {
            fs::read_to_string(&trace)
                .ok()
                .filter(|trace| trace.contains("(INJECTED)"))
        };
        wait_for("an injected error", seen)?;
        instance.recovery("user-09")
    })?;
    findings.require(
        server.has_ended().is_none(),
        "after a transient ENOSPC the process ended",
    );
    findings.require(
        recovery < BOUND,
        format!("after a transient ENOSPC the first good sign-in took {recovery:?}"),
    );
    findings.check(&instance, &history)?;
    findings.figure(format!(
        "after a transient ENOSPC {:.1} s",
        recovery.as_secs_f64()
    ));
    server.kill()
}
