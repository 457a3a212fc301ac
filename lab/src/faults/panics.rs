use xtask::run::{Stop, cargo, output};

use super::testbed::Testbed;
use super::{Fault, Findings};

pub const FAULT: Fault = Fault {
    id: "B17",
    what: "a handler that panics inside a transaction, 100 times",
    run,
};

const TEST: &str = "panics::cfg_08_panics_within_transactions_are_answered_and_undone";

/// No route of the release binary panics, and none is put into it for this: the library is run with one.
fn run(_: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let mut test = cargo();
    test.args([
        "test",
        "--workspace",
        "--quiet",
        "--test",
        "suite",
        "--",
        "--exact",
        TEST,
    ]);
    let passed = output(&mut test).is_some_and(|out| out.contains("1 passed"));
    findings.require(passed, format!("{TEST} failed"));
    findings.figure("100 panics are answered with 500 and undone; the next sign-in works (a test of the library, not the release binary)");
    Ok(findings)
}
