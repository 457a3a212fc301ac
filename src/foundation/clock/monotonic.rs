//! The system's time as it can be believed: what has ended by time stays ended when the clock is set
//! back, and not everybody is signed out when it leaps by years.

use std::time::{Duration, Instant};

use super::Timestamp;

/// A clock that is further ahead than this is wrong, or the machine was off for a season.
const LEAP: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A leap that lasts this long is believed: an hour too long for sessions of a machine that was off is
/// less harm than all sessions gone for a clock that is set right again.
const PROBATION: Duration = Duration::from_secs(60 * 60);

/// Less is nothing to speak of: time servers correct by that much.
const WORTH_A_WORD: Duration = Duration::from_secs(60);

/// What the system's clock did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockFault {
    /// It is behind the time that was told already.
    Behind(Duration),
    /// It is too far ahead.
    Leapt(Duration),
}

#[derive(Debug)]
pub(super) struct MonotonicClock {
    /// What was told last, and when by a clock that nobody sets.
    told: Timestamp,
    at: Instant,
    leapt_at: Option<Instant>,
    fault: Option<ClockFault>,
}

impl MonotonicClock {
    /// `mark`: the last time that is known to have been told before.
    pub fn since(mark: Timestamp, at: Instant) -> Self {
        Self {
            told: mark,
            at,
            leapt_at: None,
            fault: None,
        }
    }

    pub fn fault(&self) -> Option<ClockFault> {
        self.fault
    }

    /// Another has told this time.
    pub fn raise(&mut self, mark: Timestamp, at: Instant) {
        if mark > self.told {
            self.told = mark;
            self.at = at;
        }
    }

    /// The time, never before any that was told; and whether the fault is new or over.
    pub fn tell(&mut self, system: Timestamp, at: Instant) -> (Timestamp, bool) {
        let passed = at.saturating_duration_since(self.at);
        let expected = self.told.plus(passed);
        let ahead = system.since(expected);
        let fault;
        if ahead > LEAP {
            let since = at.saturating_duration_since(*self.leapt_at.get_or_insert(at));
            let believed = since >= PROBATION;
            self.told = if believed { system } else { expected };
            fault = (!believed).then_some(ClockFault::Leapt(ahead));
        } else {
            let behind = expected.since(system);
            // A tenth slower, so that a clock that is behind is met again.
            self.told = system.max(self.told.plus(passed - passed / 10));
            fault = (behind > WORTH_A_WORD).then_some(ClockFault::Behind(behind));
        }
        if fault.is_none() {
            self.leapt_at = None;
        }
        self.at = at;
        let kind = |fault: Option<ClockFault>| fault.map(|fault| std::mem::discriminant(&fault));
        let turned = kind(fault) != kind(self.fault);
        self.fault = fault;
        (self.told, turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// What is told by a system clock that is set to `system` hours, at so many true hours.
    fn told(steps: &[(u64, i64)]) -> Vec<i64> {
        let began = Instant::now();
        let start = Timestamp::from_micros(1_800_000_000_000_000);
        let mut monotonic = MonotonicClock::since(start, began);
        let hours = |at: Timestamp| (at.unix_micros() - start.unix_micros()) / 3_600_000_000;
        steps
            .iter()
            .map(|(passed, system)| {
                let system = Timestamp::from_micros(start.unix_micros() + system * 3_600_000_000);
                hours(
                    monotonic
                        .tell(system, began + HOUR * u32::try_from(*passed).expect("few"))
                        .0,
                )
            })
            .collect()
    }

    #[test]
    fn the_systems_time_is_told_while_it_goes_on() {
        assert_eq!(told(&[(1, 1), (2, 2), (30, 30)]), [1, 2, 30]);
    }

    #[test]
    fn a_machine_that_slept_is_told_the_time_at_once() {
        assert_eq!(told(&[(1, 1), (2, 24 * 60)]), [1, 24 * 60]);
    }

    #[test]
    fn time_never_goes_back_and_the_systems_is_met_again() {
        assert_eq!(
            told(&[(10, 10), (10, 0), (20, 10), (110, 100), (130, 120)]),
            [10, 10, 19, 100, 120]
        );
    }

    #[test]
    fn time_goes_on_though_the_clock_is_behind_by_years() {
        assert_eq!(
            told(&[(10, 10), (20, -400_000), (110, -400_000)]),
            [10, 19, 100]
        );
    }

    #[test]
    fn a_leap_is_not_believed_before_it_has_lasted_an_hour() {
        let years = 10 * 365 * 24;
        assert_eq!(
            told(&[(10, 10), (10, years), (11, 11)]),
            [10, 10, 11],
            "it was a mistake"
        );
        assert_eq!(
            told(&[(10, 10), (10, years), (11, years + 1)]),
            [10, 10, years + 1]
        );
    }
}
