use std::fs;
use std::time::{Duration, Instant};

use super::lab::Lab;
use super::{Fault, Findings, schema};
use crate::bench::failed;
use crate::run::Stop;

pub const FAULT: Fault = Fault {
    id: "B14",
    what: "an upgrade of a filled database from each earlier schema",
    run,
};

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let sizes: &[u64] = if lab.quick {
        &[1_000]
    } else {
        &[1_000, 1_000_000]
    };
    let versions = schema::versions()?;
    let (newest, earlier) = versions.split_last().expect("there is a migration");
    for version in earlier {
        for sessions in sizes {
            let took = upgrade(lab, *version, *sessions, *newest, &mut findings)?;
            findings.figure(format!(
                "from {version} with {sessions} sessions: {} ms",
                took.as_millis()
            ));
        }
    }
    findings.control(
        a_lost_row_is_found(lab, earlier[0])?,
        "a row lost on the way",
    );
    Ok(findings)
}

/// What `vestibule db migrate` takes, which copies the database first.
fn upgrade(
    lab: &Lab,
    version: i64,
    sessions: u64,
    newest: i64,
    findings: &mut Findings,
) -> Result<Duration, Stop> {
    let machine = lab.empty_machine(&format!("upgrade-{version}-{sessions}"))?;
    schema::make_old(&machine.database(), version, sessions)?;
    let old = machine.path("old.db");
    fs::copy(machine.database(), &old).map_err(failed("a copy"))?;
    lab.hand_over(&machine.data())?;
    let began = Instant::now();
    machine.cli(&["db", "migrate"])?.done()?;
    let took = began.elapsed();
    let (versions, faults) = schema::compare(&machine.database(), &old)?;
    findings.require(
        versions.last() == Some(&newest),
        format!("its schema is {versions:?}"),
    );
    findings.violations.extend(faults);
    fs::remove_dir_all(&machine.folder).map_err(failed("a folder"))?;
    Ok(took)
}

fn a_lost_row_is_found(lab: &Lab, version: i64) -> Result<bool, Stop> {
    let machine = lab.empty_machine("lost-row")?;
    schema::make_old(&machine.database(), version, 10)?;
    let old = machine.path("old.db");
    fs::copy(machine.database(), &old).map_err(failed("a copy"))?;
    machine.execute("DELETE FROM sessions WHERE id = (SELECT min(id) FROM sessions)")?;
    let (_, faults) = schema::compare(&machine.database(), &old)?;
    Ok(!faults.is_empty())
}
