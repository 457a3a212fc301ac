use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use xtask::run::{Outcome, Stop};

use super::session_checks::SessionChecks;
use super::testbed::Testbed;
use super::{Fault, Findings};
use crate::driver::{Instance, PATIENCE};
use crate::statistics::millis;

pub const FAULT: Fault = Fault {
    id: "B8",
    what: "slow clients: half a head, a byte now and then, idle, never reading, a head of 400 KiB without an end",
    run,
};

/// After which nobody slow may keep a connection.
const CUT: Duration = Duration::from_secs(30);

/// Below this a p99 says more about the machine than of the server.
const FLOOR: Duration = Duration::from_millis(50);

struct Kind {
    what: &'static str,
    begin: fn(&str) -> Vec<u8>,
    /// Sent again and again.
    drip: &'static [u8],
}

const KINDS: [Kind; 4] = [
    Kind {
        what: "half a head",
        begin: |host| format!("GET /login HTTP/1.1\r\nHost: {host}\r\nX-Ha").into_bytes(),
        drip: b"",
    },
    Kind {
        what: "a byte now and then",
        begin: |_| b"GET /login HTTP/1.1\r\nX-SlowClients: ".to_vec(),
        drip: b"a",
    },
    Kind {
        what: "idle after an answer",
        begin: |host| format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(),
        drip: b"",
    },
    Kind {
        what: "a head of 400 KiB without an end",
        begin: |_| {
            format!(
                "GET / HTTP/1.1\r\n{}",
                "X-Fill: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(10_000)
            )
            .into_bytes()
        },
        drip: b"",
    },
];

/// Requests that one who never reads sends at once: their answers fill every buffer on the way.
const UNREAD: usize = 4_000;

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let instance = testbed.instance("slow")?;
    let server = instance.start()?;
    let session = instance.sign_in("user-09")?;
    let process = server.process();
    let calm = SessionChecks::run(&instance, &session, Duration::from_secs(3))?.p99();
    let before = process.status()?.resident_kib;
    let of_each = usize::try_from(testbed.rounds(250, 1_250)).unwrap_or_default();
    let mut slow = SlowClients::begin(&instance, of_each);
    let count = slow.connections.len();
    let never_reading: Vec<_> = (0..10)
        .filter_map(|_| never_reading(&instance).ok())
        .collect();
    let crowded = thread::scope(|scope| {
        let checks = scope.spawn(|| SessionChecks::run(&instance, &session, CUT));
        slow.wait_until_cut();
        checks.join().expect("a client")
    })?;
    let memory = process.status()?.resident_kib.saturating_sub(before);
    slow.require(&mut findings)?;
    let unread = never_reading
        .into_iter()
        .filter(|stream| !is_cut_off(stream))
        .count();
    findings.require(
        unread == 0,
        format!("{unread} who never read were served to the end"),
    );
    crowded.require((calm * 2).max(FLOOR), &mut findings);
    findings.figure(format!(
        "{count} slow connections, all cut within {:.1} s",
        slow.longest.as_secs_f64()
    ));
    findings.figure(format!(
        "session checks p99 {:.1} ms, before {:.1} ms",
        millis(crowded.p99()),
        millis(calm)
    ));
    findings.figure(format!(
        "memory {:.1} KiB a connection at their end",
        memory as f64 / count as f64
    ));
    server.stop().map(|_| findings)
}

struct SlowClients {
    /// With the place of its kind.
    connections: Vec<(usize, TcpStream)>,
    began: Instant,
    longest: Duration,
}

impl SlowClients {
    fn begin(instance: &Instance, of_each: usize) -> Self {
        let began = Instant::now();
        let connections = (0..of_each * KINDS.len()).filter_map(|number| {
            let kind = number % KINDS.len();
            Some((kind, begin(instance, &KINDS[kind]).ok()?))
        });
        Self {
            connections: connections.collect(),
            began,
            longest: Duration::ZERO,
        }
    }

    /// Looks at all of them until none is left or time is up.
    fn wait_until_cut(&mut self) {
        let mut dripped = Instant::now();
        while !self.connections.is_empty() && self.began.elapsed() < CUT + Duration::from_secs(10) {
            let before = self.connections.len();
            self.connections.retain_mut(|(_, stream)| is_open(stream));
            if self.connections.len() < before {
                self.longest = self.began.elapsed();
            }
            if dripped.elapsed() > Duration::from_secs(10) {
                for (kind, stream) in &mut self.connections {
                    let _ = stream.write(KINDS[*kind].drip);
                }
                dripped = Instant::now();
            }
            thread::sleep(Duration::from_millis(250));
        }
    }

    fn require(&self, findings: &mut Findings) -> Outcome {
        for (place, kind) in KINDS.iter().enumerate() {
            let left = self
                .connections
                .iter()
                .filter(|(kind, _)| *kind == place)
                .count();
            findings.require(left == 0, format!("{}: {left} are still open", kind.what));
        }
        findings.require(
            self.longest <= CUT,
            format!("the last was cut after {:?}", self.longest),
        );
        Ok(())
    }
}

fn begin(instance: &Instance, kind: &Kind) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(instance.address)?;
    stream.set_nonblocking(true)?;
    // As much as is taken; the server may have refused by then.
    let _ = stream.write(&(kind.begin)(&instance.host()));
    Ok(stream)
}

/// Reads what there is.
fn is_open(stream: &mut TcpStream) -> bool {
    let mut part = [0; 4_096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

/// Asks a lot, and reads nothing.
fn never_reading(instance: &Instance) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(instance.address)?;
    stream.set_nonblocking(true)?;
    let request = format!("GET /login HTTP/1.1\r\nHost: {}\r\n\r\n", instance.host());
    let _ = stream.write(request.repeat(UNREAD).as_bytes());
    Ok(stream)
}

/// Whether fewer answers come than were asked for.
fn is_cut_off(mut stream: &TcpStream) -> bool {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut all = Vec::new();
    let ended = stream.read_to_end(&mut all);
    let head = b"HTTP/1.1 200";
    let answers = all.windows(head.len()).filter(|part| part == head).count();
    // Still open after a minute is not cut.
    let waited = ended.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
    !waited && answers < UNREAD
}
