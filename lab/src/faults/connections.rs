use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

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

/// How soon memory is what it was, within a fifth.
const GIVEN_BACK_AFTER: Duration = Duration::from_secs(60);

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
    let bound = before * 6 / 5;
    let is_given_back = || {
        let now = process
            .status()
            .map_or(u64::MAX, |status| status.resident_kib);
        (now <= bound).then_some(())
    };
    let began = Instant::now();
    let given_back = wait_for("memory to be given back", is_given_back);
    let given_back_after = began.elapsed();
    let crowd = self::crowd(&instance).map_err(failed("a second crowd"))?;
    instance.sign_in("user-09")?;
    let again = process.status()?.resident_kib;
    drop(crowd);
    checks.require(BOUND, &mut findings);
    checks.figure(&mut findings);
    for memory in [memory, again] {
        findings.require(memory < MAX_KIB, format!("{memory} KiB of memory"));
    }
    findings.require(
        given_back.is_ok() && given_back_after < GIVEN_BACK_AFTER,
        format!("after {given_back_after:?} memory is not what it was within a fifth"),
    );
    let [before, memory, again] = [before, memory, again].map(|kib| kib >> 10);
    findings.figure(format!(
        "memory {before} MiB before, {memory} with them, given back after {:.0} s, {again} with 10,000 others",
        given_back_after.as_secs_f64()
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
