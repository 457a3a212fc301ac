use std::process::Command;
use std::thread;
use std::time::Duration;

use super::disk::{Disk, silently};
use super::judge::Witness;
use super::lab::Lab;
use super::machine::{Machine, PASSWORD, wait_for};
use super::{Fault, Findings, traffic};
use crate::bench::failed;
use crate::run::{Outcome, Stop};

pub const FAULT: Fault = Fault {
    id: "B3",
    what: "a database that cannot be written: chattr +i, a disk that failed, a wrong owner",
    run,
};

fn run(lab: &Lab) -> Result<Findings, Stop> {
    if !lab.is_root {
        return Ok(Findings::not_run(
            "only root can take a file's rights from its owner",
        ));
    }
    let mut findings = Findings::default();
    immutable(lab, &mut findings)?;
    failed_disk(lab, &mut findings)?;
    wrong_owner(lab, &mut findings)?;
    Ok(findings)
}

/// While it runs, and the same process goes on when it is over.
fn immutable(lab: &Lab, findings: &mut Findings) -> Outcome {
    let machine = lab.machine("immutable")?;
    let _server = machine.start()?;
    let (ledger, recovery) = traffic::run(&machine, 0..4, 3, || {
        thread::sleep(Duration::from_secs(1));
        let session = machine.sign_in("user-09")?;
        chattr(&machine, "+i")?;
        let refused = require_read_only(&machine, &session, findings, "chattr +i");
        chattr(&machine, "-i")?;
        refused?;
        machine.recovery("user-09")
    })?;
    findings.judge(&machine, &ledger)?;
    findings.figure(format!(
        "chattr +i: recovery {:.1} s",
        recovery.as_secs_f64()
    ));
    Ok(())
}

fn chattr(machine: &Machine, flag: &str) -> Outcome {
    let (database, wal) = (machine.database(), machine.data().join("vestibule.db-wal"));
    silently(Command::new("chattr").arg(flag).args([database, wal])).map_err(Stop::because)
}

/// The kernel makes the file system read-only after an error. Such a disk must be mounted again, so the
/// server is started again.
fn failed_disk(lab: &Lab, findings: &mut Findings) -> Outcome {
    let machine = lab.empty_machine("failed-disk")?;
    let disk = match Disk::mount(lab, &machine, 32) {
        Ok(disk) => disk,
        Err(why) => {
            findings.figure(format!("no failed disk, because {why}"));
            return Ok(());
        }
    };
    lab.furnish(&machine)?;
    disk.sync()?;
    let mut server = machine.start()?;
    let (ledger, ended) = traffic::run(&machine, 0..4, 4, || {
        thread::sleep(Duration::from_secs(1));
        let session = machine.sign_in("user-09")?;
        disk.break_down()?;
        let mut seen = Findings::default();
        let refused = require_read_only(&machine, &session, &mut seen, "a failed disk");
        if refused.is_ok() && seen.violations.is_empty() {
            return Ok(None);
        }
        // Where the failure met an fsync, the process ends.
        server.ended().map(Some)
    })?;
    let how = match ended {
        None => "writes were refused",
        Some(_) => "the process ended",
    };
    findings.require(
        ended.is_none_or(|status| !status.success()),
        "a failed disk: the process ended as if all were well",
    );
    drop(server);
    disk.detach()
        .and_then(|()| disk.attach())
        .map_err(Stop::because)?;
    let server = machine.start()?;
    findings.judge(&machine, &ledger)?;
    let ready = server.ready_after.as_secs_f64();
    findings.figure(format!(
        "a failed disk: {how}; ready {ready:.1} s after it is started again"
    ));
    server.kill()
}

/// At the start: it refuses, and says which file.
fn wrong_owner(lab: &Lab, findings: &mut Findings) -> Outcome {
    let machine = lab.machine("wrong-owner")?;
    let chown = |owner| {
        silently(Command::new("chown").arg(owner).arg(machine.database())).map_err(Stop::because)
    };
    chown("root:root")?;
    let status = machine.spawn()?.ended()?;
    let words = machine.log();
    findings.require(
        status.code() == Some(1),
        format!("a wrong owner: the start ends with {status}"),
    );
    findings.require(
        words.contains("vestibule.db: "),
        format!("a wrong owner: the file is not named: {words}"),
    );
    chown("nobody:nogroup")?;
    machine.start()?.kill()?;
    findings.figure("a wrong owner: the start refuses and names the file");
    Ok(())
}

/// Live sessions go on; nothing is promised that cannot be written.
fn require_read_only(
    machine: &Machine,
    session: &str,
    findings: &mut Findings,
    what: &str,
) -> Outcome {
    let refuses = || machine.status("/readyz").is_none_or(|status| status == 503);
    wait_for("writes to be refused", || refuses().then_some(()))?;
    let mut client = machine.client().map_err(failed("no connection"))?;
    let session_check = client
        .session(session)
        .map_err(failed("GET /api/session"))?;
    let sign_out = client
        .post("/logout", "")
        .map_err(failed("POST /logout"))?
        .status;
    let sign_in = client
        .sign_in("user-09", PASSWORD)
        .map_err(failed("POST /login"))?;
    let guess = client
        .sign_in("user-09", "a wrong pass phrase")
        .map_err(failed("POST /login"))?;
    let ready = machine.status("/readyz").unwrap_or(0);
    let seen = [session_check, sign_out, sign_in, guess, ready];
    findings.require(
        seen == [200, 503, 503, 503, 503],
        format!("{what}: session check, sign-out, sign-in, guess, readiness are answered {seen:?}"),
    );
    Ok(())
}
