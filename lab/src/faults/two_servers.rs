use xtask::run::Stop;

use super::testbed::Testbed;
use super::{Fault, Findings};

pub const FAULT: Fault = Fault {
    id: "B18",
    what: "a second server on the same database",
    run,
};

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let instance = testbed.instance("two-servers")?;
    let second = instance.clone().set("ROCKET_PORT", "0");
    let mut server = instance.start()?;
    let refused = second.spawn()?.ended()?;
    let words = second.log();
    findings.require(!refused.success(), "the second server started");
    findings.require(
        words.contains("vestibule.db.lock"),
        format!("the lock is not named: {words}"),
    );
    findings.require(
        instance.is_ready() && server.has_ended().is_none(),
        "the first server was hurt",
    );
    server.kill()?;
    let after_a_kill = instance.start();
    findings.require(
        after_a_kill.is_ok(),
        "the lock outlived the process that held it",
    );
    findings.figure(
        "the second exits with 1 and names the lock; after kill -9 of the first another starts",
    );
    Ok(findings)
}
