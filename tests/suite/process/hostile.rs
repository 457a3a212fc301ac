//! Whatever comes over a socket is answered or cut off, soon, and breaks nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{Machine, Server, exchange};

/// How many requests are made up; a release sends more (CONTRIBUTING.md).
const MADE_UP: usize = 2_000;
const COUNT: &str = "TEST_HOSTILE_REQUESTS";

const SOON: Duration = Duration::from_secs(1);
/// For a request that waits for something that never comes.
const NEVER: Duration = Duration::from_secs(20);

/// A server, and what a request to it may hold: its host, and the cookie of an admin.
struct Target {
    machine: Machine,
    server: Server,
    cookie: String,
    sent: usize,
    answered: BTreeSet<u16>,
}

impl Target {
    fn start() -> Self {
        let machine = Machine::new().set("VESTIBULE_TRUSTED_PROXIES", "[\"127.0.0.1\"]");
        let server = machine.start();
        machine.add_user("admin", &["--admin"]);
        machine
            .cli(&["site", "add", "app.example.net", "--default", "signed-in"])
            .done();
        machine
            .cli(&["site", "add", "open.example.net", "--default", "public"])
            .done();
        Self {
            cookie: machine.signed_in("admin").cookie,
            machine,
            server,
            sent: 0,
            answered: BTreeSet::new(),
        }
    }

    /// Sends bytes in which `{host}` and `{admin}` stand for what they are here.
    fn takes(&mut self, request: &[u8]) {
        let host = format!("localhost:{}", self.machine.port);
        let request = replaced(request, b"{host}", host.as_bytes());
        let request = replaced(&request, b"{admin}", self.cookie.as_bytes());
        let shown = String::from_utf8_lossy(&request).into_owned();
        // What is slow each time is slow by itself, and not for the machine's sake.
        let mut is_soon = || {
            let began = Instant::now();
            let answer = self.answer(&request);
            assert!(began.elapsed() < NEVER, "it hangs: {shown:?}");
            let status = status(&answer);
            self.answered.extend(status);
            assert!(
                status.is_none_or(|status| status < 500 || [501, 505].contains(&status)),
                "{status:?} to {shown:?}"
            );
            began.elapsed() < SOON
        };
        assert!((0..3).any(|_| is_soon()), "it is slow: {shown:?}");
        self.sent += 1;
    }

    /// All that comes back until the server closes.
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let at = (Ipv4Addr::LOCALHOST, self.machine.port);
        let mut stream = TcpStream::connect(at).expect("a listening server");
        stream.set_read_timeout(Some(NEVER)).expect("a timeout");
        // A server that has seen enough closes before all is sent.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    fn ends_unharmed(mut self, at_least: usize) {
        assert!(self.sent >= at_least, "only {} were sent", self.sent);
        // They came to pages, forms and refusals of all kinds.
        for status in [200, 303, 400, 401, 403, 404] {
            assert!(self.answered.contains(&status), "{:?}", self.answered);
        }
        assert!(!self.server.has_ended());
        let health = exchange(self.machine.port, b"GET /readyz HTTP/1.0\r\n\r\n");
        assert!(health.ends_with(b"ready"));
        self.server.stop();
        let log = self.server.err();
        assert!(!log.contains("panicked"), "{log}");
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut result = Vec::new();
    while let Some(at) = rest.windows(from.len()).position(|part| part == from) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    [result, rest.to_vec()].concat()
}

/// `None` where the connection was closed without a word.
fn status(answer: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(answer);
    let status = text.split(' ').nth(1);
    status.map(|status| {
        status
            .parse()
            .unwrap_or_else(|_| panic!("no status: {text}"))
    })
}

/// The inputs that are kept for a fuzz target.
fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let entries = fs::read_dir(folder.join(target)).expect("a corpus");
    entries
        .map(|entry| fs::read(entry.expect("an entry").path()).expect("a file"))
        .collect()
}

/// A request in the form of the fuzz targets (`METHOD target`, headers, an empty line, a body) as it is
/// sent.
fn as_sent(input: &[u8]) -> Vec<u8> {
    let at = input.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = at.map_or((input, &b""[..]), |at| (&input[..at], &input[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut request = lines.next().unwrap_or_default().to_vec();
    request.extend(b" HTTP/1.1");
    let headers: Vec<&[u8]> = lines.filter(|line| !is_about_length(line)).collect();
    if !headers.iter().any(|line| line.starts_with(b"Host:")) {
        request.extend(b"\r\nHost: {host}");
    }
    for line in headers {
        request.extend(b"\r\n");
        request.extend(line);
    }
    let length = body.len();
    request.extend(format!("\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n").as_bytes());
    request.extend(body);
    replaced(&request, b"auth.example.com", b"{host}")
}

/// Another length than that of the body is a body that never comes.
fn is_about_length(line: &[u8]) -> bool {
    line.starts_with(b"Content-Length") || line.starts_with(b"Transfer-Encoding")
}

fn get(target: &str, header: &[u8]) -> Vec<u8> {
    let head = format!("GET {target} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n");
    [head.as_bytes(), header, b"\r\n\r\n"].concat()
}

#[test]
fn inp_01_what_the_fuzzers_kept_breaks_no_server() {
    let mut target = Target::start();
    for input in kept("requests") {
        target.takes(&as_sent(&input));
    }
    for input in kept("forwarded") {
        target.takes(&as_sent(&[b"GET /api/authz/", &input[..]].concat()));
    }
    for input in kept("cookies") {
        target.takes(&get("/account", &[b"Cookie: ", &input[..]].concat()));
    }
    for (corpus, place) in [
        ("return_address", "/login?rd="),
        ("cursor", "/admin/sessions?after="),
    ] {
        for input in kept(corpus) {
            let value: String = url::form_urlencoded::byte_serialize(&input).collect();
            target.takes(&get(&format!("{place}{value}"), b"Cookie: {admin}"));
        }
    }
    target.ends_unharmed(200);
}

#[test]
fn inp_01_no_request_over_a_socket_breaks_the_server() {
    let count = std::env::var(COUNT).map_or(MADE_UP, |count| count.parse().expect("a number"));
    let mut target = Target::start();
    // The same requests each time.
    let mut runner = TestRunner::deterministic();
    for _ in 0..count {
        let made = made_up().new_tree(&mut runner).expect("a request");
        target.takes(&made.current());
    }
    target.ends_unharmed(count);
}

fn any_of(parts: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let junk = vec(any::<u8>(), 0..12);
    prop_oneof![9 => select(parts).prop_map(|part| part.as_bytes().to_vec()), 1 => junk]
}

const METHODS: &[&str] = &[
    "GET", "GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE",
    "CONNECT", "get", "FOO", "", "G ET", "GET\t", "PRI",
];

const TARGETS: &[&str] = &[
    "/",
    "/login",
    "/login?rd=/account",
    "/logout",
    "/setup",
    "/account",
    "/account/sessions",
    "/admin",
    "/admin/sessions?q=a&state=all",
    "/admin/users",
    "/admin/audit",
    "/admin/sites",
    "/api/session",
    "/api/authz/forward-auth",
    "/api/authz/auth-request",
    "/api/authz/ext-authz/a",
    "/.vestibule/enter?ticket=x",
    "/healthz",
    "/readyz",
    "/metrics",
    "*",
    "//",
    "/..",
    "/%2e%2e/",
    "/%",
    "/%00",
    "/a\\b",
    "",
    "http://{host}/login",
    "http://evil.example/",
    "evil.example:443",
    "/login?%ff=%fe",
    "/é",
    "?",
    "#",
    "/login#a",
    "/;a=b",
];

const VERSIONS: &[&str] = &[
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/1.2",
    "HTTP/2.0",
    "HTTP/0.9",
    "http/1.1",
    "HTTP/1.1 ",
    "",
];

const LINES: &[&str] = &[
    "Host: {host}",
    "Host: {host}",
    "Host: evil.example",
    "Host:",
    "Host : {host}",
    "Cookie: {admin}",
    "Cookie: {admin}",
    "Cookie: {admin}; {admin}",
    "Cookie: =;;=",
    "Origin: http://{host}",
    "Origin: null",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Mode: navigate",
    "Accept: text/html",
    "Accept: application/json",
    "Accept: ;q=",
    "Content-Type: application/x-www-form-urlencoded",
    "Content-Type: multipart/form-data; boundary=",
    "Content-Type: text/plain; charset=\"",
    "X-Forwarded-For: junk",
    "X-Forwarded-For: 1.2.3.4, ::1",
    "X-Forwarded-Method: GET",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: open.example.net",
    "X-Forwarded-Uri: /",
    "X-Original-URL: http://app.example.net/",
    "X-Original-Method: GET",
    "Authorization: Bearer x",
    "Authorization: Basic",
    "Range: bytes=0-",
    "If-Modified-Since: Thu, 99 Foo 99999",
    "Upgrade: h2c",
    "Expect: something",
    "TE: trailers",
    "X-HTTP-Method-Override: DELETE",
    "User-Agent: a\tb",
    "A: ",
    " folded",
    "NoColon",
    ": no name",
    "Bad Name: x",
    "Content-Length: x",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999999",
    "Content-Length: 0",
    "Transfer-Encoding: gzip",
    "Connection: keep-alive",
];

const FIELDS: &[&str] = &[
    "username=admin",
    "username=a",
    "password=x",
    "remember=on",
    "rd=/",
    "flow=",
    "current_password=x",
    "new_password=y",
    "code=x",
    "host=a.example",
    "_method=DELETE",
    "=",
    "%zz",
    "a[b][c]=d",
    "%ff=%00",
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => any_of(LINES),
        1 => vec(any::<u8>(), 0..300).prop_map(|value| [b"X-Junk: ", &value[..]].concat()),
        1 => (0..9_000usize).prop_map(|length| [b"X-Long: ", &b"x".repeat(length)[..]].concat()),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let form = vec(any_of(FIELDS), 0..8).prop_map(|fields| fields.join(&b'&'));
    prop_oneof![3 => form, 1 => vec(any::<u8>(), 0..200), 1 => Just(b"a=b&".repeat(6_000))]
}

/// Complete requests, good and bad: none leaves the server waiting for more.
fn made_up() -> impl Strategy<Value = Vec<u8>> {
    let start = (any_of(METHODS), any_of(TARGETS), any_of(VERSIONS));
    let ends = select(&["\r\n", "\r\n", "\r\n", "\r\n", "\n"][..]);
    let lines = (any::<bool>(), vec(line(), 0..8));
    (start, ends, lines, body(), any::<bool>()).prop_map(
        |((method, target, version), end, (is_usual, lines), body, is_chunked)| {
            let end = end.as_bytes();
            let mut request = [&method[..], b" ", &target, b" ", &version, end].concat();
            if is_usual {
                request.extend([b"Host: {host}", end].concat());
            }
            for line in lines {
                request.extend([&line[..], end].concat());
            }
            request.extend([b"Connection: close", end].concat());
            let length = body.len();
            if is_chunked {
                request.extend([b"Transfer-Encoding: chunked", end, end].concat());
                request.extend(format!("{length:x}\r\n").as_bytes());
                let last: &[u8] = if body.is_empty() {
                    b"\r\n"
                } else {
                    b"\r\n0\r\n\r\n"
                };
                request.extend([&body[..], last].concat());
            } else {
                let length = format!("Content-Length: {length}");
                request.extend([length.as_bytes(), end, end, &body].concat());
            }
            request
        },
    )
}
