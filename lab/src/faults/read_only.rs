use std::process::Command;
use std::thread;
use std::time::Duration;

use xtask::run::{Outcome, Stop, failed};

use super::disk::{Disk, run_quietly};
use super::testbed::Testbed;
use super::{Fault, Findings, workload};
use crate::driver::{Instance, PASSWORD, wait_for};

pub const FAULT: Fault = Fault {
    id: "B3",
    what: "a database that cannot be written: chattr +i, a disk that failed, a wrong owner",
    run,
};

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    if !testbed.is_root {
        return Ok(Findings::not_run(
            "only root can take a file's rights from its owner",
        ));
    }
    let mut findings = Findings::default();
    immutable(testbed, &mut findings)?;
    failed_disk(testbed, &mut findings)?;
    wrong_owner(testbed, &mut findings)?;
    Ok(findings)
}

/// While it runs, and the same process goes on when it is over.
fn immutable(testbed: &Testbed, findings: &mut Findings) -> Outcome {
    let instance = testbed.instance("immutable")?;
    let _server = instance.start()?;
    let (history, recovery) = workload::run(&instance, 0..4, 3, || {
        thread::sleep(Duration::from_secs(1));
        let session = instance.sign_in("user-09")?;
        chattr(&instance, "+i")?;
        let refused = require_read_only(&instance, &session, findings, "chattr +i");
        chattr(&instance, "-i")?;
        refused?;
        instance.recovery("user-09")
    })?;
    findings.check(&instance, &history)?;
    findings.figure(format!(
        "chattr +i: recovery {:.1} s",
        recovery.as_secs_f64()
    ));
    Ok(())
}

fn chattr(instance: &Instance, flag: &str) -> Outcome {
    let wal = instance.data().join("vestibule.db-wal");
    let files = [&instance.database, &wal];
    run_quietly(Command::new("chattr").arg(flag).args(files)).map_err(Stop::because)
}

/// The kernel makes the file system read-only after an error. Such a disk must be mounted again, so the
/// server is started again.
fn failed_disk(testbed: &Testbed, findings: &mut Findings) -> Outcome {
    let instance = testbed.empty_instance("failed-disk")?;
    let disk = match Disk::mount(testbed, &instance, 32) {
        Ok(disk) => disk,
        Err(why) => {
            findings.figure(format!("no failed disk, because {why}"));
            return Ok(());
        }
    };
    testbed.add_database(&instance)?;
    disk.sync()?;
    let mut server = instance.start()?;
    let (history, ended) = workload::run(&instance, 0..4, 4, || {
        thread::sleep(Duration::from_secs(1));
        let session = instance.sign_in("user-09")?;
        disk.cause_error()?;
        let mut seen = Findings::default();
        let refused = require_read_only(&instance, &session, &mut seen, "a failed disk");
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
    let server = instance.start()?;
    findings.check(&instance, &history)?;
    let ready = server.ready_after.as_secs_f64();
    findings.figure(format!(
        "a failed disk: {how}; ready {ready:.1} s after it is started again"
    ));
    server.kill()
}

/// At the start: it refuses, and says which file.
fn wrong_owner(testbed: &Testbed, findings: &mut Findings) -> Outcome {
    let instance = testbed.instance("wrong-owner")?;
    let chown = |owner| {
        run_quietly(Command::new("chown").arg(owner).arg(&instance.database)).map_err(Stop::because)
    };
    chown("root:root")?;
    let status = instance.spawn()?.ended()?;
    let words = instance.log();
    findings.require(
        status.code() == Some(1),
        format!("a wrong owner: the start ends with {status}"),
    );
    findings.require(
        words.contains("vestibule.db: "),
        format!("a wrong owner: the file is not named: {words}"),
    );
    chown("nobody:nogroup")?;
    instance.start()?.kill()?;
    findings.figure("a wrong owner: the start refuses and names the file");
    Ok(())
}

/// Live sessions go on; nothing is promised that cannot be written.
fn require_read_only(
    instance: &Instance,
    session: &str,
    findings: &mut Findings,
    what: &str,
) -> Outcome {
    let refuses = || {
        instance
            .status("/readyz")
            .is_none_or(|status| status == 503)
    };
    wait_for("writes to be refused", || refuses().then_some(()))?;
    let mut client = instance.client().map_err(failed("no connection"))?;
    let session_check = client
        .session(session)
        .map_err(failed("GET /api/session"))?;
    let sign_out = client
        .post("/logout", "")
        .map_err(failed("POST /logout"))?
        .status;
    let mut sign_in = |password| {
        let answer = client.without_cookie().sign_in("user-09", password);
        Ok::<_, Stop>(answer.map_err(failed("POST /login"))?.status)
    };
    let (sign_in, guess) = (sign_in(PASSWORD)?, sign_in("a wrong pass phrase")?);
    let ready = instance.status("/readyz").unwrap_or(0);
    let seen = [session_check, sign_out, sign_in, guess, ready];
    findings.require(
        seen == [200, 503, 503, 503, 503],
        format!("{what}: session check, sign-out, sign-in, guess, readiness are answered {seen:?}"),
    );
    Ok(())
}
