//! Servers with a core to themselves.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use xtask::run::{Stop, say};

use crate::driver::{Instance, Server};

const SERVER_CORE: &str = "0";
pub const LOAD_CORE: &str = "1";

/// The program stays the same process.
const TASKSET: [&str; 3] = ["taskset", "-c", SERVER_CORE];

/// How long a server may read its database through after the start: at a tenth of a core,
/// 10,000,000 sessions take the better part of an hour.
const SETTLING: Duration = Duration::from_secs(2 * 60 * 60);
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// Starts a server and waits until it has nothing to do.
pub fn start(database: &Path, settings: &[(&str, &str)]) -> Result<Server, Stop> {
    let instance = Instance::on(database)?.set_all(settings).under(TASKSET);
    let server = instance.start()?;
    settle(&server)?;
    Ok(server)
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
