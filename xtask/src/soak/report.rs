//! What grew, in a table, and whether it may.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::load::Done;
use super::samples::Sample;
use super::trend::Trend;
use crate::bench::failed;
use crate::run::{Outcome, Stop};

const BEGIN: &str = "<!-- soak -->";
const END: &str = "<!-- /soak -->";

pub struct Report {
    pub length: Duration,
    /// What was measured before is not judged.
    pub warm_up: Duration,
    pub done: Vec<Done>,
    pub samples: Vec<Sample>,
}

struct Watched {
    name: &'static str,
    of: fn(&Sample) -> f64,
    /// What may be added in the whole time, whatever its length.
    allowance: Allowance,
}

enum Allowance {
    AtMost(f64),
    /// A row and its indexes, and what the WAL holds before a checkpoint.
    WithRows {
        kib_each: f64,
        and: f64,
    },
    /// It follows something else.
    Anything,
}

const WATCHED: [Watched; 6] = [
    Watched {
        name: "anonymous memory, KiB",
        of: |sample| sample.anonymous_kib,
        allowance: Allowance::AtMost(2_048.0),
    },
    Watched {
        name: "descriptors",
        of: |sample| sample.descriptors,
        allowance: Allowance::AtMost(3.0),
    },
    Watched {
        name: "threads",
        of: |sample| sample.threads,
        allowance: Allowance::AtMost(2.0),
    },
    Watched {
        name: "database and WAL, KiB",
        of: |sample| sample.database_kib,
        allowance: Allowance::WithRows {
            kib_each: 1.5,
            and: 4_608.0,
        },
    },
    Watched {
        name: "rows",
        of: |sample| sample.rows,
        allowance: Allowance::Anything,
    },
    Watched {
        name: "resident memory, with the file's pages, KiB",
        of: |sample| sample.resident_kib,
        allowance: Allowance::Anything,
    },
];

impl Report {
    pub fn print(&self) {
        print!("{}", self.text());
    }

    /// # Errors
    /// Something grows that should not.
    pub fn verdict(&self) -> Outcome {
        let growing: Vec<&str> = WATCHED
            .iter()
            .filter(|watched| self.grows(watched))
            .map(|watched| watched.name)
            .collect();
        if growing.is_empty() {
            return Ok(());
        }
        Err(Stop::because(format!("growing: {}", growing.join("; "))))
    }

    pub fn write(&self, file: &Path) -> Outcome {
        let (before, after) = section(file)?;
        let text = format!("{before}{BEGIN}\n{}{END}{after}", self.text());
        fs::write(file, text).map_err(failed(&file.to_string_lossy()))
    }

    fn text(&self) -> String {
        let mut text = format!(
            "`cargo xtask soak --minutes {}`, the first {} s not judged, {} samples:\n\n",
            self.length.as_secs_f64() / 60.0,
            self.warm_up.as_secs(),
            self.judged().count()
        );
        text.push_str("| | at first | at last | a hour | give or take | verdict |\n| --- | ---: | ---: | ---: | ---: | --- |\n");
        for watched in &WATCHED {
            let trend = self.trend(watched);
            let (first, last) = self.ends(watched);
            let verdict = match (&watched.allowance, self.grows(watched)) {
                (Allowance::Anything, _) => "",
                (_, true) => "GROWS",
                (Allowance::WithRows { .. }, false) => "follows its rows",
                (Allowance::AtMost(_), false) => "level",
            };
            let _ = writeln!(
                text,
                "| {} | {first:.0} | {last:.0} | {:+.0} | {:.0} | {verdict} |",
                watched.name, trend.per_hour, trend.spread
            );
        }
        text.push_str("\nMeanwhile:\n\n| | times | answered 503 |\n| --- | ---: | ---: |\n");
        for done in &self.done {
            let _ = writeln!(text, "| {} | {} | {} |", done.what, done.times, done.busy);
        }
        text
    }

    fn judged(&self) -> impl Iterator<Item = &Sample> {
        let warm_up = self.warm_up.as_secs_f64();
        self.samples
            .iter()
            .filter(move |sample| sample.at > warm_up)
    }

    fn trend(&self, watched: &Watched) -> Trend {
        let points: Vec<_> = self
            .judged()
            .map(|sample| (sample.at, (watched.of)(sample)))
            .collect();
        Trend::of(&points)
    }

    fn ends(&self, watched: &Watched) -> (f64, f64) {
        let values: Vec<f64> = self.judged().map(watched.of).collect();
        let at = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        (at(values.first()), at(values.last()))
    }

    /// What has surely been added since the warm-up is more than it may be.
    fn grows(&self, watched: &Watched) -> bool {
        let seconds = (self.length - self.warm_up).as_secs_f64();
        let added = self.trend(watched).surely_added(seconds);
        match watched.allowance {
            Allowance::AtMost(most) => added > most,
            Allowance::WithRows { kib_each, and } => {
                let rows = self.trend(&WATCHED[4]).per_hour * seconds / 3_600.0;
                added > rows.max(0.0) * kib_each + and
            }
            Allowance::Anything => false,
        }
    }
}

/// What stands before and after the section.
///
/// # Errors
/// The file cannot be read, or has no such section.
pub fn section(file: &Path) -> Result<(String, String), Stop> {
    let text = fs::read_to_string(file).map_err(failed(&file.to_string_lossy()))?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before.to_owned(), after.to_owned()))
    });
    parts.ok_or_else(|| {
        Stop::usage(format!(
            "--write {}: has no lines {BEGIN} and {END}",
            file.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(grow: impl Fn(&mut Sample, f64)) -> Report {
        let sample = |n: u32| {
            let mut sample = Sample {
                at: f64::from(n),
                anonymous_kib: 20_000.0 + f64::from(n % 7) * 100.0,
                resident_kib: 30_000.0,
                descriptors: 30.0,
                threads: 12.0,
                database_kib: 9_000.0,
                rows: 10_000.0,
            };
            grow(&mut sample, f64::from(n));
            sample
        };
        Report {
            length: Duration::from_secs(60),
            warm_up: Duration::from_secs(15),
            done: Vec::new(),
            samples: (0..60).map(sample).collect(),
        }
    }

    fn growing(grow: impl Fn(&mut Sample, f64)) -> bool {
        report(grow).verdict().is_err()
    }

    #[test]
    fn what_is_level_may_stay_and_what_grows_is_told() {
        assert!(!growing(|_, _| {}));
        assert!(growing(|sample, at| sample.anonymous_kib += at * 100.0));
        assert!(growing(|sample, at| sample.descriptors += at / 5.0));
        assert!(growing(|sample, at| sample.threads += at / 5.0));
    }

    #[test]
    fn the_database_may_grow_with_its_rows_alone() {
        assert!(growing(|sample, at| sample.database_kib += at * 200.0));
        assert!(!growing(|sample, at| {
            sample.database_kib += at * 200.0;
            sample.rows += at * 200.0;
        }));
    }

    #[test]
    fn what_grows_while_it_warms_up_is_not_judged() {
        assert!(!growing(|sample, at| {
            sample.anonymous_kib += at.min(15.0) * 1_000.0;
        }));
    }
}
