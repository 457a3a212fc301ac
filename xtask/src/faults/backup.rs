use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::lab::Lab;
use super::ledger::Ledger;
use super::machine::Machine;
use super::{Fault, Findings, traffic};
use crate::bench::failed;
use crate::run::Stop;
use crate::seed::{self, Plan, Wanted};

pub const FAULT: Fault = Fault {
    id: "B13",
    what: "backups while people sign in and out, each restored and judged",
    run,
};

/// A copy, and what was promised when it began and when it was done.
struct Copy {
    file: PathBuf,
    before: Ledger,
    after: Ledger,
}

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let machine = lab.machine("backup")?;
    let backups = lab.rounds(3, 12);
    let pause = Duration::from_secs(lab.rounds(1, 5));
    let server = machine.start()?;
    let (_, copies) = traffic::run(&machine, traffic::ALL, 13, || {
        let copies = (0..backups).map(|number| {
            thread::sleep(pause);
            take(&machine, number)
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
        let restored = lab.empty_machine(&format!("restored-{}", name(&copy.file)))?;
        restored
            .cli(&["db", "restore", &copy.file.to_string_lossy()])?
            .done()?;
        judge(&mut findings, &restored, copy)?;
    }
    let ledger = &copies[copies.len() - 1].before;
    findings.figure(format!(
        "{backups} backups, {} acknowledged changes before the last, {} violations",
        ledger.acknowledged(),
        findings.violations.len()
    ));
    findings.control(a_plain_copy_is_caught(lab)?, "cp without the WAL");
    for sessions in [1_000, 100_000, 1_000_000]
        .into_iter()
        .take(if lab.quick { 1 } else { 3 })
    {
        findings.figure(format!(
            "{sessions} sessions: {} ms",
            time(lab, sessions)?.as_millis()
        ));
    }
    Ok(findings)
}

fn take(machine: &Machine, number: u64) -> Result<Copy, Stop> {
    let read = || Ledger::read(&machine.path("ledger")).map_err(failed("the ledger"));
    let file = machine.data().join(format!("{number}.db"));
    let before = read()?;
    back_up(machine, &file)?;
    Ok(Copy {
        file,
        before,
        after: read()?,
    })
}

fn back_up(machine: &Machine, file: &Path) -> Result<(), Stop> {
    machine
        .cli(&["db", "backup", &file.to_string_lossy()])?
        .done()
        .map(drop)
}

fn name(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn judge(findings: &mut Findings, restored: &Machine, copy: &Copy) -> Result<(), Stop> {
    let server = restored.start()?;
    findings.judge(restored, &copy.before.in_doubt_until(&copy.after))?;
    server.kill()
}

/// The control: the file alone, while its newest pages are in the WAL.
fn a_plain_copy_is_caught(lab: &Lab) -> Result<bool, Stop> {
    let (machine, copied) = (lab.machine("plain")?, lab.empty_machine("copied")?);
    let _server = machine.start()?;
    // Little enough to be in the WAL alone.
    let (ledger, ()) = traffic::run(&machine, 0..2, 13, || {
        thread::sleep(Duration::from_millis(300));
        Ok(())
    })?;
    fs::copy(machine.database(), copied.database()).map_err(failed("cp"))?;
    lab.hand_over(&copied.data())?;
    let _server = copied.start()?;
    Ok(Findings::default().judge(&copied, &ledger)? > 0)
}

/// What a backup takes with so many sessions.
fn time(lab: &Lab, sessions: u64) -> Result<Duration, Stop> {
    let machine = lab.empty_machine(&format!("backup-of-{sessions}"))?;
    let plan = Plan {
        users: sessions / 10,
        live: sessions,
        ended: sessions / 4,
        seed: 1,
        moment: seed::today(),
    };
    seed::fill(&machine.database(), &plan, &Wanted::default())?;
    lab.hand_over(&machine.data())?;
    let began = Instant::now();
    back_up(&machine, Path::new("copy.db"))?;
    let took = began.elapsed();
    fs::remove_dir_all(machine.data()).map_err(failed("a database"))?;
    Ok(took)
}
