//! How long answers take with few and with many sessions, as a table.

use std::fmt::Write as _;
use std::time::Duration;

use super::goals::{LISTING, Measured, START};
use super::report::Part;
use crate::statistics::{millis, quantile};

/// What an answer may take with the most sessions, at the 99th percentile.
#[derive(Clone, Copy)]
pub struct Limits {
    pub floor: Duration,
    pub goal: Duration,
}

/// One kind of request, measured, on the small and on the large database.
pub struct Latency {
    pub name: String,
    pub small: Vec<Duration>,
    pub large: Vec<Duration>,
    pub limits: Limits,
}

pub struct Table(pub Vec<Latency>);

impl Table {
    pub fn part(&self) -> Part {
        let rows: Vec<_> = self.0.iter().map(Latency::json).collect();
        Part {
            name: "listing",
            text: self.text(),
            json: serde_json::json!(rows),
            measured: self.measured(),
        }
    }

    fn measured(&self) -> Vec<Measured> {
        let slowest = |goal, is_of: fn(&str) -> bool| Measured {
            goal,
            figure: self
                .0
                .iter()
                .filter(|figure| is_of(&figure.name))
                .map(|figure| millis(quantile(&figure.large, 0.99)))
                .fold(0.0, f64::max),
        };
        let pages = |name: &str| name == "first page" || name.starts_with("far end");
        vec![
            slowest(&LISTING, pages),
            slowest(&START, |name| name == "start to ready"),
        ]
    }

    fn text(&self) -> String {
        let mut text = String::from(
            "```text\nmilliseconds; ratio: the median with 1,000,000 sessions / with 10,000\n",
        );
        let _ = writeln!(
            text,
            "{:<42} {:>7} {:>7} {:>7} {:>7} {:>6}  {:>10}  verdict",
            "", "10k p50", "p99", "1M p50", "p99", "ratio", "goal/floor"
        );
        for latency in &self.0 {
            let _ = writeln!(text, "{}", latency.line());
        }
        text + "```\n"
    }
}

impl Latency {
    fn line(&self) -> String {
        format!(
            "{:<42} {:>7.2} {:>7.2} {:>7.2} {:>7.2} {:>6.2}  {:>10}  {}",
            self.name,
            millis(quantile(&self.small, 0.5)),
            millis(quantile(&self.small, 0.99)),
            millis(quantile(&self.large, 0.5)),
            millis(quantile(&self.large, 0.99)),
            self.ratio(),
            format!(
                "{}/{}",
                self.limits.goal.as_millis(),
                self.limits.floor.as_millis()
            ),
            self.verdict()
        )
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "requests": self.large.len(),
            "small_p50_ms": millis(quantile(&self.small, 0.5)),
            "small_p99_ms": millis(quantile(&self.small, 0.99)),
            "large_p50_ms": millis(quantile(&self.large, 0.5)),
            "large_p99_ms": millis(quantile(&self.large, 0.99)),
            "ratio": self.ratio(),
            "goal_ms": millis(self.limits.goal),
            "floor_ms": millis(self.limits.floor),
            "verdict": self.verdict(),
        })
    }

    fn ratio(&self) -> f64 {
        millis(quantile(&self.large, 0.5)) / millis(quantile(&self.small, 0.5))
    }

    fn verdict(&self) -> &'static str {
        match quantile(&self.large, 0.99) {
            p99 if p99 <= self.limits.goal => "goal",
            p99 if p99 <= self.limits.floor => "floor",
            _ => "MISSED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(most: u64) -> Vec<Duration> {
        (1..=most).rev().map(Duration::from_millis).collect()
    }

    #[test]
    fn the_verdict_is_of_the_large_database_at_the_99th_percentile() {
        let verdict = |most| {
            let limits = Limits {
                floor: Duration::from_millis(50),
                goal: Duration::from_millis(5),
            };
            let figure = Latency {
                name: String::new(),
                small: up_to(1_000),
                large: up_to(most),
                limits,
            };
            figure.verdict()
        };
        assert_eq!(
            [verdict(5), verdict(6), verdict(50)],
            ["goal", "floor", "floor"]
        );
        assert_eq!(verdict(60), "MISSED");
    }
}
