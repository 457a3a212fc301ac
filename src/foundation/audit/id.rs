//! Ids of records: UUIDv7 that sort as the records were made, so that a stretch of time is a stretch
//! of ids.
//!
//! After the milliseconds come the microseconds (RFC 9562, method 3), the number of the record in this
//! process, and random bits. Not `Uuid::now_v7`, which asks the system for a time of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use uuid::{Builder, Uuid};

use crate::foundation::clock::Timestamp;

/// The most that a UUIDv7 holds: the year 10889.
const LAST_MILLISECOND: u64 = (1 << 48) - 1;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The id of a record that is made at `at`: above those made before it.
#[must_use]
pub fn new_id_at(at: Timestamp) -> Uuid {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let mut tail = [0; 7];
    tail[..4].copy_from_slice(&number);
    // Against another process at the same microsecond; without them the number does well enough.
    let _ = getrandom::fill(&mut tail[4..]);
    build(at, tail)
}

/// Not above any id of that microsecond, and above all earlier ones.
#[must_use]
pub fn first_id_at(at: Timestamp) -> Uuid {
    build(at, [0; 7])
}

fn build(at: Timestamp, tail: [u8; 7]) -> Uuid {
    let micros = u64::try_from(at.unix_micros()).unwrap_or(0);
    let [high, low] = u16::try_from(micros % 1_000)
        .unwrap_or_default()
        .to_be_bytes();
    let mut rest = [0; 10];
    (rest[0], rest[1]) = (high, low);
    rest[3..].copy_from_slice(&tail);
    Builder::from_unix_timestamp_millis((micros / 1_000).min(LAST_MILLISECOND), &rest).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{first_id_at, new_id_at};
    use crate::foundation::clock::Timestamp;

    #[test]
    fn ids_sort_by_time_then_by_making() {
        let at = Timestamp::parse("2026-11-24T12:00:00.000999Z").expect("a time");
        let next = at.plus(Duration::from_micros(1));
        let (first, second, later) = (new_id_at(at), new_id_at(at), new_id_at(next));
        assert!(first_id_at(at) <= first && first < second && second < first_id_at(next));
        assert!(first_id_at(next) <= later);
    }

    #[test]
    fn the_id_tells_the_time() {
        let at = Timestamp::parse("2026-11-24T12:00:00Z").expect("a time");
        let told = new_id_at(at).get_timestamp().expect("a version 7");
        assert_eq!(told.to_unix().0, 1_795_521_600);
    }

    #[test]
    fn no_time_is_too_early_or_too_late() {
        for text in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
            assert!(!first_id_at(Timestamp::parse(text).expect("a time")).is_nil());
        }
    }
}
