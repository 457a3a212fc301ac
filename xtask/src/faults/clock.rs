use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::judge::{Witness, ask};
use super::lab::Lab;
use super::machine::Machine;
use super::{Fault, Findings, traffic};
use crate::bench::failed;
use crate::run::{Outcome, Stop};

pub const FAULT: Fault = Fault {
    id: "B6",
    what: "libfaketime: the clock jumps by a second, an hour, to 1970 and by ten years",
    run,
};

/// Small jumps, one after the other, under load; seconds from the true time.
const UNDER_LOAD: [&str; 7] = ["+1", "-1", "+0", "+3600", "+0", "-3600", "+0"];

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let Some(library) = library() else {
        return Ok(Findings::not_run("libfaketime is not where Debian has it"));
    };
    let mut findings = Findings::default();
    under_load(lab, &library, &mut findings)?;
    far_jumps(lab, &library, &mut findings)?;
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

/// A machine whose clock says what the file `clock` does, at each look.
fn with_clock(lab: &Lab, name: &str, library: &Path) -> Result<Machine, Stop> {
    let machine = lab.machine(name)?;
    let clock = machine.path("clock").to_string_lossy().into_owned();
    let machine = machine
        .preload(library)
        .set("FAKETIME_TIMESTAMP_FILE", clock)
        .set("FAKETIME_NO_CACHE", "1")
        .set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    set(&machine, "+0")?;
    Ok(machine)
}

fn set(machine: &Machine, offset: &str) -> Outcome {
    // In one step: a half-written offset would be one more jump.
    let new = machine.path("clock.new");
    fs::write(&new, offset)
        .and_then(|()| fs::rename(new, machine.path("clock")))
        .map_err(failed("the clock"))
}

fn under_load(lab: &Lab, library: &Path, findings: &mut Findings) -> Outcome {
    let machine = with_clock(lab, "small-jumps", library)?;
    let server = machine.start()?;
    let pause = Duration::from_millis(lab.rounds(500, 3_000));
    let (ledger, ()) = traffic::run(&machine, 0..8, 6, || {
        UNDER_LOAD.iter().try_for_each(|offset| {
            thread::sleep(pause);
            set(&machine, offset)
        })?;
        thread::sleep(pause);
        Ok(())
    })?;
    let mut client = machine.client().map_err(failed("no connection"))?;
    let faults = ask(&ledger, &mut client).map_err(failed("the judge"))?;
    findings.figure(format!(
        "{} jumps under load: {} acknowledged changes, {} violations",
        UNDER_LOAD.len(),
        ledger.acknowledged(),
        faults.len()
    ));
    findings.violations.extend(faults);
    require_no_panic(&machine, findings);
    server.kill()
}

/// What has been told that it is over stays so, and what has not goes on.
fn far_jumps(lab: &Lab, library: &Path, findings: &mut Findings) -> Outcome {
    let machine = with_clock(lab, "far-jumps", library)?;
    let server = machine.start()?;
    let (live, ended) = (machine.sign_in("user-09")?, machine.sign_in("user-09")?);
    let mut client = machine.client().map_err(failed("no connection"))?;
    ended.clone_into(&mut client.cookie);
    client.post("/logout", "").map_err(failed("POST /logout"))?;
    let mut tally = Tally::default();
    let mut client = machine.client().map_err(failed("no connection"))?;
    let mut look = |cookie: &str| client.session(cookie).map_err(failed("GET /api/session"));

    // 1970, and back.
    set(&machine, "-1767225600")?;
    tally.expect(401, look(&ended)?);
    let in_1970 = look(&live)?;
    set(&machine, "+0")?;
    tally.expect(in_1970, look(&live)?);
    tally.expect(401, look(&ended)?);

    // Ten years on, and back: believed or not, but not both.
    set(&machine, "+315360000")?;
    let in_ten_years = look(&live)?;
    tally.expect(401, look(&ended)?);
    set(&machine, "+0")?;
    tally.expect(in_ten_years, look(&live)?);
    tally.expect(401, look(&ended)?);
    server.kill()?;

    let server = machine.start()?;
    let mut client = machine.client().map_err(failed("no connection"))?;
    let mut look = |cookie: &str| client.session(cookie).map_err(failed("GET /api/session"));
    tally.expect(in_ten_years, look(&live)?);
    tally.expect(401, look(&ended)?);
    tally.expect(200, look(&machine.sign_in("user-09")?)?);
    findings.require(
        in_1970 == 200,
        format!("in 1970 a live session answers {in_1970}"),
    );
    tally.report(findings, if in_ten_years == 401 { "over" } else { "live" });
    require_no_panic(&machine, findings);
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

fn require_no_panic(machine: &Machine, findings: &mut Findings) {
    let log = machine.log();
    findings.require(!log.contains("panic"), format!("it panicked: {log}"));
}
