use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use xtask::run::{Stop, failed};

use super::session_checks::SessionChecks;
use super::testbed::Testbed;
use super::{Fault, Findings};
use crate::driver::{Instance, PASSWORD, wait_for};
use crate::statistics::{millis, quantile};

pub const FAULT: Fault = Fault {
    id: "B11",
    what: "500 sign-ins a second, right and wrong: more than can be hashed",
    run,
};

/// So many that 500 tries a second come together, though some wait for a hash.
const BROWSERS: u64 = 100;
const PAUSE: Duration = Duration::from_millis(200);

/// What a hash takes, by default.
const HASH_KIB: u64 = 19_456;
const HASHING_THREADS: u64 = 2;

const CHECKS: Duration = Duration::from_millis(50);
const REFUSALS: Duration = Duration::from_millis(100);

/// What a try was answered, and after how long.
type Tried = (u16, Duration);

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let threads = HASHING_THREADS.to_string();
    let instance = testbed
        .instance("sign-in-flood")?
        .set("VESTIBULE_PASSWORDS__HASHING_THREADS", threads);
    let server = instance.start()?;
    let session = instance.sign_in("user-09")?;
    let process = server.process();
    let anonymous_kib = || process.status().ok().map(|status| status.anonymous_kib);
    let length = Duration::from_secs(testbed.rounds(10, 60));
    // Caches fill, and each connection has its buffers.
    flood(&instance, Duration::from_secs(2))?;
    let at_rest = wait_for("memory to be given back", || {
        anonymous_kib().filter(|kib| *kib < HASH_KIB)
    })?;
    let over = AtomicBool::new(false);
    let most = AtomicU64::new(0);
    let (tried, checks) = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(anonymous_kib().unwrap_or(0), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
        });
        let checks = scope.spawn(|| SessionChecks::run(&instance, &session, length));
        let tried = flood(&instance, length);
        over.store(true, Ordering::Relaxed);
        (tried, checks.join().expect("a client"))
    });
    answers(&tried?, length, &mut findings);
    let checks = checks?;
    checks.require(CHECKS, &mut findings);
    checks.figure(&mut findings);
    memory(at_rest, most.into_inner(), &mut findings);
    server.stop().map(|_| findings)
}

fn answers(tried: &[Tried], length: Duration, findings: &mut Findings) {
    let count = |wanted: u16| tried.iter().filter(|(status, _)| *status == wanted).count();
    let odd = tried.len() - count(303) - count(401) - count(429) - count(503);
    findings.require(odd == 0, format!("{odd} answers that nobody should get"));
    findings.require(count(503) > 0, "nothing was refused: it was no flood");
    let refused = tried.iter();
    let refused = refused.filter(|(status, _)| [429, 503].contains(status));
    let refused: Vec<Duration> = refused.map(|(_, took)| *took).collect();
    let p99 = quantile(&refused, 0.99);
    findings.require(p99 <= REFUSALS, format!("refusals took {p99:?}"));
    let a_second = |count: usize| count as f64 / length.as_secs_f64();
    findings.figure(format!(
        "{:.0} tries a second, {:.1} sign-ins, {:.1} wrong ones told so, {:.0} refused, p99 {:.1} ms",
        a_second(tried.len()),
        a_second(count(303)),
        a_second(count(401)),
        a_second(count(429) + count(503)),
        millis(p99),
    ));
}

fn memory(at_rest_kib: u64, most_kib: u64, findings: &mut Findings) {
    let bound = (at_rest_kib + HASHING_THREADS * HASH_KIB) * 11 / 10;
    findings.require(
        most_kib <= bound,
        format!("{most_kib} KiB of memory, {bound} at most"),
    );
    findings.figure(format!(
        "anonymous memory {} MiB at most, {} MiB at rest",
        most_kib >> 10,
        at_rest_kib >> 10
    ));
}

fn flood(instance: &Instance, length: Duration) -> Result<Vec<Tried>, Stop> {
    let until = Instant::now() + length;
    thread::scope(|scope| {
        let browsers: Vec<_> = (0..BROWSERS)
            .map(|browser| scope.spawn(move || try_until(until, instance, browser)))
            .collect();
        let all: std::io::Result<Vec<Vec<Tried>>> = browsers
            .into_iter()
            .map(|browser| browser.join().expect("a browser"))
            .collect();
        all.map(|all| all.concat()).map_err(failed("POST /login"))
    })
}

/// Half of them right, each of a user; a quarter of nobody, a quarter with a wrong password.
fn try_until(until: Instant, instance: &Instance, browser: u64) -> std::io::Result<Vec<Tried>> {
    let mut client = instance.client()?;
    let user = format!("user-{:02}", browser % 8);
    let mut tried = Vec::new();
    while Instant::now() < until {
        client.without_cookie();
        let answer = match (browser as usize + tried.len()) % 4 {
            0 | 1 => client.sign_in(&user, PASSWORD)?,
            2 => client.sign_in(&format!("nobody-{browser}"), "any password")?,
            _ => client.sign_in(&user, "not that password")?,
        };
        tried.push((answer.status, answer.took));
        thread::sleep(PAUSE.saturating_sub(answer.took));
    }
    Ok(tried)
}
