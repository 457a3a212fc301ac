use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::connections::checks;
use super::lab::Lab;
use super::machine::{Machine, sign_in, wait_for};
use super::process::Process;
use super::{Fault, Findings};
use crate::bench::figures::quantile;
use crate::run::Stop;

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

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let threads = HASHING_THREADS.to_string();
    let machine = lab
        .machine("sign-in-flood")?
        .set("VESTIBULE_PASSWORDS__HASHING_THREADS", threads);
    let server = machine.start()?;
    let session = machine.sign_in("user-09")?;
    let process = Process::of(&server);
    let length = Duration::from_secs(lab.rounds(10, 60));
    // Caches fill, and each connection has its buffers.
    flood(&machine, Duration::from_secs(2))?;
    let at_rest = wait_for("memory to be given back", || {
        Some(process.anonymous_kib()).filter(|kib| *kib < HASH_KIB)
    })?;
    let over = AtomicBool::new(false);
    let most = AtomicU64::new(0);
    let (tried, checks) = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(process.anonymous_kib(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
        });
        let checks = scope.spawn(|| checks(&machine, &session, length));
        let tried = flood(&machine, length);
        over.store(true, Ordering::Relaxed);
        (tried, checks.join().expect("a client"))
    });
    let (tried, checks) = (tried?, checks?);

    let count = |wanted: u16| tried.iter().filter(|(status, _)| *status == wanted).count();
    let odd = tried.len() - count(303) - count(401) - count(429) - count(503);
    findings.require(odd == 0, format!("{odd} answers that nobody should get"));
    findings.require(count(503) > 0, "nothing was refused: it was no flood");
    let refused: Vec<Duration> = tried
        .iter()
        .filter(|(status, _)| [429, 503].contains(status))
        .map(|(_, took)| *took)
        .collect();
    let refused = quantile(&refused, 0.99);
    findings.require(refused <= REFUSALS, format!("refusals took {refused:?}"));
    let p99 = quantile(&checks.times, 0.99);
    findings.require(p99 <= CHECKS, format!("session checks took {p99:?}"));
    findings.require(
        checks.errors == 0,
        format!("{} session checks failed", checks.errors),
    );
    let most = most.into_inner();
    let bound = (at_rest + HASHING_THREADS * HASH_KIB) * 11 / 10;
    findings.require(
        most <= bound,
        format!("{most} KiB of memory, {bound} at most"),
    );
    let a_second = |count: usize| count as f64 / length.as_secs_f64();
    findings.figure(format!(
        "{:.0} tries a second, {:.1} sign-ins, {:.1} wrong ones told so, {:.0} refused, p99 {:.1} ms",
        a_second(tried.len()),
        a_second(count(303)),
        a_second(count(401)),
        a_second(count(429) + count(503)),
        refused.as_secs_f64() * 1e3,
    ));
    findings.figure(format!(
        "{} session checks, p50 {:.1} ms, p99 {:.1} ms",
        checks.times.len(),
        quantile(&checks.times, 0.5).as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
    ));
    findings.figure(format!(
        "anonymous memory {} MiB at most, {} MiB at rest",
        most >> 10,
        at_rest >> 10
    ));
    server.stop().map(|_| findings)
}

fn flood(machine: &Machine, length: Duration) -> Result<Vec<Tried>, Stop> {
    let until = Instant::now() + length;
    thread::scope(|scope| {
        let browsers: Vec<_> = (0..BROWSERS)
            .map(|browser| scope.spawn(move || try_until(until, machine, browser)))
            .collect();
        let all: std::io::Result<Vec<Vec<Tried>>> = browsers
            .into_iter()
            .map(|browser| browser.join().expect("a browser"))
            .collect();
        all.map(|all| all.concat())
            .map_err(crate::bench::failed("POST /login"))
    })
}

/// Half of them right, each of a user; a quarter of nobody, a quarter with a wrong password.
fn try_until(until: Instant, machine: &Machine, browser: u64) -> std::io::Result<Vec<Tried>> {
    let mut client = machine.client()?;
    let user = format!("user-{:02}", browser % 8);
    let mut tried = Vec::new();
    while Instant::now() < until {
        client.cookie.clear();
        let answer = match (browser as usize + tried.len()) % 4 {
            0 | 1 => sign_in(&mut client, &user, super::machine::PASSWORD)?,
            2 => sign_in(&mut client, &format!("nobody-{browser}"), "any password")?,
            _ => sign_in(&mut client, &user, "not that password")?,
        };
        tried.push((answer.status, answer.took));
        thread::sleep(PAUSE.saturating_sub(answer.took));
    }
    Ok(tried)
}
