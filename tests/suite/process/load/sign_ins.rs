//! More sign-ins than can be computed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::super::Machine;
use super::super::keep_alive::Connection;
use super::{HASH_KIB, each, median, memory_at_rest_kib, memory_kib};
use crate::support::{Answer, PASSWORD};

const THREADS: u64 = 2;

const BROWSERS: usize = 100;
const USERS: usize = 10;
const LENGTH: Duration = Duration::from_secs(8);
const OFTEN: Duration = Duration::from_millis(10);

/// What a sign-in was answered, and after how long.
struct Tried {
    answer: Answer,
    took: Duration,
}

/// Browsers that together try 500 times a second: right ones, unknown users, and one name that is
/// throttled.
fn flood(machine: &Machine, length: Duration) -> Vec<Tried> {
    let until = Instant::now() + length;
    thread::scope(|scope| {
        let browsers: Vec<_> = (0..BROWSERS)
            .map(|browser| scope.spawn(move || try_until(until, machine, browser)))
            .collect();
        browsers
            .into_iter()
            .flat_map(|browser| browser.join().expect("a browser"))
            .collect()
    })
}

fn try_until(until: Instant, machine: &Machine, browser: usize) -> Vec<Tried> {
    let mut connection = Connection::open(machine);
    let mut tried = Vec::new();
    while Instant::now() < until {
        let number = tried.len();
        let name = match (browser + number) % 4 {
            0 | 1 => format!("user-{}", browser % USERS),
            2 => format!("nobody-{browser}-{number}"),
            _ => "mallory".to_owned(),
        };
        let form = format!("username={name}&password={}", PASSWORD.replace(' ', "+"));
        let began = Instant::now();
        let answer = connection.post("/login", &form);
        let took = began.elapsed();
        tried.push(Tried { answer, took });
        thread::sleep(Duration::from_millis(200).saturating_sub(took));
    }
    tried
}

#[test]
fn lod_04_lod_05_a_flood_of_sign_ins_takes_bounded_memory_and_hinders_nobody_else() {
    let machine = Machine::new()
        .set("VESTIBULE_PASSWORDS__HASHING_THREADS", &THREADS.to_string())
        // All come from this machine; it is the queue that is to refuse them.
        .set("VESTIBULE_THROTTLE__ADDRESS_TRIES", "10000");
    for user in 0..USERS {
        machine.add_user(&format!("user-{user}"), &[]);
    }
    machine.add_user("alice", &[]);
    let server = machine.start();
    let mut alice = Connection::open(&machine).with(&machine.signed_in("alice").cookie);
    let mut probe = Connection::open(&machine);
    // Caches fill, and each connection has its buffers.
    flood(&machine, Duration::from_secs(1));
    let at_rest = memory_at_rest_kib(&server);

    let over = AtomicBool::new(false);
    let (tried, checks, health, most) = thread::scope(|scope| {
        let checks = scope.spawn(|| {
            each(OFTEN, &over, || {
                assert_eq!(alice.send("GET", "/api/session", ""), 200);
            })
        });
        let health = scope.spawn(|| {
            each(OFTEN, &over, || {
                assert_eq!(probe.send("GET", "/healthz", ""), 200);
            })
        });
        let memory = scope.spawn(|| {
            let mut most = 0;
            each(OFTEN, &over, || most = memory_kib(&server).max(most));
            most
        });
        let tried = flood(&machine, LENGTH);
        over.store(true, Ordering::Relaxed);
        let joined = "no panic";
        (
            tried,
            checks.join().expect(joined),
            health.join().expect(joined),
            memory.join().expect(joined),
        )
    });

    let of = |statuses: &[u16]| -> Vec<&Tried> {
        tried
            .iter()
            .filter(|tried| statuses.contains(&tried.answer.status))
            .collect()
    };
    let times = |tried: Vec<&Tried>| -> Vec<Duration> { tried.iter().map(|t| t.took).collect() };
    let (hashed, refused) = (of(&[303, 401]), of(&[429, 503]));
    println!(
        "{} right, {} wrong, {} throttled, {} too many; medians: hashed {:?}, refused {:?}, check {:?}, health {:?}; memory {at_rest} to {most} KiB",
        of(&[303]).len(),
        of(&[401]).len(),
        of(&[429]).len(),
        of(&[503]).len(),
        median(&times(of(&[303, 401]))),
        median(&times(of(&[429, 503]))),
        median(&checks),
        median(&health),
    );
    assert_eq!(hashed.len() + refused.len(), tried.len());
    for status in [303, 401, 429, 503] {
        assert!(!of(&[status]).is_empty(), "none was answered {status}");
    }
    for tried in &refused {
        let retry_after: u64 = tried.answer.header("retry-after").parse().expect("seconds");
        assert!(retry_after >= 1);
    }

    let bound = (at_rest + THREADS * HASH_KIB) * 11 / 10;
    assert!(most <= bound, "{most} KiB, {bound} at most");
    let left = memory_at_rest_kib(&server);
    assert!(left <= at_rest + 4_096, "{at_rest} KiB, then {left} KiB");

    // The requirement's figures, at the median: 100 ms, 50 ms and 20 ms.
    assert!(median(&times(refused)) < Duration::from_millis(100));
    assert!(median(&checks) < Duration::from_millis(50));
    assert!(median(&health) < Duration::from_millis(20));
}
