//! What grew, in a table, and whether it may.

use std::path::Path;
use std::time::Duration;

use xtask::run::{Outcome, Stop};

use super::samples::Sample;
use super::scenarios::Count;
use super::trend::Trend;
use crate::markdown::{self, Section};

/// Of the document that the report is written into.
pub const SECTION: Section = Section {
    begin: "<!-- soak -->",
    end: "<!-- /soak -->",
};

pub struct Report {
    pub length: Duration,
    /// What was measured before is not judged.
    pub warm_up: Duration,
    pub counts: Vec<Count>,
    pub samples: Vec<Sample>,
}

struct Metric {
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

const METRICS: [Metric; 6] = [
    Metric {
        name: "anonymous memory, KiB",
        of: |sample| sample.anonymous_kib,
        allowance: Allowance::AtMost(2_048.0),
    },
    Metric {
        name: "descriptors",
        of: |sample| sample.descriptors,
        allowance: Allowance::AtMost(3.0),
    },
    Metric {
        name: "threads",
        of: |sample| sample.threads,
        allowance: Allowance::AtMost(2.0),
    },
    Metric {
        name: "database and WAL, KiB",
        of: |sample| sample.database_kib,
        allowance: Allowance::WithRows {
            kib_each: 1.5,
            and: 4_608.0,
        },
    },
    Metric {
        name: "rows",
        of: |sample| sample.rows,
        allowance: Allowance::Anything,
    },
    Metric {
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
        let growing: Vec<&str> = METRICS
            .iter()
            .filter(|metric| self.grows(metric))
            .map(|metric| metric.name)
            .collect();
        if growing.is_empty() {
            return Ok(());
        }
        Err(Stop::because(format!("growing: {}", growing.join("; "))))
    }

    pub fn write(&self, file: &Path) -> Outcome {
        SECTION.write(file, &self.text())
    }

    fn text(&self) -> String {
        let metrics = METRICS.iter().map(|metric| self.row(metric));
        let head = [
            "",
            "at first",
            "at last",
            "an hour",
            "give or take",
            "verdict",
        ];
        let metrics = markdown::table(&head, 4, metrics);
        let counts = self.counts.iter().map(|count| {
            let Count { what, times, busy } = count;
            vec![(*what).to_owned(), times.to_string(), busy.to_string()]
        });
        let counts = markdown::table(&["", "times", "answered 503"], 2, counts);
        format!(
            "`cargo xtask soak --minutes {}`, the first {} s not judged, {} samples:\n\n{metrics}\nMeanwhile:\n\n{counts}",
            self.length.as_secs_f64() / 60.0,
            self.warm_up.as_secs(),
            self.judged().count()
        )
    }

    fn row(&self, metric: &Metric) -> Vec<String> {
        let trend = self.trend(metric);
        let (first, last) = self.ends(metric);
        let verdict = match (&metric.allowance, self.grows(metric)) {
            (Allowance::Anything, _) => "",
            (_, true) => "GROWS",
            (Allowance::WithRows { .. }, false) => "follows its rows",
            (Allowance::AtMost(_), false) => "level",
        };
        vec![
            metric.name.to_owned(),
            format!("{first:.0}"),
            format!("{last:.0}"),
            format!("{:+.0}", trend.per_hour),
            format!("{:.0}", trend.spread),
            verdict.to_owned(),
        ]
    }

    fn judged(&self) -> impl Iterator<Item = &Sample> {
        let warm_up = self.warm_up.as_secs_f64();
        self.samples
            .iter()
            .filter(move |sample| sample.at > warm_up)
    }

    fn trend(&self, metric: &Metric) -> Trend {
        let points: Vec<_> = self
            .judged()
            .map(|sample| (sample.at, (metric.of)(sample)))
            .collect();
        Trend::of(&points)
    }

    fn ends(&self, metric: &Metric) -> (f64, f64) {
        let values: Vec<f64> = self.judged().map(metric.of).collect();
        let at = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        (at(values.first()), at(values.last()))
    }

    /// What has surely been added since the warm-up is more than it may be.
    fn grows(&self, metric: &Metric) -> bool {
        let seconds = (self.length - self.warm_up).as_secs_f64();
        let added = self.trend(metric).surely_added(seconds);
        match metric.allowance {
            Allowance::AtMost(most) => added > most,
            Allowance::WithRows { kib_each, and } => {
                let rows = self.trend(&METRICS[4]).per_hour * seconds / 3_600.0;
                added > rows.max(0.0) * kib_each + and
            }
            Allowance::Anything => false,
        }
    }
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
            counts: Vec::new(),
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
