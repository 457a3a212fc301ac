use std::fs;
use std::time::Duration;

use xtask::run::{Stop, failed};

use super::testbed::Testbed;
use super::{Fault, Findings, workload};
use crate::driver::load::{Load, Target, Wrk};
use crate::statistics::millis;

pub const FAULT: Fault = Fault {
    id: "B22",
    what: "the server and as many session checks as it answers, over 64 connections, on one core",
    run,
};

const CORE: &str = "0";

/// The first one warms up.
const SPANS: u32 = 7;

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let instance = testbed.instance("one-core")?.under(["taskset", "-c", CORE]);
    let server = instance.start()?;
    let sessions = workload::ALL.map(|user| instance.sign_in(&format!("user-{user:02}")));
    let sessions: Vec<String> = sessions.collect::<Result<_, _>>()?;
    let cookies = instance.path("cookies");
    fs::write(&cookies, sessions.join("\n") + "\n").map_err(failed("cookies"))?;
    let target = Target {
        path: "/api/session",
        headers: vec![format!("Host: {}", instance.host())],
        cookies,
    };
    let span = Duration::from_secs(testbed.rounds(2, 10));
    let wrk = Wrk::new(CORE, span);
    let spans = (0..SPANS).map(|_| wrk.measure(&instance.folder, &server, &target));
    let spans: Vec<Load> = spans.collect::<Result<_, _>>()?;
    let (first, last) = (&spans[1], &spans[spans.len() - 1]);
    let kept = last.per_second / first.per_second;
    // In two seconds, the machine's other work is more than that.
    let least = if testbed.quick { 0.5 } else { 0.95 };
    findings.require(
        kept >= least,
        format!("{:.2} of the checks that were answered at first", kept),
    );
    findings.figure(format!(
        "{:.0} checks a second in the first {span:?}, {:.0} in the last of {:?}; p99 {:.1} and {:.1} ms",
        first.per_second,
        last.per_second,
        span * (SPANS - 1),
        millis(first.p99),
        millis(last.p99),
    ));
    server.stop().map(|_| findings)
}
