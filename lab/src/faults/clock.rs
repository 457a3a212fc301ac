use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use xtask::run::{Outcome, Stop, failed};

use super::checker::check_service;
use super::testbed::Testbed;
use super::{Fault, Findings, workload};
use crate::driver::Instance;

pub const FAULT: Fault = Fault {
    id: "B6",
    what: "libfaketime: the clock jumps by a second, an hour, to 1970 and by ten years",
    run,
};

/// Small jumps, one after the other, under load; seconds from the true time.
const UNDER_LOAD: [&str; 7] = ["+1", "-1", "+0", "+3600", "+0", "-3600", "+0"];

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let Some(library) = library() else {
        return Ok(Findings::not_run("libfaketime is not where Debian has it"));
    };
    let mut findings = Findings::default();
    under_load(testbed, &library, &mut findings)?;
    far_jumps(testbed, &library, &mut findings)?;
    Ok(findings)
}

/// For programs with threads, where Debian has it.
pub fn library() -> Option<PathBuf> {
    let mut folders = fs::read_dir("/usr/lib").ok()?.flatten();
    folders.find_map(|folder| {
        let library = folder.path().join("faketime/libfaketimeMT.so.1");
        library.is_file().then_some(library)
    })
}

/// An instance whose clock says what the file `clock` does, at each look.
fn with_clock(testbed: &Testbed, name: &str, library: &Path) -> Result<Instance, Stop> {
    let instance = testbed.instance(name)?;
    let clock = instance.path("clock").to_string_lossy().into_owned();
    let instance = instance
        .preload(library)
        .set("FAKETIME_TIMESTAMP_FILE", clock)
        .set("FAKETIME_NO_CACHE", "1")
        .set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    set(&instance, "+0")?;
    Ok(instance)
}

fn set(instance: &Instance, offset: &str) -> Outcome {
    // In one step: a half-written offset would be one more jump.
    let new = instance.path("clock.new");
    fs::write(&new, offset)
        .and_then(|()| fs::rename(new, instance.path("clock")))
        .map_err(failed("the clock"))
}

fn under_load(testbed: &Testbed, library: &Path, findings: &mut Findings) -> Outcome {
    let instance = with_clock(testbed, "small-jumps", library)?;
    let server = instance.start()?;
    let pause = Duration::from_millis(testbed.rounds(500, 3_000));
    let (history, ()) = workload::run(&instance, 0..8, 6, || {
        UNDER_LOAD.iter().try_for_each(|offset| {
            thread::sleep(pause);
            set(&instance, offset)
        })?;
        thread::sleep(pause);
        Ok(())
    })?;
    let mut client = instance.client().map_err(failed("no connection"))?;
    let violations = check_service(&history, &mut client).map_err(failed("the check"))?;
    findings.figure(format!(
        "{} jumps under load: {} acknowledged changes, {} violations",
        UNDER_LOAD.len(),
        history.acknowledged(),
        violations.len()
    ));
    findings.violations.extend(violations);
    require_no_panic(&instance, findings);
    server.kill()
}

/// What has been told that it is over stays so, and what has not goes on.
fn far_jumps(testbed: &Testbed, library: &Path, findings: &mut Findings) -> Outcome {
    let instance = with_clock(testbed, "far-jumps", library)?;
    let server = instance.start()?;
    let (live, ended) = (instance.sign_in("user-09")?, instance.sign_in("user-09")?);
    let mut client = instance.client().map_err(failed("no connection"))?;
    client
        .with_cookie(&ended)
        .post("/logout", "")
        .map_err(failed("POST /logout"))?;
    let mut tally = Tally::default();
    let mut look = |cookie: &str| client.session(cookie).map_err(failed("GET /api/session"));

    // 1970, and back.
    set(&instance, "-1767225600")?;
    tally.expect(401, look(&ended)?);
    let in_1970 = look(&live)?;
    set(&instance, "+0")?;
    tally.expect(in_1970, look(&live)?);
    tally.expect(401, look(&ended)?);

    // Ten years on, and back: believed or not, but not both.
    set(&instance, "+315360000")?;
    let in_ten_years = look(&live)?;
    tally.expect(401, look(&ended)?);
    set(&instance, "+0")?;
    tally.expect(in_ten_years, look(&live)?);
    tally.expect(401, look(&ended)?);
    server.kill()?;

    let server = instance.start()?;
    let mut client = instance.client().map_err(failed("no connection"))?;
    let mut look = |cookie: &str| client.session(cookie).map_err(failed("GET /api/session"));
    tally.expect(in_ten_years, look(&live)?);
    tally.expect(401, look(&ended)?);
    tally.expect(200, look(&instance.sign_in("user-09")?)?);
    findings.require(
        in_1970 == 200,
        format!("in 1970 a live session answers {in_1970}"),
    );
    tally.report(findings, if in_ten_years == 401 { "over" } else { "live" });
    require_no_panic(&instance, findings);
    server.kill()
}

#[derive(Default)]
struct Tally {
    resurrected: usize,
    lost: usize,
}

impl Tally {
    fn expect(&mut self, wanted: u16, status: u16) {
        match (wanted, status) {
            (401, 401) => {}
            (401, _) => self.resurrected += 1,
            (wanted, status) => self.lost += usize::from(status != wanted),
        }
    }

    fn report(&self, findings: &mut Findings, in_ten_years: &str) {
        let Self { resurrected, lost } = self;
        findings.require(
            *resurrected == 0,
            format!("{resurrected} times an ended session was live again"),
        );
        findings.require(
            *lost == 0,
            format!("{lost} times a session was lost for no reason"),
        );
        findings.figure(format!(
            "1970 and ten years on, where a session is {in_ten_years}: {resurrected} resurrected, {lost} lost"
        ));
    }
}

fn require_no_panic(instance: &Instance, findings: &mut Findings) {
    let log = instance.log();
    findings.require(!log.contains("panic"), format!("it panicked: {log}"));
}
