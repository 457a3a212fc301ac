//! The session check where the cache is of little help: after a start, while users are changed, and without one.

mod rounds;

use std::time::Duration;

use serde_json::{Value, json};
use xtask::run::{Stop, say};

use super::databases::{LARGE, SMALL, Size};
use super::goals::{AFTER_START, COLD, Measured, ONE_CHANGED, TOKEN_COLD_CPU};
use super::report::Part;
use super::{contenders, pinned};
use crate::driver::load::Load;
use crate::driver::{self, Profile};
use crate::markdown;
use crate::statistics::median;
use rounds::{Bench, Moment, Round};

/// Measured rounds, and how long each load of a round is.
const ROUNDS: (usize, Duration) = (5, Duration::from_secs(5));
const QUICK_ROUNDS: (usize, Duration) = (2, Duration::from_secs(2));

pub fn run(quick: bool) -> Result<Part, Stop> {
    pinned::install()?;
    driver::build(Profile::Dist)?;
    contenders::build()?;
    let size = if quick { SMALL } else { LARGE };
    let (count, time) = if quick { QUICK_ROUNDS } else { ROUNDS };
    let bench = Bench::new(size, time)?;
    say(&format!("measuring cold checks, {count} rounds"));
    // The first one fills the system's cache of the file.
    let rounds = (0..=count).map(|_| bench.round());
    let rounds: Vec<Round> = rounds.collect::<Result<_, _>>()?;
    let rows = rows(&rounds[1..], &bench.alone(count)?, time);
    Ok(part(&rounds[1..], &rows, size))
}

fn part(rounds: &[Round], rows: &[Row], size: Size) -> Part {
    let over = |goal, of: fn(&Round) -> &Moment, yardstick: fn(&Round) -> &Load| Measured {
        goal,
        figure: ratio(rounds, of, yardstick),
    };
    let head = ["", "requests/s", "/ bare Rocket", "CPU", "look-ups"];
    Part {
        name: "cold checks",
        text: format!(
            "{} sessions of {} users; medians of {} rounds; processor seconds for 1,000 requests; look-ups: checks that had to ask the database.\n\n{}",
            size.sessions,
            size.users,
            rounds.len(),
            markdown::table(&head, 0, rows.iter().map(Row::cells))
        ),
        json: rows.iter().map(Row::json).collect(),
        measured: vec![
            over(&COLD, |round| &round.first, |round| &round.bare_first),
            over(
                &AFTER_START,
                |round| &round.started,
                |round| &round.warm.load,
            ),
            over(
                &ONE_CHANGED,
                |round| &round.changing,
                |round| &round.warm.load,
            ),
            Measured {
                goal: &TOKEN_COLD_CPU,
                figure: median(rounds, |round| {
                    round.first_tokens.load.cpu / round.first.load.cpu
                }),
            },
        ],
    }
}

/// Of what is measured in the same round.
fn ratio(rounds: &[Round], of: fn(&Round) -> &Moment, yardstick: fn(&Round) -> &Load) -> f64 {
    median(rounds, |round| {
        of(round).load.per_second / yardstick(round).per_second
    })
}

struct Row {
    name: String,
    per_second: f64,
    /// Where bare Rocket did the same.
    over_bare_rocket: Option<f64>,
    cpu: f64,
    look_ups: f64,
}

fn rows(rounds: &[Round], alone: &[Moment], time: Duration) -> Vec<Row> {
    let row = |name: &str, of: fn(&Round) -> &Moment, bare: fn(&Round) -> &Load| {
        let ratio = ratio(rounds, of, bare);
        let moments: Vec<&Moment> = rounds.iter().map(of).collect();
        Row::new(name, &moments, Some(ratio))
    };
    let bare: fn(&Round) -> &Load = |round| &round.bare;
    let starting = format!("the first {time:?} after a start");
    let started = format!("the {time:?} after those");
    let changing = "warm, one user changed each second";
    let alone: Vec<&Moment> = alone.iter().collect();
    let first_tokens: Vec<&Moment> = rounds.iter().map(|round| &round.first_tokens).collect();
    vec![
        row(
            "each session once",
            |round| &round.first,
            |round| &round.bare_first,
        ),
        row(&starting, |round| &round.starting, bare),
        row(&started, |round| &round.started, bare),
        row("warm", |round| &round.warm, bare),
        row(changing, |round| &round.changing, bare),
        Row::new("each app token once", &first_tokens, None),
        Row::new("one connection, no cache", &alone, None),
    ]
}

impl Row {
    fn new(name: &str, moments: &[&Moment], over_bare_rocket: Option<f64>) -> Self {
        Self {
            name: name.to_owned(),
            per_second: median(moments, |moment| moment.load.per_second),
            over_bare_rocket,
            cpu: median(moments, |moment| moment.load.cpu),
            look_ups: median(moments, |moment| moment.look_ups),
        }
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            format!("{:.0}", self.per_second),
            self.over_bare_rocket
                .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            format!("{:.4}", self.cpu),
            format!("{:.0}", self.look_ups),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "per_second": self.per_second,
            "over_bare_rocket": self.over_bare_rocket,
            "cpu_s_per_1000": self.cpu,
            "look_ups": self.look_ups,
        })
    }
}
