use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use xtask::run::{Stop, failed};

use super::history::History;
use super::testbed::Testbed;
use super::{Fault, Findings, workload};
use crate::driver::Instance;
use crate::seed::{self, CookieFiles, Plan};

pub const FAULT: Fault = Fault {
    id: "B13",
    what: "backups while people sign in and out, each restored and checked",
    run,
};

/// A copy, and what was promised when it began and when it was done.
struct Copy {
    file: PathBuf,
    before: History,
    after: History,
}

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let instance = testbed.instance("backup")?;
    let backups = testbed.rounds(3, 12);
    let pause = Duration::from_secs(testbed.rounds(1, 5));
    let server = instance.start()?;
    let (_, copies) = workload::run(&instance, workload::ALL, 13, || {
        let copies = (0..backups).map(|number| {
            thread::sleep(pause);
            take(&instance, number)
        });
        copies.collect::<Result<Vec<_>, _>>()
    })?;
    server.kill()?;
    for copy in &copies {
        let mode = fs::metadata(&copy.file)
            .map_err(failed("a backup"))?
            .permissions()
            .mode();
        findings.require(
            mode & 0o777 == 0o600,
            format!("a backup has the mode {mode:o}"),
        );
        let restored = testbed.empty_instance(&format!("restored-{}", name(&copy.file)))?;
        restored
            .cli(&["db", "restore", &copy.file.to_string_lossy()])?
            .success()?;
        check(&mut findings, &restored, copy)?;
    }
    let history = &copies[copies.len() - 1].before;
    findings.figure(format!(
        "{backups} backups, {} acknowledged changes before the last, {} violations",
        history.acknowledged(),
        findings.violations.len()
    ));
    findings.control(a_plain_copy_is_caught(testbed)?, "cp without the WAL");
    for sessions in [1_000, 100_000, 1_000_000]
        .into_iter()
        .take(if testbed.quick { 1 } else { 3 })
    {
        findings.figure(format!(
            "{sessions} sessions: {} ms",
            time(testbed, sessions)?.as_millis()
        ));
    }
    Ok(findings)
}

fn take(instance: &Instance, number: u64) -> Result<Copy, Stop> {
    let read = || History::read(&instance.path("history")).map_err(failed("the history"));
    let file = instance.data().join(format!("{number}.db"));
    let before = read()?;
    back_up(instance, &file)?;
    Ok(Copy {
        file,
        before,
        after: read()?,
    })
}

fn back_up(instance: &Instance, file: &Path) -> Result<(), Stop> {
    instance
        .cli(&["db", "backup", &file.to_string_lossy()])?
        .success()
        .map(drop)
}

fn name(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn check(findings: &mut Findings, restored: &Instance, copy: &Copy) -> Result<(), Stop> {
    let server = restored.start()?;
    findings.check(restored, &copy.before.in_doubt_until(&copy.after))?;
    server.kill()
}

/// The control: the file alone, while its newest pages are in the WAL.
fn a_plain_copy_is_caught(testbed: &Testbed) -> Result<bool, Stop> {
    let (instance, copied) = (
        testbed.instance("plain")?,
        testbed.empty_instance("copied")?,
    );
    let _server = instance.start()?;
    // Little enough to be in the WAL alone.
    let (history, ()) = workload::run(&instance, 0..2, 13, || {
        thread::sleep(Duration::from_millis(300));
        Ok(())
    })?;
    fs::copy(&instance.database, &copied.database).map_err(failed("cp"))?;
    testbed.hand_over(&copied.data())?;
    let _server = copied.start()?;
    Ok(Findings::default().check(&copied, &history)? > 0)
}

/// What a backup takes with so many sessions.
fn time(testbed: &Testbed, sessions: u64) -> Result<Duration, Stop> {
    let instance = testbed.empty_instance(&format!("backup-of-{sessions}"))?;
    let plan = Plan::of(sessions, sessions / 10);
    seed::fill(&instance.database, &plan, &CookieFiles::default())?;
    testbed.hand_over(&instance.data())?;
    let began = Instant::now();
    back_up(&instance, Path::new("copy.db"))?;
    let took = began.elapsed();
    fs::remove_dir_all(instance.data()).map_err(failed("a database"))?;
    Ok(took)
}
