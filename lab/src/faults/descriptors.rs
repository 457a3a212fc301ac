use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use xtask::run::Stop;

use super::testbed::Testbed;
use super::{Fault, Findings};
use crate::driver::wait_for;

pub const FAULT: Fault = Fault {
    id: "B7",
    what: "64 file descriptors and 200 idle connections",
    run,
};

const BOUND: Duration = Duration::from_secs(1);

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let instance = testbed
        .instance("descriptors")?
        .under(["prlimit", "--nofile=64:64"]);
    let mut server = instance.start()?;
    let idle: Vec<_> = (0..200)
        .filter_map(|_| TcpStream::connect(instance.address).ok())
        .collect();
    // Those that are let in are cut after a while; until then nothing must spin.
    let process = server.process();
    thread::sleep(Duration::from_millis(500));
    let before = process.cpu()?;
    let watched = Duration::from_secs(testbed.rounds(3, 10));
    thread::sleep(watched);
    let busy = (process.cpu()? - before).as_secs_f64() / watched.as_secs_f64();
    findings.require(
        busy < 0.1,
        format!("while it waits, {:.0} % of a core are used", busy * 100.0),
    );
    findings.require(server.has_ended().is_none(), "the process ended");
    let connections = idle.len();
    drop(idle);
    let freed = Instant::now();
    wait_for("a request that works", || {
        (instance.status("/login") == Some(200)).then_some(())
    })?;
    let recovery = freed.elapsed();
    findings.require(
        recovery < BOUND,
        format!("a request works after {recovery:?} only"),
    );
    findings.figure(format!(
        "{connections} connections; {:.1} % of a core meanwhile; a request works {} ms after they are gone",
        busy * 100.0,
        recovery.as_millis()
    ));
    server.stop().map(|_| findings)
}
