use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use xtask::run::{Stop, failed};

use super::session_checks::SessionChecks;
use super::testbed::Testbed;
use super::{Fault, Findings};
use crate::driver::{Instance, wait_for};

pub const FAULT: Fault = Fault {
    id: "B10",
    what: "10,000 connections that are open and idle",
    run,
};

const CONNECTIONS: usize = 10_000;
const BOUND: Duration = Duration::from_millis(50);
const MAX_KIB: u64 = 512 * 1_024;

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let instance = testbed.instance("connections")?;
    let server = instance.start()?;
    let session = instance.sign_in("user-09")?;
    let process = server.process();
    let before = process.status()?.resident_kib;
    let Ok(crowd) = crowd(&instance) else {
        return Ok(Findings::not_run("so many connections cannot be opened"));
    };
    let checks = SessionChecks::run(
        &instance,
        &session,
        Duration::from_secs(testbed.rounds(3, 10)),
    )?;
    let memory = process.status()?.resident_kib;
    drop(crowd);
    let alone = || {
        process
            .descriptors()
            .is_ok_and(|open| open < 100)
            .then_some(())
    };
    wait_for("the connections to be gone", alone)?;
    // Little is given back to the system, so the next must do with what is kept, more or less.
    let crowd = self::crowd(&instance).map_err(failed("a second crowd"))?;
    instance.sign_in("user-09")?;
    let again = process.status()?.resident_kib;
    drop(crowd);
    checks.require(BOUND, &mut findings);
    checks.figure(&mut findings);
    for memory in [memory, again] {
        findings.require(memory < MAX_KIB, format!("{memory} KiB of memory"));
    }
    let after = process.status()?.resident_kib;
    let [before, memory, again, after] = [before, memory, again, after].map(|kib| kib >> 10);
    findings.figure(format!(
        "memory {before} MiB before, {memory} with them, {again} with 10,000 others, {after} right after those"
    ));
    server.stop().map(|_| findings)
}

fn crowd(instance: &Instance) -> io::Result<Vec<TcpStream>> {
    (0..CONNECTIONS).map(|_| idle(instance)).collect()
}

/// One that has begun to ask, so that the server holds a buffer for it.
fn idle(instance: &Instance) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(instance.address)?;
    // Leaves no trace when it is closed: the ports of two crowds would be used up for a minute.
    set_socket_linger(&stream, Some(Duration::ZERO))?;
    stream.write_all(b"G")?;
    Ok(stream)
}
