use std::fs;
use std::time::{Duration, Instant};

use xtask::run::{Stop, failed};

use super::testbed::Testbed;
use super::{Fault, Findings, schema};

pub const FAULT: Fault = Fault {
    id: "B14",
    what: "an upgrade of a filled database from each earlier schema",
    run,
};

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let sizes: &[u64] = if testbed.quick {
        &[1_000]
    } else {
        &[1_000, 1_000_000]
    };
    let versions = schema::versions()?;
    let (newest, earlier) = versions.split_last().expect("there is a migration");
    for version in earlier {
        for sessions in sizes {
            let took = upgrade(testbed, *version, *sessions, *newest, &mut findings)?;
            findings.figure(format!(
                "from {version} with {sessions} sessions: {} ms",
                took.as_millis()
            ));
        }
    }
    findings.control(
        a_lost_row_is_found(testbed, earlier[0])?,
        "a row lost on the way",
    );
    Ok(findings)
}

/// What `vestibule db migrate` takes, which copies the database first.
fn upgrade(
    testbed: &Testbed,
    version: i64,
    sessions: u64,
    newest: i64,
    findings: &mut Findings,
) -> Result<Duration, Stop> {
    let instance = testbed.empty_instance(&format!("upgrade-{version}-{sessions}"))?;
    schema::make_old(&instance.database, version, sessions)?;
    let old = instance.path("old.db");
    fs::copy(&instance.database, &old).map_err(failed("a copy"))?;
    testbed.hand_over(&instance.data())?;
    let began = Instant::now();
    instance.cli(&["db", "migrate"])?.success()?;
    let took = began.elapsed();
    let (versions, violations) = schema::compare(&instance.database, &old)?;
    findings.require(
        versions.last() == Some(&newest),
        format!("its schema is {versions:?}"),
    );
    findings.violations.extend(violations);
    fs::remove_dir_all(&instance.folder).map_err(failed("a folder"))?;
    Ok(took)
}

fn a_lost_row_is_found(testbed: &Testbed, version: i64) -> Result<bool, Stop> {
    let instance = testbed.empty_instance("lost-row")?;
    schema::make_old(&instance.database, version, 10)?;
    let old = instance.path("old.db");
    fs::copy(&instance.database, &old).map_err(failed("a copy"))?;
    instance.execute("DELETE FROM sessions WHERE id = (SELECT min(id) FROM sessions)")?;
    let (_, violations) = schema::compare(&instance.database, &old)?;
    Ok(!violations.is_empty())
}
