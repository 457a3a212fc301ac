use std::io::{self, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use super::judge::Witness;
use super::lab::Lab;
use super::machine::{Machine, wait_for};
use super::process::Process;
use super::{Fault, Findings};
use crate::bench::failed;
use crate::bench::figures::quantile;
use crate::run::Stop;

pub const FAULT: Fault = Fault {
    id: "B10",
    what: "10,000 connections that are open and idle",
    run,
};

const CONNECTIONS: usize = 10_000;
const BOUND: Duration = Duration::from_millis(50);
const MOST_KIB: u64 = 512 * 1_024;

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let machine = lab.machine("connections")?;
    let server = machine.start()?;
    let session = machine.sign_in("user-09")?;
    let process = Process::of(&server);
    let before = process.memory_kib();
    let Ok(crowd) = crowd(&machine) else {
        return Ok(Findings::not_run("so many connections cannot be opened"));
    };
    let checks = checks(&machine, &session, Duration::from_secs(lab.rounds(3, 10)))?;
    let memory = process.memory_kib();
    drop(crowd);
    let alone = || (process.descriptors() < 100).then_some(());
    wait_for("the connections to be gone", alone)?;
    // Little is given back to the system, so the next must do with what is kept, more or less.
    let crowd = self::crowd(&machine).map_err(failed("a second crowd"))?;
    machine.sign_in("user-09")?;
    let again = process.memory_kib();
    drop(crowd);
    let p99 = quantile(&checks.times, 0.99);
    findings.require(
        p99 <= BOUND,
        format!("session checks took {p99:?} at the 99th percentile"),
    );
    findings.require(
        checks.errors == 0,
        format!("{} session checks failed", checks.errors),
    );
    for memory in [memory, again] {
        findings.require(memory < MOST_KIB, format!("{memory} KiB of memory"));
    }
    findings.figure(format!(
        "{} session checks, p50 {:.1} ms, p99 {:.1} ms, {} errors",
        checks.times.len(),
        quantile(&checks.times, 0.5).as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
        checks.errors
    ));
    let mebibytes = [before, memory, again, process.memory_kib()].map(|kibibytes| kibibytes >> 10);
    let [before, memory, again, after] = mebibytes;
    findings.figure(format!(
        "memory {before} MiB before, {memory} with them, {again} with 10,000 others, {after} right after those"
    ));
    server.stop().map(|_| findings)
}

fn crowd(machine: &Machine) -> io::Result<Vec<TcpStream>> {
    (0..CONNECTIONS).map(|_| idle(machine)).collect()
}

/// One that has begun to ask, so that the server holds a buffer for it.
fn idle(machine: &Machine) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(machine.address)?;
    // Leaves no trace when it is closed: the ports of two crowds would be used up for a minute.
    set_socket_linger(&stream, Some(Duration::ZERO))?;
    stream.write_all(b"G")?;
    Ok(stream)
}

#[derive(Default)]
pub struct Checks {
    pub times: Vec<Duration>,
    pub errors: usize,
}

/// Session checks of one who comes anew each time, one after the other, a few milliseconds apart.
pub fn checks(machine: &Machine, session: &str, during: Duration) -> Result<Checks, Stop> {
    let mut checks = Checks::default();
    let began = Instant::now();
    while began.elapsed() < during {
        let asked = Instant::now();
        let status = machine
            .client()
            .and_then(|mut client| client.session(session));
        checks.times.push(asked.elapsed());
        checks.errors += usize::from(!status.is_ok_and(|status| status == 200));
        thread::sleep(Duration::from_millis(5));
    }
    match checks.times.len() {
        0 => Err(failed("session checks")("none was made")),
        _ => Ok(checks),
    }
}
