//! Log lines that somebody else causes: enough to see what is wrong, too few to fill a disk.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::clock::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);

/// Lets one line a minute through.
#[derive(Debug, Default)]
pub struct LogLimiter(AtomicI64);

impl LogLimiter {
    /// Whether the last line is a minute ago; if so, this one is logged.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        now.since(Timestamp(last)) >= MINUTE
            && self
                .0
                .compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// Lets so many lines a minute through and counts the others.
#[derive(Debug, Default)]
pub struct RateLimitedLog(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began: Option<Timestamp>,
    logged: u32,
    left_out: u64,
}

impl RateLimitedLog {
    /// Whether to log this line, if it is among the first `limit` of its minute; with how many were
    /// left out before.
    pub fn admit(&self, now: Timestamp, limit: u32) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |began| now.since(began) >= MINUTE;
        if window.began.is_none_or(is_over) {
            window.began = Some(now);
            window.logged = 0;
        }
        if window.logged >= limit {
            window.left_out += 1;
            return None;
        }
        window.logged += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}
