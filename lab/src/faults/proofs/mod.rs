//! What is proven or handed out once: recovery codes, app tokens, and the codes and tokens of applications.

mod ledger;
mod person;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use xtask::run::{Outcome, Stop, failed};

use super::service::SITE;
use super::testbed::{Testbed, bar};
use super::{Fault, Findings};
use crate::driver::Instance;
use ledger::{Ledger, broken_promises};
use person::{Application, Person};

pub const FAULT: Fault = Fault {
    id: "B23",
    what: "kill -9 while people sign in with recovery codes, make and revoke app tokens, and applications exchange codes and refresh",
    run,
};

const PEOPLE: usize = 8;

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let instance = testbed.instance("proofs")?;
    instance
        .cli(&["site", "set", SITE, "--tokens", "on"])?
        .success()?;
    let application = Application::add(&instance)?;
    let mut server = instance.start()?;
    let mut people = (0..PEOPLE)
        .map(|number| Person::enrol(&instance, number))
        .collect::<Result<Vec<_>, Stop>>()?;
    let rounds = testbed.rounds(15, 300);
    let (mut findings, mut facts) = (Findings::default(), 0);
    let mut moments = StdRng::seed_from_u64(23);
    let mut last = Vec::new();
    let bar = bar(rounds);
    for _ in 0..rounds {
        let moment = Duration::from_millis(moments.random_range(300..=3_000));
        last = work(&application, &mut people, || {
            thread::sleep(moment);
            server.kill()
        })?;
        server = instance.start()?;
        for ledger in &last {
            facts += ledger.facts();
            let broken = broken_promises(ledger, &instance, &application);
            findings
                .violations
                .extend(broken.map_err(failed("the check"))?);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    findings.require(facts > 0, "nothing was acknowledged: nothing was tried");
    findings.figure(format!(
        "{rounds} rounds, {facts} acknowledged facts, {} violations",
        findings.violations.len()
    ));
    let caught = a_code_that_counts_again_is_found(&instance, &application, &last)?;
    findings.control(caught, "recovery codes that count again");
    server.kill()?;
    Ok(findings)
}

/// Has everybody use the service while `meanwhile` runs; what was promised to each.
fn work(
    application: &Application,
    people: &mut [Person],
    meanwhile: impl FnOnce() -> Outcome,
) -> Result<Vec<Ledger>, Stop> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let working: Vec<_> = people
            .iter_mut()
            .map(|person| scope.spawn(|| person.work(application, &over)))
            .collect();
        let done = meanwhile();
        over.store(true, Ordering::Relaxed);
        let ledgers = working
            .into_iter()
            .map(|person| person.join().expect("a person"));
        let ledgers = ledgers.collect();
        done.map(|()| ledgers)
    })
}

/// The control: what was used is made new behind the server's back.
fn a_code_that_counts_again_is_found(
    instance: &Instance,
    application: &Application,
    ledgers: &[Ledger],
) -> Result<bool, Stop> {
    instance.execute("UPDATE recovery_codes SET used_at = NULL")?;
    for ledger in ledgers {
        let broken = broken_promises(ledger, instance, application);
        if !broken.map_err(failed("the control"))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
