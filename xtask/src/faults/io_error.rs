use std::fs;
use std::thread;
use std::time::Duration;

use super::judge::Witness;
use super::lab::Lab;
use super::machine::PASSWORD;
use super::{Fault, Findings, strace, traffic};
use crate::bench::failed;
use crate::run::Stop;

pub const FAULT: Fault = Fault {
    id: "B16",
    what: "strace: an fsync fails with EIO under load",
    run,
};

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let (mut ended, mut read_only) = (0, 0);
    let rounds = lab.rounds(2, 10);
    for round in 0..rounds {
        let machine = lab.machine(&format!("io-error-{round}"))?;
        let trace = machine.path("trace");
        let injected = format!("fsync:error=EIO:when={}", 8 + 3 * round);
        let mut server = machine
            .clone()
            .under(strace::injects(&injected, &trace))
            .start()?;
        let (ledger, status) = traffic::run(&machine, 0..8, round, || {
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
                let mut client = machine.client().map_err(failed("no connection"))?;
                let answer = client
                    .sign_in("user-09", PASSWORD)
                    .map_err(failed("POST /login"))?;
                findings.require(
                    answer == 503,
                    format!("after a failed fsync a sign-in is answered {answer}"),
                );
            }
        }
        drop(server);
        let server = machine.start()?;
        findings.judge(&machine, &ledger)?;
        server.kill()?;
    }
    findings.figure(format!(
        "{rounds} rounds: the process ended in {ended}, wrote no more in {read_only}; {} violations",
        findings.violations.len()
    ));
    Ok(findings)
}
