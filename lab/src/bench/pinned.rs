//! Servers with a core to themselves.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use xtask::need::install_missing;
use xtask::run::{Outcome, Stop, say};

use crate::driver::load::{self, Wrk};
use crate::driver::{Instance, Server};

const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// The program stays the same process.
const TASKSET: [&str; 3] = ["taskset", "-c", SERVER_CORE];

/// How long a server may read its database through after the start: at a tenth of a core,
/// 10,000,000 sessions take the better part of an hour.
const SETTLING: Duration = Duration::from_secs(2 * 60 * 60);
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// What it takes to measure here.
pub fn install() -> Outcome {
    install_missing(&[load::WRK, load::TASKSET])?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        return Err(Stop::because(
            "one core is not enough: the server needs one, the load another",
        ));
    }
    Ok(())
}

/// As many requests as are answered in this time.
pub fn wrk(time: Duration) -> Wrk {
    Wrk::new(LOAD_CORE, time)
}

/// Starts a server and waits until it has nothing to do.
pub fn start(database: &Path, settings: &[(&str, &str)]) -> Result<Server, Stop> {
    let server = instance(database, settings)?.start()?;
    settle(&server)?;
    Ok(server)
}

/// A server that is yet to be started.
pub fn instance(database: &Path, settings: &[(&str, &str)]) -> Result<Instance, Stop> {
    let instance = Instance::on(database)?.set_all(settings);
    Ok(instance.under(TASKSET))
}

/// With its commands run on what the load leaves of its core: the server is what is measured.
pub fn beside_load(instance: Instance) -> Instance {
    instance.under(["taskset", "-c", LOAD_CORE, "nice", "-n", "19"])
}

/// Any program.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(TASKSET[0]);
    command.args(&TASKSET[1..]).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn settle(server: &Server) -> Result<(), Stop> {
    let began = Instant::now();
    let mut report_at = REPORT_EVERY;
    while began.elapsed() < SETTLING {
        let before = server.process().cpu()?;
        std::thread::sleep(Duration::from_millis(500));
        if server.process().cpu()?.saturating_sub(before) < Duration::from_millis(15) {
            return Ok(());
        }
        if began.elapsed() >= report_at {
            say(&format!(
                "the server reads its database, {report_at:?} so far"
            ));
            report_at += REPORT_EVERY;
        }
    }
    Err(Stop::because(format!(
        "the server is still busy after {SETTLING:?}"
    )))
}
