use std::fs;
use std::thread;
use std::time::Duration;

use xtask::run::{Stop, failed};

use super::testbed::Testbed;
use super::{Fault, Findings, strace, workload};
use crate::driver::PASSWORD;

pub const FAULT: Fault = Fault {
    id: "B16",
    what: "strace: an fsync fails with EIO under load",
    run,
};

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let (mut ended, mut read_only) = (0, 0);
    let rounds = testbed.rounds(2, 10);
    for round in 0..rounds {
        let instance = testbed.instance(&format!("io-error-{round}"))?;
        let trace = instance.path("trace");
        let injected = format!("fsync:error=EIO:when={}", 8 + 3 * round);
        let mut server = instance
            .clone()
            .under(strace::injects(&injected, &trace))
            .start()?;
        let (history, status) = workload::run(&instance, 0..8, round, || {
            thread::sleep(Duration::from_secs(2));
            Ok(server.has_ended())
        })?;
        let trace = fs::read_to_string(&trace).map_err(failed("the trace"))?;
        findings.require(
            trace.contains("(INJECTED)"),
            "no fsync failed: nothing was tried",
        );
        match status {
            Some(status) => {
                ended += 1;
                findings.require(!status.success(), "the process ended as if all were well");
            }
            None => {
                read_only += 1;
                let mut client = instance.client().map_err(failed("no connection"))?;
                let answer = client
                    .sign_in("user-09", PASSWORD)
                    .map_err(failed("POST /login"))?
                    .status;
                findings.require(
                    answer == 503,
                    format!("after a failed fsync a sign-in is answered {answer}"),
                );
            }
        }
        drop(server);
        let server = instance.start()?;
        findings.check(&instance, &history)?;
        server.kill()?;
    }
    findings.figure(format!(
        "{rounds} rounds: the process ended in {ended}, wrote no more in {read_only}; {} violations",
        findings.violations.len()
    ));
    Ok(findings)
}
