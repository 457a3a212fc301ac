use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use xtask::run::Stop;

use super::testbed::Testbed;
use super::{Fault, Findings};
use crate::driver::{Instance, PATIENCE};

pub const FAULT: Fault = Fault {
    id: "B9",
    what: "input at each limit, one byte beyond and a thousand times as much",
    run,
};

/// What a refusal may add to the memory, in kibibytes.
const FLAT_KIB: u64 = 8 * 1_024;

/// A limit of the program's, and a request that is this long there.
struct Limit {
    what: &'static str,
    most: usize,
    request: fn(&str, usize) -> Vec<u8>,
}

const LIMITS: [Limit; 7] = [
    Limit {
        what: "target",
        most: 8_192,
        request: |host, size| get(&format!("/login?{}", a(size - "/login?".len())), host, ""),
    },
    Limit {
        what: "field",
        most: 8_192,
        request: |host, size| {
            get(
                "/login",
                host,
                &format!("X-Long: {}\r\n", a(size - "X-Long".len())),
            )
        },
    },
    Limit {
        what: "cookies",
        most: 8_192,
        request: |host, size| {
            get(
                "/login",
                host,
                &format!("Cookie: {}\r\n", a(size - "Cookie".len())),
            )
        },
    },
    Limit {
        what: "number of fields",
        most: 100,
        // Host and Connection are two.
        request: |host, size| get("/login", host, &"X-Many: a\r\n".repeat(size - 2)),
    },
    Limit {
        what: "form",
        most: 16_384,
        request: |host, size| post(host, &format!("username={}", a(size - "username=".len()))),
    },
    Limit {
        what: "password",
        most: 1_024,
        request: |host, size| post(host, &format!("username=user-09&password={}", a(size))),
    },
    Limit {
        what: "user name",
        most: 64,
        request: |host, size| {
            post(
                host,
                &format!("username={}&password=wrong+pass+phrase", a(size)),
            )
        },
    },
];

fn a(count: usize) -> String {
    "a".repeat(count)
}

fn get(target: &str, host: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n")
        .into_bytes()
}

fn post(host: &str, form: &str) -> Vec<u8> {
    format!(
        "POST /login HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let instance = testbed
        .instance("oversize")?
        .set("VESTIBULE_PASSWORDS__HASHING_THREADS", "1");
    let server = instance.start()?;
    // What hashing a password takes is not what is measured.
    instance.sign_in("user-09")?;
    let process = server.process();
    let before = process.status()?.peak_kib;
    for limit in &LIMITS {
        let ask = |size| ask(&instance, &(limit.request)(&instance.host(), size));
        let statuses = [
            limit.most - 1,
            limit.most,
            limit.most + 1,
            limit.most * 1_000,
        ]
        .map(ask);
        let [less, exact, more, far_more] = statuses;
        let what = limit.what;
        let taken = [200, 401, 422];
        findings.require(
            taken.contains(&less) && less == exact,
            format!("{what}: up to the limit it is answered {less} and {exact}"),
        );
        findings.require(
            [more, far_more]
                .iter()
                .all(|status| (400..500).contains(status)),
            format!("{what}: beyond the limit it is answered {more} and {far_more}"),
        );
        findings.figure(format!(
            "{what} of {}: {less}, {exact}, {more}, {far_more}",
            limit.most
        ));
    }
    let grown = process.status()?.peak_kib.saturating_sub(before);
    findings.require(grown < FLAT_KIB, format!("the memory grew by {grown} KiB"));
    findings.figure(format!("memory {before} KiB, and {grown} more at its peak"));
    findings.require(instance.is_ready(), "the service is not ready afterwards");
    server.stop().map(|_| findings)
}

/// The status of the answer; 0 without one. The server may answer, and stop to read, before all is sent.
fn ask(instance: &Instance, request: &[u8]) -> u16 {
    let answer = || {
        let stream = TcpStream::connect(instance.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = [0; 12];
        thread::scope(|scope| {
            scope.spawn(|| (&stream).write_all(request));
            (&stream).read_exact(&mut head)
        })?;
        Ok::<_, std::io::Error>(head)
    };
    let status = answer()
        .ok()
        .and_then(|head| std::str::from_utf8(&head[9..]).ok()?.parse().ok());
    status.unwrap_or(0)
}
