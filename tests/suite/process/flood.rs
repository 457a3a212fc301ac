//! What an attack may write, and a log that cannot be written.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::time::Instant;

use super::keep_alive::Connection;
use super::{Machine, Server, program};

/// A server whose standard error is `redirected` as the shell understands it, with `$1` for a name.
fn started(machine: &Machine, redirected: &str, name: &str) -> Server {
    let mut shell = machine.command("/bin/sh");
    let line = format!("exec \"$0\" serve {redirected}");
    shell.args(["-c", &line, program(), name]);
    machine.start_command(shell)
}

/// Forms from another site: each is refused, and would have a line in the log.
fn bad_requests(machine: &Machine, count: usize) {
    let mut connection = Connection::open(machine);
    let headers =
        "Origin: https://evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    for _ in 0..count {
        assert_eq!(connection.send("POST", "/login", headers), 403);
    }
}

#[test]
fn aud_06_an_attack_writes_a_bounded_log() {
    let machine = Machine::new();
    let log = machine.path("log");
    let _server = started(&machine, "2>\"$1\"", log.to_str().expect("a name in UTF-8"));
    let begun = Instant::now();
    bad_requests(&machine, 5_000);
    let seconds = begun.elapsed().as_secs() + 1;
    let text = fs::read_to_string(&log).expect("a log");
    let lines = text
        .lines()
        .filter(|line| line.contains("another site"))
        .count() as u64;
    assert!(lines > 0, "there is a log to look at: {text}");
    assert!(lines <= 50 * (seconds + 1), "{lines} lines in {seconds} s");
}

#[test]
fn aud_06_a_log_that_is_closed_or_full_stops_nothing() {
    for redirected in ["2>&-", "2>/dev/full"] {
        let machine = Machine::new();
        machine.add_user("alice", &[]);
        let _server = started(&machine, redirected, "");
        bad_requests(&machine, 200);
        let mut alice = machine.signed_in("alice");
        assert_eq!(alice.session().status, 200, "{redirected}");
    }
}

#[test]
fn aud_06_a_log_that_nobody_reads_stops_nothing() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    let fifo = machine.path("log");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .expect("mkfifo")
            .success()
    );
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("a flag");
    let mut pipe = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(nonblocking)
        .open(&fifo)
        .expect("a pipe");
    let full = std::iter::repeat(()).find_map(|()| pipe.write_all(b"x").err());
    assert_eq!(full.map(|error| error.kind()), Some(ErrorKind::WouldBlock));
    let _server = started(
        &machine,
        "2<>\"$1\"",
        fifo.to_str().expect("a name in UTF-8"),
    );
    bad_requests(&machine, 200);
    let mut alice = machine.signed_in("alice");
    assert_eq!(alice.session().status, 200);
}
