//! The way in: what is too slow, too much or not for us is refused with our headers, and others are served.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Machine, PATIENCE, Server, exchange, parse, program, wait_for};
use crate::support::{Answer, PASSWORD};

/// The longest that anyone slow may keep a connection.
const CUT: Duration = Duration::from_secs(30);

fn connect(machine: &Machine) -> TcpStream {
    let stream =
        TcpStream::connect((Ipv4Addr::LOCALHOST, machine.port)).expect("a listening server");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a read timeout");
    stream
}

/// A request with `lines` below its Host; empty or ended by a line break.
fn ask(machine: &Machine, line: &str, lines: &str) -> Answer {
    let port = machine.port;
    let request = format!("{line}\r\nHost: localhost:{port}\r\nConnection: close\r\n{lines}\r\n");
    parse(&exchange(port, request.as_bytes()))
}

/// It is all text, so that it goes through a request that is.
fn icon_of(bytes: usize) -> String {
    let header = "RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\0\0\x1f\0\0";
    header.to_owned() + &"x".repeat(bytes - header.len())
}

#[test]
fn an_icon_may_be_larger_than_other_forms() {
    let machine = Machine::new();
    let _server = machine.start();
    machine.add_user("alice", &["--admin"]);
    machine.cli(&["site", "add", "app.example.com"]).done();
    let mut alice = machine.signed_in("alice");
    let id = machine.text("SELECT lower(hex(id)) FROM sites");
    let path = format!("/admin/sites/{id}/icon");
    let origin = format!("Origin: http://{}\r\n", alice.host);
    let headers = format!("Content-Type: multipart/form-data; boundary=b\r\n{origin}");
    let mut send = |bytes: usize| {
        let icon = icon_of(bytes);
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"icon\"; filename=\"a\"\r\n\r\n{icon}\r\n--b--\r\n"
        );
        alice.send("POST", &path, &headers, &body)
    };
    assert_eq!(send(64 * 1_024).status, 303);
    let refused = send(64 * 1_024 + 1);
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("64 KiB at most"), "{}", refused.body);
    assert_eq!(send(200 * 1_024).status, 413);
}

fn assert_is_ours(answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("server", ""),
    ] {
        assert_eq!(answer.header(name), value, "{answer:?}");
    }
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';"), "{answer:?}");
    assert!(!answer.header("content-type").is_empty(), "{answer:?}");
    let told = answer.body.to_ascii_lowercase();
    assert!(
        told.contains("</html>") || told.starts_with('{'),
        "{answer:?}"
    );
}

#[test]
fn inp_02_targets_fields_and_heads_are_taken_up_to_their_limit() {
    let machine = Machine::new();
    let _server = machine.start();
    let target = |length: usize| {
        let target = format!("/login?{}", "a".repeat(length - "/login?".len()));
        ask(&machine, &format!("GET {target} HTTP/1.1"), "").status
    };
    assert_eq!([8_192, 8_193, 81_920].map(target), [200, 414, 431]);
    let field = |length: usize| {
        let field = format!("X-Long: {}\r\n", "a".repeat(length - "x-long".len()));
        ask(&machine, "GET /login HTTP/1.1", &field).status
    };
    assert_eq!([8_192, 8_193, 81_920].map(field), [200, 431, 431]);
    let cookie = |length: usize| {
        let field = format!("Cookie: a={}\r\n", "a".repeat(length - "cookiea=".len()));
        ask(&machine, "GET /login HTTP/1.1", &field).status
    };
    assert_eq!([8_192, 8_193].map(cookie), [200, 431]);
    let fields = |count: usize| {
        // Host and Connection are there already.
        let fields = "X-Many: a\r\n".repeat(count - 2);
        ask(&machine, "GET /login HTTP/1.1", &fields).status
    };
    assert_eq!([100, 101, 1_000].map(fields), [200, 431, 431]);
    let head = |length: usize| {
        let line = "GET /login HTTP/1.1";
        let fixed = format!(
            "{line}\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
            machine.port
        );
        let left = length - fixed.len();
        let filler =
            |length: usize| format!("X-Fill: {}\r\n", "a".repeat(length - "X-Fill: \r\n".len()));
        let fields = [
            filler(left / 4),
            filler(left / 4),
            filler(left / 4),
            filler(left - left / 4 * 3),
        ];
        ask(&machine, line, &fields.concat()).status
    };
    assert_eq!([24_576, 24_577].map(head), [200, 431]);
}

#[test]
fn inp_02_a_body_is_taken_up_to_its_limit_and_no_further() {
    let machine = Machine::new();
    let _server = machine.start();
    // The form itself is refused from 16 KiB on, with the same status.
    for length in [16_385, 32_769, 32_768_000_u64] {
        let said = format!(
            "Content-Length: {length}\r\nContent-Type: application/x-www-form-urlencoded\r\nOrigin: http://localhost:{}\r\n",
            machine.port
        );
        let mut stream = connect(&machine);
        let head = format!(
            "POST /login HTTP/1.1\r\nHost: localhost:{}\r\n{said}\r\n",
            machine.port
        );
        stream.write_all(head.as_bytes()).expect("a head");
        // More than the limit is not waited for.
        let sent = length.min(32_768) as usize;
        let _ = stream.write_all(&vec![b'a'; sent]);
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413", "{length}");
    }
    let chunk = format!("8001\r\n{}\r\n0\r\n\r\n", "a".repeat(0x8001));
    let answer = ask(
        &machine,
        "POST /login HTTP/1.1",
        &format!("Transfer-Encoding: chunked\r\n\r\n{chunk}"),
    );
    assert_eq!(answer.status, 413);
}

#[test]
fn inp_06_a_target_that_names_a_host_is_refused() {
    let machine = Machine::new();
    let _server = machine.start();
    let own = format!("http://localhost:{}/login", machine.port);
    for target in [
        "http://evil.example/login",
        own.as_str(),
        "evil.example:80",
        "*",
    ] {
        for method in ["GET", "POST", "OPTIONS", "CONNECT"] {
            let answer = ask(&machine, &format!("{method} {target} HTTP/1.1"), "");
            assert_eq!(answer.status, 400, "{method} {target}");
            assert!(!answer.body.contains("evil"), "{}", answer.body);
        }
    }
}

#[test]
fn inp_06_a_request_has_one_host_even_where_any_host_will_do() {
    let machine = Machine::new();
    let _server = machine.start();
    let status = |hosts: &str, version: &str| {
        let request = format!("GET /healthz HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        parse(&exchange(machine.port, request.as_bytes())).status
    };
    assert_eq!(status("Host: any.example\r\n", "1.1"), 200);
    assert_eq!(status("", "1.1"), 400);
    assert_eq!(status("Host: a\r\nHost: a\r\n", "1.1"), 400);
    assert_eq!(status("Host: a\r\nHost: a\r\n", "1.0"), 400);
    assert_eq!(
        status("", "1.0"),
        200,
        "health checks of HTTP/1.0 know no Host"
    );
}

#[test]
fn hdr_01_every_refusal_of_the_listener_has_the_headers_of_all_answers() {
    let machine = Machine::new();
    let _server = machine.start();
    let long = "a".repeat(9_000);
    for (line, lines, status) in [
        ("nonsense", String::new(), 400),
        ("GET /login HTTP/1.1", "no colon\r\n".to_owned(), 400),
        ("GET /\u{7f} HTTP/1.1", String::new(), 400),
        ("GET /login HTTP/2.0", String::new(), 400),
        ("GET http://evil.example/ HTTP/1.1", String::new(), 400),
        ("GET /login HTTP/1.1", "Host: twice\r\n".to_owned(), 400),
        (
            "GET /login HTTP/1.1",
            "Content-Type: a/b\r\nContent-Type: c/d\r\n".to_owned(),
            400,
        ),
        ("PUT /login HTTP/1.1", String::new(), 405),
        ("PROPFIND /login HTTP/1.1", String::new(), 405),
        (
            "GET /api/session HTTP/1.1",
            format!("X-Long: {long}\r\n"),
            431,
        ),
        ("GET /login HTTP/1.1", "X-Many: a\r\n".repeat(200), 431),
        (
            "POST /login HTTP/1.1",
            "Content-Length: 40000\r\n".to_owned(),
            413,
        ),
    ] {
        let answer = ask(&machine, line, &lines);
        assert_eq!(answer.status, status, "{line} {lines}");
        assert_is_ours(&answer);
    }
    let answer = ask(&machine, &format!("GET /{long} HTTP/1.1"), "");
    assert_eq!(answer.status, 414);
    assert_is_ours(&answer);
}

#[test]
fn a_refusal_behind_an_answer_on_the_same_connection_is_dressed_too() {
    let machine = Machine::new();
    let _server = machine.start();
    let port = machine.port;
    let two = format!("GET /healthz HTTP/1.1\r\nHost: localhost:{port}\r\n\r\nnonsense\r\n\r\n");
    let answers = exchange(port, two.as_bytes());
    let text = String::from_utf8_lossy(&answers);
    let second = text.rfind("HTTP/1.1 400").expect("a refusal");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert_is_ours(&parse(&answers[second..]));
}

#[test]
fn cfg_05_a_method_of_no_page_is_told_which_are() {
    let machine = Machine::new();
    let _server = machine.start();
    for method in ["PUT", "DELETE", "TRACE", "OPTIONS", "PROPFIND", "get"] {
        let answer = ask(
            &machine,
            &format!("{method} /login HTTP/1.1"),
            "X-Canary: tweet\r\n",
        );
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, "GET, HEAD, POST"),
            "{method}"
        );
        assert!(!format!("{answer:?}").contains("tweet"), "{answer:?}");
    }
}

#[test]
fn a_target_that_browsers_send_and_rfc_3986_has_no_place_for_is_served() {
    let machine = Machine::new();
    let _server = machine.start();
    for target in ["/login?q=a|b", "/login?{x}^`\\", "/login?100%", "/lo%67in"] {
        assert_eq!(
            ask(&machine, &format!("GET {target} HTTP/1.1"), "").status,
            200,
            "{target}"
        );
    }
}

/// How long it takes until the server ends the connection.
fn time_to_be_cut(mut stream: TcpStream) -> Duration {
    let begun = Instant::now();
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(
            error.kind(),
            ErrorKind::ConnectionReset,
            "cut, and not waited for in vain"
        );
    }
    begun.elapsed()
}

#[test]
fn lod_02_half_a_head_is_not_waited_for() {
    let machine = Machine::new();
    let _server = machine.start();
    let mut stream = connect(&machine);
    stream.write_all(b"GET /login HT").expect("half a line");
    assert!(time_to_be_cut(stream) < CUT);
}

#[test]
fn lod_02_a_head_that_comes_byte_by_byte_is_cut_all_the_same() {
    let machine = Machine::new();
    let _server = machine.start();
    let mut stream = connect(&machine);
    let mut writer = stream.try_clone().expect("a second handle");
    let cut = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !cut.load(Ordering::Relaxed) && writer.write_all(b"G").is_ok() {
                thread::park_timeout(Duration::from_millis(500));
            }
        });
        let begun = Instant::now();
        let _ = stream.read(&mut [0; 512]);
        cut.store(true, Ordering::Relaxed);
        assert!(begun.elapsed() < CUT);
    });
}

#[test]
fn lod_02_an_idle_connection_is_closed() {
    let machine = Machine::new();
    let _server = machine.start();
    let mut stream = connect(&machine);
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        machine.port
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let idle = time_to_be_cut(stream);
    assert!(
        idle > Duration::from_secs(5),
        "a browser's next click finds it open: {idle:?}"
    );
    assert!(idle < CUT);
}

#[test]
fn lod_02_half_a_body_is_not_waited_for() {
    let machine = Machine::new();
    let _server = machine.start();
    let mut stream = connect(&machine);
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: localhost:{}\r\nContent-Length: 10\r\n\r\n12345",
        machine.port
    );
    stream.write_all(head.as_bytes()).expect("half a body");
    let begun = Instant::now();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert!(begun.elapsed() < CUT);
    let answer = parse(&answer);
    assert_eq!(answer.status, 408);
    assert_is_ours(&answer);
}

#[test]
fn lod_02_whoever_reads_nothing_is_cut() {
    let machine = Machine::new();
    let _server = machine.start();
    let mut stream = connect(&machine);
    stream
        .set_write_timeout(Some(PATIENCE))
        .expect("a write timeout");
    let request = format!(
        "GET /login HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        machine.port
    );
    let many = request.repeat(200);
    // The server stops reading when nobody takes its answers.
    let begun = Instant::now();
    let mut progress = begun;
    while stream.write_all(many.as_bytes()).is_ok() {
        progress = Instant::now();
        assert!(begun.elapsed() < PATIENCE, "it reads without end");
    }
    assert!(progress.elapsed() < CUT);
}

#[test]
fn lod_03_unfinished_heads_take_a_bounded_memory_each() {
    let machine = Machine::new();
    let server = machine.start();
    let before = resident_kib(&server);
    let half = [
        b"GET /login HTTP/1.1\r\nX-Fill: ".to_vec(),
        vec![b'a'; 24_000],
    ]
    .concat();
    let mut whole = half.clone();
    whole.resize(400 * 1_024, b'a');
    let held: Vec<TcpStream> = (0..500)
        .map(|number| {
            let mut stream = connect(&machine);
            // A head of 400 KiB is refused long before it is there; the other stays below the limit.
            let _ = stream.write_all(if number % 2 == 0 { &half } else { &whole });
            stream
        })
        .collect();
    assert_eq!(
        machine.anonymous().get("/healthz").status,
        200,
        "all were accepted before"
    );
    let growth = resident_kib(&server).saturating_sub(before);
    assert!(
        growth < 500 * 32,
        "{growth} KiB for {} connections",
        held.len()
    );
}

#[test]
fn lod_03_a_proxy_that_asked_with_many_cookies_takes_a_bounded_memory_while_idle() {
    let machine = Machine::new().set("VESTIBULE_TRUSTED_PROXIES", "[\"127.0.0.1\"]");
    let server = machine.start();
    machine
        .cli(&["site", "add", "app.localhost", "--default", "public"])
        .done();
    let cookie = "x".repeat(32_000);
    let question = format!(
        "GET /api/authz/forward-auth HTTP/1.1\r\nHost: v\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\n\
         X-Forwarded-Host: app.localhost\r\nX-Forwarded-Uri: /\r\nCookie: a={cookie}\r\n\r\n"
    );
    let before = resident_kib(&server);
    let held: Vec<TcpStream> = (0..500)
        .map(|_| {
            let mut stream = connect(&machine);
            stream.write_all(question.as_bytes()).expect("a question");
            let mut answer = vec![0; cookie.len()];
            stream.read_exact(&mut answer).expect("an answer");
            assert!(answer.starts_with(b"HTTP/1.1 200"));
            stream
        })
        .collect();
    let growth = resident_kib(&server).saturating_sub(before);
    assert!(
        growth < 500 * 128,
        "{growth} KiB for {} connections",
        held.len()
    );
}

fn resident_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.expect("a size").trim().trim_end_matches(" kB");
    kib.parse().expect("a number")
}

#[test]
fn lod_01_people_are_served_while_thousands_of_connections_are_open() {
    let machine = Machine::new();
    let server = machine.start();
    machine.add_user("alice", &[]);
    let mut alice = machine.signed_in("alice");
    let before = resident_kib(&server);
    let held: Vec<TcpStream> = (0..2_000).map(|_| connect(&machine)).collect();
    for _ in 0..50 {
        let begun = Instant::now();
        assert_eq!(alice.session().status, 200);
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
    let growth = resident_kib(&server).saturating_sub(before);
    assert!(
        growth < held.len() as u64 * 50,
        "{growth} KiB, of 512 MiB for 10,000"
    );
    drop(held);
    wait_for("memory to be what it was, within a fifth", || {
        (resident_kib(&server) <= before * 6 / 5).then_some(())
    });
}

#[test]
fn lod_09_what_cannot_be_written_is_refused_within_seconds_and_then_goes_on() {
    let machine = Machine::new().set("VESTIBULE_THROTTLE__ACCOUNT_TRIES", "1000");
    let _server = machine.start();
    machine.add_user("alice", &[]);
    let busy = machine.locked();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let begun = Instant::now();
                let answer = machine.anonymous().sign_in("alice", PASSWORD);
                assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
                // A second for its turn, one for the lock, and what a busy machine takes.
                assert!(
                    begun.elapsed() < Duration::from_secs(10),
                    "{:?}",
                    begun.elapsed()
                );
            });
        }
    });
    drop(busy);
    let free = Instant::now();
    wait_for("a sign-in", || {
        (machine.anonymous().sign_in("alice", PASSWORD).status == 303).then_some(())
    });
    assert!(
        free.elapsed() < Duration::from_secs(2),
        "{:?}",
        free.elapsed()
    );
}

/// A server that may open so many files.
fn limited(machine: &Machine, files: u32) -> Server {
    let mut command = machine.command("prlimit");
    command.args([&format!("--nofile={files}:{files}"), program(), "serve"]);
    machine.start_command(command)
}

#[test]
fn flt_07_a_server_without_places_refuses_and_serves_again_when_there_are_some() {
    let machine = Machine::new();
    let mut server = limited(&machine, 64);
    let mut held: Vec<TcpStream> = (0..200).map(|_| connect(&machine)).collect();
    let mut turned_away = Vec::new();
    held[199].read_to_end(&mut turned_away).expect("an answer");
    let turned_away = parse(&turned_away);
    assert_eq!(turned_away.status, 503);
    assert_is_ours(&turned_away);
    held.clear();
    let freed = Instant::now();
    wait_for("an answer", || {
        (machine.anonymous().get("/healthz").status == 200).then_some(())
    });
    assert!(
        freed.elapsed() < Duration::from_secs(1),
        "{:?}",
        freed.elapsed()
    );
    assert!(!server.has_ended());
}

#[test]
fn flt_07_a_server_that_runs_out_of_descriptors_neither_ends_nor_spins() {
    let machine = Machine::new();
    let mut server = machine.start();
    let limit = |files: &str| {
        let mut command = Command::new("prlimit");
        command.args([
            "--pid",
            &server.id().to_string(),
            &format!("--nofile={files}"),
        ]);
        assert!(command.status().expect("prlimit").success());
    };
    let open = fs::read_dir(format!("/proc/{}/fd", server.id()))
        .expect("a process")
        .count();
    limit(&format!("{}:", open + 4));
    let held: Vec<TcpStream> = (0..50).map(|_| connect(&machine)).collect();
    wait_for("the server to say so", || {
        server
            .err()
            .contains("no connection can be accepted")
            .then_some(())
    });
    let (used, begun) = (server.cpu_ticks(), Instant::now());
    thread::park_timeout(Duration::from_secs(2));
    let ticks = server.cpu_ticks() - used;
    // A spinning thread takes a hundred a second.
    assert!(ticks < 40, "{ticks} ticks in {:?}", begun.elapsed());
    drop(held);
    let freed = Instant::now();
    assert_eq!(machine.anonymous().get("/healthz").status, 200);
    assert!(
        freed.elapsed() < Duration::from_secs(1),
        "{:?}",
        freed.elapsed()
    );
    assert!(!server.has_ended());
}

#[test]
fn a_sign_in_is_finished_when_its_browser_has_left() {
    let token = "t".repeat(43);
    let machine = Machine::new().set("VESTIBULE_METRICS_TOKEN", &token);
    let _server = machine.start();
    machine.add_user("alice", &[]);
    let hashes = || {
        let bearer = format!("Authorization: Bearer {token}\r\n");
        let told = machine.anonymous().send("GET", "/metrics", &bearer, "");
        let line = told
            .body
            .lines()
            .find_map(|line| line.strip_prefix("vestibule_password_hashes_total "));
        line.expect("a counter").to_owned()
    };
    let before = hashes();
    let busy = machine.locked();
    let body = format!("username=alice&password={}", PASSWORD.replace(' ', "+"));
    let host = format!("localhost:{}", machine.port);
    let mut stream = connect(&machine);
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    wait_for("the password to be checked", || {
        (hashes() != before).then_some(())
    });
    drop(stream);
    drop(busy);
    wait_for("the session", || {
        (machine.number("SELECT count(*) FROM sessions") == 1).then_some(())
    });
}

fn over(socket: &std::path::Path, path: &str, host: &str) -> Option<Answer> {
    let mut stream = UnixStream::connect(socket).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(parse(&answer))
}

#[test]
fn a_unix_socket_is_listened_on_and_taken_away_with_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("vestibule.sock");
    let machine = Machine::new().set("VESTIBULE_LISTEN", socket.to_str().expect("a path"));
    let server = Server::spawn(machine.command(program()));
    let ready = |what| {
        wait_for(what, || {
            over(&socket, "/readyz", "any").filter(|answer| answer.status == 200)
        });
    };
    ready("the first");
    assert!(
        server
            .out()
            .contains(&format!("(listening on {})", socket.display())),
        "{}",
        server.out()
    );
    let mode = fs::metadata(&socket)
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660, "a proxy of its group may connect");
    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, machine.port)).is_err(),
        "and nothing else is listened on"
    );
    server.kill();
    assert!(socket.exists(), "what a power cut leaves");
    let mut again = Server::spawn(machine.command(program()));
    ready("the second");
    assert!(again.stop().success());
    assert!(!socket.exists());
}

#[test]
fn a_path_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.txt");
    fs::write(&file, "mine").expect("a file");
    let machine = Machine::new().set("VESTIBULE_LISTEN", file.to_str().expect("a path"));
    let told = machine.refuses_to_start();
    assert!(
        told.contains("notes.txt") && told.contains("listen"),
        "{told}"
    );
    assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");
}

#[test]
fn cfg_01_listen_that_names_neither_a_path_nor_systemd_is_refused() {
    let machine = Machine::new().set("VESTIBULE_LISTEN", "127.0.0.1:9000");
    assert!(
        machine
            .refuses_to_start()
            .contains("listen: 127.0.0.1:9000")
    );
    let machine = Machine::new().set("VESTIBULE_LISTEN", "systemd");
    let told = machine.refuses_to_start();
    assert!(
        told.contains("0 sockets were handed over") && told.contains(".socket"),
        "{told}"
    );
}

/// A server that is handed `socket`, as systemd does it.
fn handed(machine: &Machine, socket: &TcpListener) -> Server {
    let mut command = machine.command("/bin/sh");
    let line = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve";
    let socket = OwnedFd::from(socket.try_clone().expect("a second handle"));
    command
        .args(["-c", line, program()])
        .stdin(Stdio::from(socket));
    machine.start_command(command)
}

#[test]
fn flt_08_a_restart_behind_a_socket_of_systemd_drops_no_connection() {
    let machine = Machine::new().set("VESTIBULE_LISTEN", "systemd");
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, machine.port)).expect("a free port");
    let mut server = handed(&machine, &socket);
    let done = AtomicBool::new(false);
    let (answered, told) = thread::scope(|scope| {
        let visitor = |_| {
            let (machine, done) = (&machine, &done);
            scope.spawn(move || {
                let mut answered = 0;
                while !done.load(Ordering::Relaxed) {
                    let answer = machine.anonymous().get("/login");
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    answered += 1;
                }
                answered
            })
        };
        let visitors: Vec<_> = (0..4).map(visitor).collect();
        let mut told = Vec::new();
        for _ in 0..3 {
            assert_eq!(server.stop().code(), Some(0));
            told.push(server.out());
            server = handed(&machine, &socket);
        }
        done.store(true, Ordering::Relaxed);
        let answered: Vec<u32> = visitors
            .into_iter()
            .map(|v| v.join().expect("no failure"))
            .collect();
        (answered, told)
    });
    assert!(
        answered.iter().all(|answered| *answered > 3),
        "{answered:?}"
    );
    assert!(
        told.iter().all(|out| out.contains("listening on")),
        "{told:?}"
    );
}
