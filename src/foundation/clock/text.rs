//! A moment as people read it: how long ago, and exactly when.

use std::time::Duration;

use time::macros::format_description;

use super::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const MONTH: u64 = 30 * DAY;
const YEAR: u64 = 365 * DAY;

impl Timestamp {
    /// `3 minutes ago`, `in 2 days`; whole units, so never more than it is.
    #[must_use]
    pub fn relative_to(self, now: Self) -> String {
        let since = |later: Self, earlier| later.since(earlier).as_secs() >= MINUTE;
        if since(now, self) {
            format!("{} ago", words(now.since(self)))
        } else if since(self, now) {
            format!("in {}", words(self.since(now)))
        } else if self > now {
            "in less than a minute".to_owned()
        } else {
            "just now".to_owned()
        }
    }

    /// `24 Nov 2026, 21:25:03 UTC`.
    #[must_use]
    pub fn exact(self) -> String {
        let format = format_description!(
            "[day padding:none] [month repr:short] [year], [hour]:[minute]:[second] UTC"
        );
        let text = self.date_time().format(&format);
        text.unwrap_or_else(|_| self.to_string())
    }

    /// `24 Nov`.
    #[must_use]
    pub fn day_and_month(self) -> String {
        let format = format_description!("[day padding:none] [month repr:short]");
        let text = self.date_time().format(&format);
        text.unwrap_or_else(|_| self.date())
    }
}

fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        ..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        DAY..MONTH => (seconds / DAY, "day"),
        MONTH..YEAR => (seconds / MONTH, "month"),
        YEAR.. => (seconds / YEAR, "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DAY, HOUR, MINUTE, YEAR};
    use crate::foundation::clock::Timestamp;

    #[test]
    fn a_moment_is_told_by_how_long_ago_it_was_or_how_soon_it_is() {
        let now = Timestamp::parse("2026-11-24T21:25:03Z").expect("a time");
        for (seconds, past, future) in [
            (0, "just now", "just now"),
            (59, "just now", "in less than a minute"),
            (MINUTE, "1 minute ago", "in 1 minute"),
            (HOUR - 1, "59 minutes ago", "in 59 minutes"),
            (HOUR, "1 hour ago", "in 1 hour"),
            (DAY - 1, "23 hours ago", "in 23 hours"),
            (2 * DAY, "2 days ago", "in 2 days"),
            (30 * DAY, "1 month ago", "in 1 month"),
            (YEAR - 1, "12 months ago", "in 12 months"),
            (YEAR, "1 year ago", "in 1 year"),
            (56 * YEAR, "56 years ago", "in 56 years"),
        ] {
            let by = Duration::from_secs(seconds);
            assert_eq!(now.minus(by).relative_to(now), past);
            assert_eq!(now.plus(by).relative_to(now), future);
        }
    }

    #[test]
    fn the_exact_moment_is_to_the_second_in_utc() {
        let at = Timestamp::parse("2026-11-04T22:05:03+01:00").expect("a time");
        assert_eq!(at.exact(), "4 Nov 2026, 21:05:03 UTC");
        assert_eq!(at.day_and_month(), "4 Nov");
    }
}
