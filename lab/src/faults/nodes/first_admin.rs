use std::sync::Barrier;
use std::thread;

use xtask::run::{Stop, failed};

use super::Node;
use crate::driver::{Instance, PASSWORD};
use crate::faults::history::DONE;
use crate::faults::testbed::Testbed;
use crate::faults::{Fault, Findings};

pub const FAULT: Fault = Fault {
    id: "P12",
    what: "two nodes make the first admin at once, by one code",
    run,
};

const DATABASE: &str = "first_admin";

/// As if nobody had been here; what has happened stays in the audit trail.
const FORGET: &str = "DELETE FROM sessions; DELETE FROM users";

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let postgres = testbed.postgres("first-admin")?;
    testbed.add_empty_database(&postgres, DATABASE)?;
    let start = |name| Node::start(testbed, &postgres, DATABASE, name);
    let nodes = [start("first-admin-1")?, start("first-admin-2")?];
    let rounds = testbed.rounds(5, 100);
    for round in 0..rounds {
        let told = nodes[0].instance.cli(&["setup", "link"])?.success()?.out;
        let code = told.split_once("code=").map(|(_, code)| code.trim());
        let code = code.ok_or_else(|| Stop::because(format!("setup link: {told}")))?;
        let code: String = code.chars().take_while(|c| !c.is_whitespace()).collect();
        let barrier = Barrier::new(2);
        let statuses = thread::scope(|scope| {
            let ask = |node: &'_ Node, name| {
                let (instance, code, barrier) = (node.instance.clone(), code.clone(), &barrier);
                scope.spawn(move || set_up(&instance, &code, name, barrier))
            };
            let both = [ask(&nodes[0], "one"), ask(&nodes[1], "two")];
            both.map(|thread| thread.join().expect("no panic"))
        });
        let [one, two] = statuses;
        let statuses = [one?, two?];
        let mut asking = postgres.ask(DATABASE).map_err(failed("PostgreSQL"))?;
        let admins = asking.number("SELECT count(*) FROM users WHERE admin");
        let admins = admins.map_err(failed("users"))?;
        findings.require(admins == 1, format!("round {round}: {admins} admins"));
        let made = statuses.iter().filter(|status| **status == DONE).count();
        findings.require(
            made == 1,
            format!("round {round}: the nodes answered {statuses:?}"),
        );
        asking.execute(FORGET).map_err(failed(FORGET))?;
    }
    findings.figure(format!(
        "{rounds} rounds, {} violations",
        findings.violations.len()
    ));
    Ok(findings)
}

fn set_up(instance: &Instance, code: &str, name: &str, barrier: &Barrier) -> Result<u16, Stop> {
    let mut client = instance.client().map_err(failed("a node"))?;
    let password = PASSWORD.replace(' ', "+");
    let form = format!("code={code}&username={name}&password={password}");
    barrier.wait();
    let answer = client
        .post("/setup", &form)
        .map_err(failed("POST /setup"))?;
    Ok(answer.status)
}
