//! The program under load. How long something takes is compared to the same without the load, or by
//! medians: other tests run on the same processors. `cargo xtask faults` holds the figures themselves.

mod checks;
mod database;
mod sign_ins;
mod soak;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Machine, Server, wait_for};

const METRICS_TOKEN: &str = "a-token-for-metrics";

/// A machine whose server tells its metrics.
fn measured() -> Machine {
    Machine::new().set("VESTIBULE_METRICS_TOKEN", METRICS_TOKEN)
}

/// The value of a series of `/metrics`.
fn metric(machine: &Machine, series: &str) -> f64 {
    let bearer = format!("Authorization: Bearer {METRICS_TOKEN}\r\n");
    let text = machine
        .anonymous()
        .send("GET", "/metrics", &bearer, "")
        .body;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {series} in {text}"))
}

/// What the program has of memory that is no file's, in KiB.
fn memory_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("a process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.parse().ok())
        .expect("a size")
}

/// The memory of one hash by default, in KiB: more than all else together.
const HASH_KIB: u64 = 19_456;

/// The memory that is left once no thread holds any for a hash.
fn memory_at_rest_kib(server: &Server) -> u64 {
    wait_for("the memory of hashes to be given back", || {
        Some(memory_kib(server)).filter(|kib| *kib < HASH_KIB)
    })
}

/// Does `work` each `interval` until it is `over`, and says how long it took each time.
fn each(interval: Duration, over: &AtomicBool, mut work: impl FnMut()) -> Vec<Duration> {
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        work();
        took.push(began.elapsed());
        thread::sleep(interval.saturating_sub(began.elapsed()));
    }
    took
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}
