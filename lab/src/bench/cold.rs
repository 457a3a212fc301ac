//! The session check where the cache is of little help: after a start, while users are changed, and without one.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::run::{Outcome, Stop, failed, say};

use super::check::{TRUSTED, forward_auth};
use super::databases::{Folder, LARGE, SMALL, Seeded, Size};
use super::goals::{AFTER_START, COLD, Measured, ONE_CHANGED};
use super::load::{self, Load, Target, Wrk};
use super::report::Part;
use super::{contenders, pinned};
use crate::driver::{self, Client, Instance, Server};
use crate::statistics::median;
use crate::{markdown, sqlite};

/// Measured rounds, and how long each load of a round is.
const ROUNDS: (usize, Duration) = (5, Duration::from_secs(5));
const QUICK_ROUNDS: (usize, Duration) = (2, Duration::from_secs(2));

const METRICS_TOKEN: &str = "a-token-for-metrics";
const METRICS: (&str, &str) = ("VESTIBULE_METRICS_TOKEN", METRICS_TOKEN);
const WITHOUT_CACHE: (&str, &str) = ("VESTIBULE_CACHE__ENTRIES", "0");

const CHANGE_EVERY: Duration = Duration::from_secs(1);

/// A load, and how many checks of it had to ask the database.
struct Moment {
    load: Load,
    look_ups: f64,
}

/// What is measured once a round.
struct Round {
    bare_first: Load,
    bare: Load,
    starting: Moment,
    started: Moment,
    first: Moment,
    warm: Moment,
    changing: Moment,
    alone: Moment,
}

struct Bench {
    folder: Folder,
    seeded: Seeded,
    target: Target,
    bare: Server,
    bare_target: Target,
    username: String,
    time: Duration,
}

pub fn run(quick: bool) -> Result<Part, Stop> {
    load::install()?;
    driver::build(driver::Profile::Dist)?;
    contenders::build()?;
    let size = if quick { SMALL } else { LARGE };
    let (count, time) = if quick { QUICK_ROUNDS } else { ROUNDS };
    let bench = Bench::new(size, time)?;
    say(&format!("measuring cold checks, {count} rounds"));
    // The first one fills the system's cache of the file.
    let rounds = (0..=count).map(|_| bench.round());
    let rounds: Vec<Round> = rounds.collect::<Result<_, _>>()?;
    Ok(part(&rounds[1..], size, time))
}

impl Bench {
    fn new(size: Size, time: Duration) -> Result<Self, Stop> {
        let folder = Folder::create()?;
        let seeded = folder.with_cookies(size)?;
        let target = forward_auth(&seeded);
        Ok(Self {
            bare: contenders::rocket_hello()?,
            bare_target: Target {
                path: "/",
                ..target.clone()
            },
            username: username(&seeded)?,
            folder,
            seeded,
            target,
            time,
        })
    }

    fn round(&self) -> Result<Round, Stop> {
        let cookies = fs::read_to_string(&self.target.cookies).map_err(failed("cookies"))?;
        let each_once = Wrk {
            requests: Some(cookies.lines().count()),
            ..Wrk::new(self.time)
        };
        let for_time = Wrk::new(self.time);
        let one_by_one = Wrk {
            connections: 1,
            ..for_time
        };
        let bare = |wrk: Wrk| wrk.measure(self.folder.path(), &self.bare, &self.bare_target);

        let instance = self.instance(&[TRUSTED, &[METRICS]].concat())?;
        let server = instance.start()?;
        let starting = self.moment(&server, for_time)?;
        let started = self.moment(&server, for_time)?;
        server.stop()?;

        let server = instance.start()?;
        pinned::settle(&server)?;
        let first = self.moment(&server, each_once)?;
        let bare_first = bare(each_once)?;
        let warm = self.moment(&server, for_time)?;
        let changing = self.while_changing(|| self.moment(&server, for_time))?;
        let bare = bare(for_time)?;
        server.stop()?;

        let instance = self.instance(&[TRUSTED, &[METRICS, WITHOUT_CACHE]].concat())?;
        let server = instance.start()?;
        pinned::settle(&server)?;
        let alone = self.moment(&server, one_by_one)?;
        server.stop()?;
        Ok(Round {
            bare_first,
            bare,
            starting,
            started,
            first,
            warm,
            changing,
            alone,
        })
    }

    fn instance(&self, settings: &[(&str, &str)]) -> Result<Instance, Stop> {
        pinned::instance(&self.seeded.database, settings)
    }

    fn moment(&self, server: &Server, wrk: Wrk) -> Result<Moment, Stop> {
        let before = look_ups(server)?;
        let load = wrk.measure(self.folder.path(), server, &self.target)?;
        Ok(Moment {
            load,
            look_ups: look_ups(server)? - before,
        })
    }

    /// Changes a user by the command line each second, as an import does, until the work is done.
    fn while_changing<T>(&self, work: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
        let done = AtomicBool::new(false);
        let command = pinned::beside_load(Instance::on(&self.seeded.database)?);
        thread::scope(|scope| {
            let changing = scope.spawn(|| -> Outcome {
                let began = Instant::now();
                for number in 1.. {
                    let name = format!("Changed {number}");
                    let set = ["user", "set", &self.username, "--display-name", &name];
                    command.cli(&set)?.success()?;
                    while began.elapsed() < CHANGE_EVERY * number {
                        if done.load(Ordering::Relaxed) {
                            return Ok(());
                        }
                        thread::sleep(Duration::from_millis(10));
                    }
                }
                Ok(())
            });
            let outcome = work();
            done.store(true, Ordering::Relaxed);
            changing.join().expect("it does not panic")?;
            outcome
        })
    }
}

/// The user of the first session that is checked.
fn username(seeded: &Seeded) -> Result<String, Stop> {
    sqlite::connected(&sqlite::file(&seeded.database), async |connection| {
        sqlx::query_scalar(
            "SELECT u.username FROM sessions s JOIN users u ON u.id = s.user_id
             WHERE s.ended_at IS NULL ORDER BY s.token_hash LIMIT 1",
        )
        .fetch_one(connection)
        .await
    })
    .map_err(failed::<sqlx::Error>("a user"))
}

/// How often the server has asked the database for a session.
fn look_ups(server: &Server) -> Result<f64, Stop> {
    let series = "vestibule_database_seconds_count{operation=\"look_up\"} ";
    let bearer = format!("Authorization: Bearer {METRICS_TOKEN}\r\n");
    let text = Client::connect(server.address)
        .and_then(|mut client| client.get_with("/metrics", &bearer))
        .map_err(failed("GET /metrics"))?
        .body;
    let value = text.lines().find_map(|line| line.strip_prefix(series));
    value
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| Stop::because(format!("GET /metrics: no {series}")))
}

fn part(rounds: &[Round], size: Size, time: Duration) -> Part {
    let over = |goal, of: fn(&Round) -> (&Load, &Load)| Measured {
        goal,
        figure: median(rounds, |round| {
            let (load, yardstick) = of(round);
            load.per_second / yardstick.per_second
        }),
    };
    let rows = rows(rounds, time);
    let head = [
        "",
        "requests/s",
        "/ bare Rocket",
        "CPU s for 1,000",
        "look-ups",
    ];
    Part {
        name: "cold checks",
        text: format!(
            "{} sessions of {} users; medians of {} rounds; look-ups: checks that had to ask the database.\n\n{}",
            size.sessions,
            size.users,
            rounds.len(),
            markdown::table(&head, 0, rows.iter().map(Row::cells))
        ),
        json: rows.iter().map(Row::json).collect(),
        measured: vec![
            over(&COLD, |round| (&round.first.load, &round.bare_first)),
            over(&AFTER_START, |round| {
                (&round.started.load, &round.warm.load)
            }),
            over(&ONE_CHANGED, |round| {
                (&round.changing.load, &round.warm.load)
            }),
        ],
    }
}

struct Row {
    name: String,
    per_second: f64,
    /// Where bare Rocket did the same.
    ratio: Option<f64>,
    cpu: f64,
    look_ups: f64,
}

fn rows(rounds: &[Round], time: Duration) -> Vec<Row> {
    let row = |name: &str, of: fn(&Round) -> &Moment, bare: Option<fn(&Round) -> &Load>| Row {
        name: name.to_owned(),
        per_second: median(rounds, |round| of(round).load.per_second),
        ratio: bare.map(|bare| {
            median(rounds, |round| {
                of(round).load.per_second / bare(round).per_second
            })
        }),
        cpu: median(rounds, |round| of(round).load.cpu),
        look_ups: median(rounds, |round| of(round).look_ups),
    };
    let first: Option<fn(&Round) -> &Load> = Some(|round| &round.bare_first);
    let bare: Option<fn(&Round) -> &Load> = Some(|round| &round.bare);
    let (starting, started) = (
        format!("the first {time:?} after a start"),
        format!("the {time:?} after those"),
    );
    vec![
        row("each session once", |round| &round.first, first),
        row(&starting, |round| &round.starting, bare),
        row(&started, |round| &round.started, bare),
        row("warm", |round| &round.warm, bare),
        row(
            "warm, one user changed each second",
            |round| &round.changing,
            bare,
        ),
        row("one connection, no cache", |round| &round.alone, None),
    ]
}

impl Row {
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            format!("{:.0}", self.per_second),
            self.ratio
                .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            format!("{:.4}", self.cpu),
            format!("{:.0}", self.look_ups),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "per_second": self.per_second,
            "over_bare_rocket": self.ratio,
            "cpu_s_per_1000": self.cpu,
            "look_ups": self.look_ups,
        })
    }
}
