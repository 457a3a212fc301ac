use std::fs::File;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::*;

const HOLD: &str = "import sqlite3, sys
connection = sqlite3.connect('vestibule.db', isolation_level=None)
connection.execute('BEGIN EXCLUSIVE')
print('held', flush=True)
sys.stdin.read()";

/// Another program that keeps the right to write.
fn holder(machine: &Machine) -> Server {
    let mut python = machine.command("python3");
    python.args(["-c", HOLD]).stdin(Stdio::piped());
    let holder = Server::spawn(python);
    wait_for("the lock", || holder.out().contains("held").then_some(()));
    holder
}

#[test]
fn flt_04_while_another_program_holds_the_database_reads_go_on_and_writes_are_refused_in_time() {
    if !is_there("python3", "another program's lock is borne") {
        return;
    }
    let machine = with_alice();
    let _server = machine.start();
    let mut browser = machine.signed_in("alice");
    let records = machine.number("SELECT count(*) FROM audit");
    for stopped in [false, true] {
        let holder = holder(&machine);
        if stopped {
            holder.signal(Signal::STOP);
        }
        thread::scope(|scope| {
            let write = || {
                let began = Instant::now();
                assert_eq!(try_to_sign_in(&machine).0, 503);
                // A second for its turn and a second for the lock; the rest is this machine's.
                assert!(
                    began.elapsed() < Duration::from_secs(6),
                    "{:?}",
                    began.elapsed()
                );
            };
            let writers: Vec<_> = (0..4).map(|_| scope.spawn(write)).collect();
            let mut leaving = browser.clone();
            while writers.iter().any(|writer| !writer.is_finished()) {
                let began = Instant::now();
                assert_eq!(leaving.session().status, 200);
                assert!(
                    began.elapsed() < Duration::from_secs(1),
                    "{:?}",
                    began.elapsed()
                );
            }
            assert_eq!(leaving.post("/logout", &[]).status, 503);
        });
        drop(holder);
        assert_eq!(
            machine.number("SELECT count(*) FROM audit"),
            records,
            "nothing was half done"
        );
        assert_eq!(machine.number(SESSIONS), 1);
    }
    assert_eq!(browser.post("/logout", &[]).status, 303);
    assert_eq!(try_to_sign_in(&machine).0, 303);
}

#[test]
fn flt_04_who_looks_whether_a_server_runs_is_in_no_servers_way() {
    let machine = with_alice();
    let lock = File::open(machine.path("vestibule.db.lock")).expect("a lock");
    lock.lock_shared().expect("a look, as of `db status`");
    let server = Server::spawn(machine.command(program()));
    let descriptors = format!("/proc/{}/fd", server.id());
    wait_for("the server to meet the lock", || {
        let open = fs::read_dir(&descriptors).ok()?.flatten();
        let mut files = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        files
            .any(|file| file.ends_with("vestibule.db.lock"))
            .then_some(())
    });
    drop(lock);
    wait_for("the server to be ready", || {
        std::net::TcpStream::connect(("127.0.0.1", machine.port))
            .is_ok()
            .then_some(())
    });
    let status = machine.cli(&["db", "status", "--json"]).done().json();
    assert_eq!(status["served"], true);
}
