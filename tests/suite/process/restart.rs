//! What Vestibule exists for: who is signed in stays signed in while the server stops and starts.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Browser, Machine, Server, parse, wait_for};
use crate::support::PASSWORD;

/// The first admin, made with the link that a first start prints.
fn set_up(machine: &Machine, server: &Server) -> Browser {
    let mut browser = machine.anonymous();
    let code = server.setup_code();
    assert_eq!(browser.get(&format!("/setup?code={code}")).status, 200);
    let answer = browser.post("/setup", &first_admin(&code));
    assert_eq!(answer.status, 303, "{}", answer.body);
    browser
}

fn first_admin(code: &str) -> [(&str, &str); 3] {
    [
        ("code", code),
        ("username", "owner"),
        ("password", PASSWORD),
    ]
}

#[test]
fn a_session_outlives_sigterm_and_ends_with_the_sign_out() {
    let machine = Machine::new();
    let mut server = machine.start();
    set_up(&machine, &server);
    let mut browser = machine.signed_in("owner");
    let session = browser.session().json();
    assert!(server.stop().success());
    let _again = machine.start();
    assert_eq!(browser.session().json(), session);
    assert_eq!(browser.post("/logout", &[]).status, 303);
    assert_eq!(browser.session().status, 401);
}

#[test]
fn a_session_outlives_sigkill_right_after_the_sign_in() {
    let machine = Machine::new();
    let server = machine.start();
    machine.add_user("alice", &[]);
    let mut browser = machine.signed_in("alice");
    server.kill();
    let _again = machine.start();
    let cookie = browser.cookie.clone();
    assert_eq!(browser.session().json()["user"]["username"], "alice");
    assert_eq!(browser.post("/logout", &[]).status, 303);
    browser.cookie = cookie;
    assert_eq!(browser.session().status, 401);
}

#[test]
fn a_sign_out_outlives_sigkill() {
    let machine = Machine::new();
    let server = machine.start();
    machine.add_user("alice", &[]);
    let mut browser = machine.signed_in("alice");
    let cookie = browser.cookie.clone();
    assert_eq!(browser.post("/logout", &[]).status, 303);
    server.kill();
    let _again = machine.start();
    browser.cookie = cookie;
    assert_eq!(browser.session().status, 401);
}

#[test]
fn a_first_start_prints_the_address_the_database_and_the_set_up_link() {
    let machine = Machine::new();
    let server = machine.start();
    let code = server.setup_code();
    let port = machine.port;
    assert_eq!(
        server.out(),
        format!(
            "Vestibule {}\n  Address    http://localhost:{port} (listening on 127.0.0.1:{port})\n  \
             Database   vestibule.db\n  Set up     http://localhost:{port}/setup?code={code}\n             \
             makes the first admin; good for an hour, and once\n",
            env!("CARGO_PKG_VERSION")
        )
    );
}

#[test]
fn a_later_start_prints_no_set_up_link() {
    let machine = Machine::new();
    machine.add_user("owner", &["--admin"]);
    let mut server = machine.start();
    assert!(server.stop().success());
    let out = server.out();
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(out.contains("Address") && out.contains("Database") && !out.contains("setup"));
}

#[test]
fn log_08_the_set_up_code_works_once() {
    let machine = Machine::new();
    let server = machine.start();
    set_up(&machine, &server);
    let code = server.setup_code();
    let mut second = machine.anonymous();
    assert_eq!(second.get(&format!("/setup?code={code}")).status, 404);
    assert_eq!(second.post("/setup", &first_admin(&code)).status, 404);
    assert_eq!(machine.number("SELECT count(*) FROM users"), 1);
}

#[test]
fn log_08_the_set_up_code_is_unusable_once_an_admin_exists() {
    let machine = Machine::new();
    let server = machine.start();
    let code = server.setup_code();
    machine.add_user("alice", &["--admin"]);
    let answer = machine.anonymous().post("/setup", &first_admin(&code));
    assert_eq!(answer.status, 404);
    assert_eq!(machine.number("SELECT count(*) FROM users"), 1);
}

#[test]
fn log_08_the_set_up_code_of_an_earlier_start_is_dead() {
    let machine = Machine::new();
    let mut server = machine.start();
    let code = server.setup_code();
    server.stop();
    let again = machine.start();
    assert_ne!(again.setup_code(), code);
    let answer = machine.anonymous().post("/setup", &first_admin(&code));
    assert_eq!(answer.status, 403);
}

#[test]
fn log_08_guesses_at_the_set_up_code_are_counted_until_they_are_throttled() {
    let machine = Machine::new().set("VESTIBULE_THROTTLE__ADDRESS_TRIES", "3");
    let server = machine.start();
    let mut browser = machine.anonymous();
    let guess = "A".repeat(43);
    let mut post = |code: &str| browser.post("/setup", &first_admin(code));
    let statuses: Vec<u16> = (0..4).map(|_| post(&guess).status).collect();
    assert_eq!(statuses, [403, 403, 403, 429]);
    assert_eq!(
        post(&server.setup_code()).status,
        429,
        "the right one waits, too"
    );
}

#[test]
fn log_08_there_is_no_default_account() {
    let machine = Machine::new().set("VESTIBULE_THROTTLE__ADDRESS_TRIES", "100");
    let _server = machine.start();
    let names = [
        "admin",
        "root",
        "vestibule",
        "user",
        "administrator",
        "owner",
        "test",
    ];
    for name in names {
        for password in ["admin", "password", name] {
            let answer = machine.anonymous().sign_in(name, password);
            assert_eq!(answer.status, 401, "{name}, {password}");
        }
    }
}

#[test]
fn flt_08_a_request_that_has_begun_is_answered_and_new_ones_are_told_to_come_back() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    let mut server = machine.start();
    let mut browser = machine.anonymous();
    let body = format!("username=alice&password={}", PASSWORD.replace(' ', "+"));
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nConnection: close\r\nExpect: 100-continue\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {1}\r\n\r\n",
        browser.host,
        body.len()
    );
    let address = (Ipv4Addr::LOCALHOST, machine.port);
    let mut stream = TcpStream::connect(address).expect("a listening server");
    stream.write_all(head.as_bytes()).expect("a head");
    // The server asks for the body: the request is being served.
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut told = [0; 25];
    stream.read_exact(&mut told).expect("a word to go on");
    assert_eq!(&told, go_on);
    stream
        .write_all(&body.as_bytes()[..9])
        .expect("half a body");
    server.signal(Signal::TERM);
    let refused = wait_for("the server to drain", || {
        let answer = machine.anonymous().get("/healthz");
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(refused.header("retry-after"), "1");
    stream.write_all(&body.as_bytes()[9..]).expect("the rest");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = parse(&answer);
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(server.ended().code(), Some(0));
    let cookie = answer.header("set-cookie");
    browser.cookie = cookie.split(';').next().expect("a cookie").to_owned();
    let _again = machine.start();
    assert_eq!(browser.session().status, 200);
}

#[test]
fn flt_08_a_client_that_says_nothing_more_does_not_hold_up_the_end_beyond_grace_and_mercy() {
    let machine = Machine::with_file("[default]\nshutdown = { grace = 1, mercy = 1 }\n");
    let mut server = machine.start();
    let address = (Ipv4Addr::LOCALHOST, machine.port);
    let mut stream = TcpStream::connect(address).expect("a listening server");
    stream.write_all(b"GET /login HT").expect("half a line");
    assert_eq!(machine.anonymous().get("/healthz").status, 200);
    let told = Instant::now();
    assert_eq!(server.stop().code(), Some(0));
    // Less than the defaults would take, and more than a busy machine needs.
    assert!(told.elapsed() < Duration::from_secs(8));
}

#[test]
fn flt_08_sigterm_and_sigint_end_the_server_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let machine = Machine::new();
        let mut server = machine.start();
        server.signal(signal);
        assert_eq!(server.ended().code(), Some(0), "{signal:?}");
    }
}

/// A server with a client that has sent half a request, and gives it far longer than the test has.
fn with_a_client_that_waits(mut command: Command, machine: &Machine) -> (Server, TcpStream) {
    command.env("VESTIBULE_SHUTDOWN__GRACE", "600");
    command.env("VESTIBULE_SHUTDOWN__MERCY", "1");
    let server = machine.start_command(command);
    let address = (Ipv4Addr::LOCALHOST, machine.port);
    let mut stream = TcpStream::connect(address).expect("a listening server");
    stream.write_all(b"GET /login HT").expect("half a line");
    assert_eq!(machine.anonymous().get("/healthz").status, 200);
    (server, stream)
}

fn wait_until_it_drains(machine: &Machine) {
    wait_for("the server to drain", || {
        (machine.anonymous().get("/healthz").status == 503).then_some(())
    });
}

#[test]
fn flt_08_a_terminal_that_is_closed_ends_the_server_as_sigterm_does() {
    let machine = Machine::new();
    // What runs the tests may ignore the signal, and hand that down.
    let mut command = machine.command("env");
    command.args(["--default-signal=HUP", super::program()]);
    let (mut server, mut stream) = with_a_client_that_waits(command, &machine);
    server.signal(Signal::HUP);
    wait_until_it_drains(&machine);
    let rest = format!("TP/1.1\r\nHost: localhost:{}\r\n\r\n", machine.port);
    stream.write_all(rest.as_bytes()).expect("the rest");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert_eq!(parse(&answer).status, 200);
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_server_under_nohup_goes_on_ignoring_its_terminal() {
    let machine = Machine::new();
    let mut command = machine.command("env");
    command.args(["--ignore-signal=HUP", super::program()]);
    let server = machine.start_command(command);
    let status = format!("/proc/{}/status", server.id());
    let status = std::fs::read_to_string(status).expect("a process");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(mask.expect("a mask").trim(), 16).expect("a number");
    assert_eq!(mask & 1, 1, "{status}");
}

#[test]
fn flt_08_a_second_ctrl_c_ends_the_server_without_the_time_of_grace() {
    let machine = Machine::new();
    let (mut server, _stream) =
        with_a_client_that_waits(machine.command(super::program()), &machine);
    server.signal(Signal::INT);
    wait_until_it_drains(&machine);
    assert!(!server.has_ended());
    server.signal(Signal::INT);
    assert_eq!(server.ended().code(), Some(0));
}
