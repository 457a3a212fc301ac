use super::lab::Lab;
use super::{Fault, Findings};
use crate::run::Stop;

pub const FAULT: Fault = Fault {
    id: "B18",
    what: "a second server on the same database",
    run,
};

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let machine = lab.machine("two-servers")?;
    let second = machine.clone().set("ROCKET_PORT", "0");
    let mut server = machine.start()?;
    let refused = second.spawn()?.ended()?;
    let words = second.log();
    findings.require(!refused.success(), "the second server started");
    findings.require(
        words.contains("vestibule.db.lock"),
        format!("the lock is not named: {words}"),
    );
    findings.require(
        machine.is_ready() && server.has_ended().is_none(),
        "the first server was hurt",
    );
    server.kill()?;
    let after_a_kill = machine.start();
    findings.require(
        after_a_kill.is_ok(),
        "the lock outlived the process that held it",
    );
    findings.figure(
        "the second exits with 1 and names the lock; after kill -9 of the first another starts",
    );
    Ok(findings)
}
