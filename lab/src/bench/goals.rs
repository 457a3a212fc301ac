//! The project's goals, and whether a figure meets them.

use serde_json::json;

use crate::markdown;

/// Something to be measured: which way is better, what it must be, and what it should be.
pub struct Goal {
    pub figure: &'static str,
    pub unit: &'static str,
    pub floor: f64,
    pub goal: f64,
}

const fn goal(figure: &'static str, unit: &'static str, floor: f64, goal: f64) -> Goal {
    Goal {
        figure,
        unit,
        floor,
        goal,
    }
}

pub const CHECK: Goal = goal("session check / bare Rocket, requests/s", "", 1.0, 1.3);
pub const CHECK_CPU: Goal = goal("CPU per check / bare Rocket", "", 1.0, 0.75);
pub const HYPER: Goal = goal(
    "session check / bare hyper with the same headers, requests/s",
    "",
    0.75,
    0.9,
);
pub const AXUM_LOGIN: Goal = goal("session check / axum-login, requests/s", "", 4.0, 8.0);
pub const CHECK_P99: Goal = goal("p99 at 64 connections / bare Rocket's", "", 2.5, 1.5);
pub const TOKEN_CPU: Goal = goal("CPU per check by an app token / by a cookie", "", 1.25, 1.1);
pub const USERINFO: Goal = goal("userinfo / session check, requests/s", "", 0.4, 0.8);
pub const TOKEN_COLD_CPU: Goal = goal(
    "CPU per first check by an app token / by a cookie",
    "",
    1.25,
    1.1,
);
pub const COLD: Goal = goal(
    "the first 20,000 checks after a start / bare Rocket, requests/s",
    "",
    0.3,
    0.45,
);
pub const AFTER_START: Goal = goal("checks/s 5 to 10 s after a start / warm", "", 0.8, 0.9);
pub const ONE_CHANGED: Goal = goal(
    "checks/s while one user is changed each second / without",
    "",
    0.9,
    0.95,
);
pub const GROWTH: Goal = goal(
    "checks/s with the most sessions / with 10,000",
    "",
    0.9,
    0.98,
);
pub const WRITES: Goal = goal(
    "checks/s while 2,000 last uses/s and 100 logouts/s are written / without",
    "",
    0.7,
    0.9,
);
pub const SIGN_INS: Goal = goal("sign-ins/s / argon2 hashes/s on all cores", "", 0.85, 0.95);
pub const MEMORY: Goal = goal(
    "anonymous memory, 1,000,000 sessions, 20,000 of them active",
    "MiB",
    30.0,
    20.0,
);
pub const LISTING: Goal = goal(
    "session list, first page and far end, 1,000,000 sessions, p99",
    "ms",
    50.0,
    5.0,
);
pub const START: Goal = goal("start to ready, 1,000,000 sessions", "ms", 500.0, 100.0);
pub const BINARY: Goal = goal("release binary", "MiB", 25.0, 12.0);

/// A goal and what came out.
pub struct Measured {
    pub goal: &'static Goal,
    pub figure: f64,
}

impl Measured {
    /// `goal`, `floor` or `MISSED`.
    pub fn verdict(&self) -> &'static str {
        let Goal { floor, goal, .. } = *self.goal;
        // What is better than the floor lies on the goal's side of it.
        let reaches = |limit: f64| (self.figure - limit) * (goal - floor) >= 0.0;
        match (reaches(goal), reaches(floor)) {
            (true, _) => "goal",
            (false, true) => "floor",
            (false, false) => "MISSED",
        }
    }

    pub fn json(&self) -> serde_json::Value {
        json!({
            "figure": self.goal.figure,
            "unit": self.goal.unit,
            "floor": self.goal.floor,
            "goal": self.goal.goal,
            "measured": self.figure,
            "verdict": self.verdict(),
        })
    }
}

/// The one table of goals, in Markdown.
pub fn table<'m>(measured: impl IntoIterator<Item = &'m Measured>) -> String {
    let rows = measured.into_iter().map(|row| {
        let Goal {
            figure,
            unit,
            floor,
            goal,
        } = *row.goal;
        let with_unit = |value: String| format!("{value} {unit}").trim_end().to_owned();
        vec![
            figure.to_owned(),
            with_unit(floor.to_string()),
            with_unit(goal.to_string()),
            with_unit(format!("{:.2}", row.figure)),
            row.verdict().to_owned(),
        ]
    });
    markdown::table(&["figure", "floor", "goal", "measured", ""], 0, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_better_where_the_goal_is_above_the_floor() {
        let verdict = |goal, figure| Measured { goal, figure }.verdict();
        assert_eq!(verdict(&CHECK, 1.3), "goal");
        assert_eq!(verdict(&CHECK, 1.0), "floor");
        assert_eq!(verdict(&CHECK, 0.99), "MISSED");
        assert_eq!(verdict(&CHECK_CPU, 0.75), "goal");
        assert_eq!(verdict(&CHECK_CPU, 1.0), "floor");
        assert_eq!(verdict(&CHECK_CPU, 1.01), "MISSED");
    }
}
