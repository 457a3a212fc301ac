use std::fs;
use std::path::Path;

use xtask::run::{Outcome, Stop, failed};

use super::testbed::{Testbed, bar};
use super::{Fault, Findings, schema, strace};
use crate::driver::{CommandOutput, Instance};

pub const FAULT: Fault = Fault {
    id: "B15",
    what: "strace: a migration killed at each of its writes, or on a disk that is full from there on",
    run,
};

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let versions = schema::versions()?;
    let instance = testbed.empty_instance("migration-cut")?;
    let old = instance.path("old.db");
    let earlier = versions[..versions.len() - 1].to_vec();
    schema::make_old(&old, *earlier.last().expect("an earlier schema"), 100)?;
    let step = testbed.rounds(8, 1);
    let cut = Cut {
        testbed,
        instance: &instance,
        old: &old,
        earlier,
        versions,
    };
    for (name, how, step) in [
        (
            "SIGKILL",
            |n: u64| format!("pwrite64:signal=SIGKILL:when={n}"),
            step,
        ),
        (
            "ENOSPC",
            |n: u64| format!("pwrite64:error=ENOSPC:when={n}+"),
            step,
        ),
    ] as [(&str, fn(u64) -> String, u64); 2]
    {
        let (before, after) = cut.at_each(how, step, &mut findings)?;
        findings.figure(format!(
            "{name} at {} writes: {before} times as before, {after} as after",
            before + after
        ));
    }
    findings.figure(format!("{} wrong", findings.violations.len()));
    Ok(findings)
}

struct Cut<'a> {
    testbed: &'a Testbed,
    instance: &'a Instance,
    old: &'a Path,
    earlier: Vec<i64>,
    versions: Vec<i64>,
}

impl Cut<'_> {
    /// Until there is no write left to cut at; how often the schema was the old and the new one.
    fn at_each(
        &self,
        how: fn(u64) -> String,
        step: u64,
        findings: &mut Findings,
    ) -> Result<(u64, u64), Stop> {
        let (mut before, mut after) = (0, 0);
        let bar = bar(200);
        for n in (1..).step_by(usize::try_from(step).unwrap_or(1)) {
            self.reset()?;
            let ran = self.migrate(&how(n))?;
            if ran.status.success() {
                break;
            }
            let database = &self.instance.database;
            let (versions, violations) = schema::compare(database, self.old)?;
            let at = format!("cut at write {n}");
            findings.violations.extend(
                violations
                    .iter()
                    .map(|violation| format!("{at}: {violation}")),
            );
            before += u64::from(versions == self.earlier);
            after += u64::from(versions == self.versions);
            let between = versions != self.earlier && versions != self.versions;
            findings.require(!between, format!("{at}: the schema is {versions:?}"));
            self.testbed.hand_over(&self.instance.data())?;
            let again = self.instance.cli(&["db", "migrate"])?;
            findings.require(
                again.status.success(),
                format!("{at}: never finished: {}", again.err),
            );
            bar.inc(step);
        }
        bar.finish_and_clear();
        findings.require(before > 0, "no write was cut: nothing was tried");
        Ok((before, after))
    }

    fn reset(&self) -> Outcome {
        let data = self.instance.data();
        fs::remove_dir_all(&data)
            .and_then(|()| fs::create_dir(&data))
            .and_then(|()| fs::copy(self.old, &self.instance.database))
            .map_err(failed("a copy"))?;
        self.testbed.hand_over(&data)
    }

    fn migrate(&self, how: &str) -> Result<CommandOutput, Stop> {
        let traced = strace::injects(how, &self.instance.path("trace"));
        self.instance.clone().under(traced).cli(&["db", "migrate"])
    }
}
