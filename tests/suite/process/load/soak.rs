//! Whether the same load again takes more. In seconds only a leak is seen that many requests add to,
//! some hundred bytes each time; `cargo xtask soak` looks longer.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};

use super::super::keep_alive::Connection;
use super::super::{Machine, Server, wait_for};
use super::memory_at_rest_kib;

/// Checks, a sign-in, pages, a revoke, a sign-out, bad requests and dropped connections.
fn load(machine: &Machine, cookie: &str) {
    let mut root = machine.signed_in("root");
    let mut alice = machine.signed_in("alice");
    let mut left_open = machine.signed_in("alice");
    for path in ["/account", "/account/sessions"] {
        assert_eq!(alice.get(path).status, 200, "{path}");
    }
    for path in ["/admin", "/admin/sessions", "/admin/users", "/admin/audit"] {
        assert_eq!(root.get(path).status, 200, "{path}");
    }
    let revoke = format!("/admin/sessions/{}/revoke", left_open.session_id());
    assert_eq!(root.post(&revoke, &[]).status, 303);
    for browser in [&mut root, &mut alice] {
        assert_eq!(browser.post("/logout", &[]).status, 303);
    }
    assert_eq!(machine.anonymous().get("/nothing/is/here").status, 404);
    assert_eq!(machine.anonymous().sign_in("alice", "x").status, 401);
    let mut connection = Connection::open(machine);
    let mut valid = Connection::open(machine).with(cookie);
    for _ in 0..500 {
        assert_eq!(connection.send("GET", "/api/session", ""), 401);
        assert_eq!(valid.send("GET", "/api/session", ""), 200);
    }
    for sent in [
        "",
        "GET /login HT",
        "GET /login HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut dropped =
            TcpStream::connect((Ipv4Addr::LOCALHOST, machine.port)).expect("a server");
        dropped.write_all(sent.as_bytes()).expect("sent");
    }
}

fn descriptors(server: &Server) -> usize {
    let folder = format!("/proc/{}/fd", server.id());
    fs::read_dir(folder).expect("a process").count()
}

fn threads(server: &Server) -> usize {
    let folder = format!("/proc/{}/task", server.id());
    fs::read_dir(folder).expect("a process").count()
}

#[test]
fn lod_08_the_same_load_again_takes_no_more_memory_descriptors_or_threads() {
    const ROUNDS: usize = 10;
    let machine = Machine::new()
        .set("VESTIBULE_THROTTLE__ACCOUNT_TRIES", "100")
        .set("VESTIBULE_THROTTLE__ADDRESS_TRIES", "100");
    machine.add_user("alice", &[]);
    machine.add_user("root", &["--admin"]);
    let server = machine.start();
    let held = machine.signed_in("alice");
    // Caches and pools fill.
    for _ in 0..ROUNDS {
        load(&machine, &held.cookie);
    }
    let before = (
        memory_at_rest_kib(&server),
        descriptors(&server),
        threads(&server),
    );
    for _ in 0..2 * ROUNDS {
        load(&machine, &held.cookie);
    }
    let none_is_left = || (descriptors(&server) <= before.1 + 2).then_some(());
    wait_for("the descriptors to be closed", none_is_left);
    wait_for("the threads to end", || {
        (threads(&server) <= before.2 + 1).then_some(())
    });
    let after = memory_at_rest_kib(&server);
    println!("{} KiB, then {after} KiB", before.0);
    assert!(
        after < before.0 + 2_048,
        "{} KiB, then {after} KiB",
        before.0
    );
}
