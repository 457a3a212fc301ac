//! How what is measured grows with the number of sessions: 10,000, 1,000,000 and 10,000,000.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use xtask::run::{Outcome, Stop, failed, root, say};

use super::check::{TRUSTED, forward_auth};
use super::databases::{Folder, HUGE, LARGE, SMALL, Seeded, Size};
use super::goals::{BINARY, GROWTH, MEMORY, Measured};
use super::listing::{self, Pages};
use super::plot::{Line, Plot, short};
use super::report::Part;
use super::{add_admin, pinned};
use crate::driver::load::Load;
use crate::driver::{self, Instance, Server};
use crate::library::grouped;
use crate::markdown;
use crate::statistics::{median, millis, quantile};

const TURNS: (usize, Duration) = (5, Duration::from_secs(5));
const QUICK_TURNS: (usize, Duration) = (2, Duration::from_secs(2));
const STARTS: usize = 5;
const ROUNDS: usize = 300;
const QUICK_ROUNDS: usize = 20;

/// Of the pages that list; `bench listing` measures all of them.
const PAGES: [&str; 3] = listing::EVERYWHERE;

const KIB: f64 = 1_024.0;

/// A server with so many sessions, and what was measured of it.
struct Subject {
    sessions: u64,
    seeded: Seeded,
    server: Server,
    starts: Vec<Duration>,
    loads: Vec<Load>,
    anonymous_kib: u64,
    pages: [Vec<Duration>; PAGES.len()],
}

pub fn run(quick: bool) -> Result<Part, Stop> {
    pinned::install()?;
    driver::build(driver::Profile::Dist)?;
    let sizes: &[Size] = if quick {
        &[SMALL, LARGE]
    } else {
        &[SMALL, LARGE, HUGE]
    };
    let folder = Folder::create()?;
    let started = sizes.iter().map(|size| Subject::start(&folder, *size));
    let mut all: Vec<Subject> = started.collect::<Result<_, _>>()?;
    check(&mut all, &folder, if quick { QUICK_TURNS } else { TURNS })?;
    // After the checks, whose memory is measured: a sign-in takes memory too.
    list(&mut all, if quick { QUICK_ROUNDS } else { ROUNDS })?;
    draw(&all, quick)?;
    part(&all)
}

/// In turn, so that whatever else the machine does hits all alike. The first turn warms up.
fn check(all: &mut [Subject], folder: &Folder, (turns, time): (usize, Duration)) -> Outcome {
    say(&format!(
        "measuring growth, {turns} turns of {time:?} for each size"
    ));
    for turn in 0..=turns {
        for subject in &mut *all {
            let asked = forward_auth(&subject.seeded);
            let load = pinned::wrk(time).measure(folder.path(), &subject.server, &asked)?;
            if turn > 0 {
                subject.loads.push(load);
            }
            subject.anonymous_kib = subject.server.process().status()?.anonymous_kib;
        }
    }
    Ok(())
}

fn list(all: &mut [Subject], rounds: usize) -> Outcome {
    say(&format!(
        "measuring pages that list, {rounds} requests of each"
    ));
    let pages = all
        .iter()
        .map(|subject| Pages::of(&subject.server, &subject.seeded.database, rounds));
    let mut pages: Vec<Pages> = pages.collect::<Result<_, _>>()?;
    for round in 0..=rounds {
        for (place, name) in PAGES.iter().enumerate() {
            for (subject, pages) in all.iter_mut().zip(&mut pages) {
                let took = pages.measure(name, round)?;
                if round > 0 {
                    subject.pages[place].push(took);
                }
            }
        }
    }
    Ok(())
}

fn part(all: &[Subject]) -> Result<Part, Stop> {
    let binary = fs::metadata(driver::binary()).map_err(failed("the binary"))?;
    let binary = mebibytes(binary.len()) / KIB;
    let rows = rows(all);
    let (first, last) = (&all[0], &all[all.len() - 1]);
    let large = all
        .iter()
        .find(|subject| subject.sessions == LARGE.sessions)
        .unwrap_or(last);
    Ok(Part {
        name: "growth",
        text: format!(
            "{}\nThe packaged binary has {binary:.1} MiB.\n",
            table(all, &rows)
        ),
        json: json!({
            "sessions": all.iter().map(|subject| subject.sessions).collect::<Vec<_>>(),
            "figures": rows.iter().map(Row::json).collect::<Vec<_>>(),
        }),
        measured: vec![
            Measured {
                goal: &GROWTH,
                figure: last.per_second() / first.per_second(),
            },
            Measured {
                goal: &MEMORY,
                figure: mebibytes(large.anonymous_kib),
            },
            Measured {
                goal: &BINARY,
                figure: binary,
            },
        ],
    })
}

/// A figure for each number of sessions.
struct Row {
    name: String,
    figures: Vec<f64>,
}

fn rows(all: &[Subject]) -> Vec<Row> {
    let row = |name: &str, of: &dyn Fn(&Subject) -> f64| Row {
        name: name.to_owned(),
        figures: all.iter().map(of).collect(),
    };
    let mut rows = vec![
        row("checks/s", &Subject::per_second),
        row("p99 of a check, ms", &|subject| {
            median(&subject.loads, |load| millis(load.p99))
        }),
        row("CPU s for 1,000 checks", &|subject| {
            median(&subject.loads, |load| load.cpu)
        }),
        row("anonymous memory, MiB", &|subject| {
            mebibytes(subject.anonymous_kib)
        }),
        row("start to ready, ms", &Subject::start_millis),
    ];
    for (place, name) in PAGES.iter().enumerate() {
        for (what, share) in [("median", 0.5), ("p99", 0.99)] {
            let name = format!("{name}, {what}, ms");
            rows.push(row(&name, &|subject| subject.page(place, share)));
        }
    }
    rows
}

/// The figures, and after them how many times the first one they are.
fn table(all: &[Subject], rows: &[Row]) -> String {
    let sizes: Vec<String> = all
        .iter()
        .map(|subject| grouped(subject.sessions))
        .collect();
    let ratios = sizes[1..]
        .iter()
        .map(|size| format!("{size} / {}", sizes[0]));
    let head: Vec<String> = ["sessions".to_owned()]
        .into_iter()
        .chain(sizes.clone())
        .chain(ratios)
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let rows = rows.iter().map(|row| {
        let figures = row.figures.iter().map(|figure| short(*figure));
        let ratios = row.ratios().into_iter().map(|ratio| format!("{ratio:.2}"));
        [row.name.clone()]
            .into_iter()
            .chain(figures)
            .chain(ratios)
            .collect()
    });
    markdown::table(&head, 0, rows)
}

impl Row {
    /// Of all but the first, to the first.
    fn ratios(&self) -> Vec<f64> {
        let others = self.figures[1..].iter();
        others.map(|figure| figure / self.figures[0]).collect()
    }

    fn json(&self) -> Value {
        json!({ "figure": self.name, "measured": self.figures, "ratios": self.ratios() })
    }
}

impl Subject {
    fn start(folder: &Folder, size: Size) -> Result<Self, Stop> {
        let seeded = folder.with_cookies(size)?;
        add_admin(&seeded.database)?;
        let instance = Instance::on(&seeded.database)?;
        // Each is killed as soon as it is ready, so that none reads the database through beside the next.
        let starts = (0..STARTS).map(|_| instance.start().map(|server| server.ready_after));
        Ok(Self {
            sessions: size.sessions,
            starts: starts.collect::<Result<_, _>>()?,
            server: pinned::start(&seeded.database, TRUSTED)?,
            seeded,
            loads: Vec::new(),
            anonymous_kib: 0,
            pages: Default::default(),
        })
    }

    fn per_second(&self) -> f64 {
        median(&self.loads, |load| load.per_second)
    }

    fn start_millis(&self) -> f64 {
        millis(quantile(&self.starts, 0.5))
    }

    fn page(&self, place: usize, share: f64) -> f64 {
        millis(quantile(&self.pages[place], share))
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes of a program")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / KIB
}

/// The pictures of docs/performance.md. Those of a quick run lie beside its databases: they are to be
/// looked at, not to be shown.
fn draw(all: &[Subject], quick: bool) -> Outcome {
    let folder: PathBuf = root().join(if quick { "target/bench" } else { "docs/images" });
    let line = |name, of: &dyn Fn(&Subject) -> f64| Line {
        name,
        figures: all.iter().map(of).collect(),
    };
    let pages = PAGES.iter().enumerate();
    let plots = [
        (
            "checks",
            "session checks a second",
            vec![line("", &Subject::per_second)],
        ),
        (
            "memory",
            "anonymous memory, MiB, 20,000 sessions active",
            vec![line("", &|subject| mebibytes(subject.anonymous_kib))],
        ),
        (
            "start",
            "start to ready, ms",
            vec![line("", &Subject::start_millis)],
        ),
        (
            "listing",
            "pages of the admin's listing, median, ms",
            pages
                .map(|(place, name)| line(name, &|subject| subject.page(place, 0.5)))
                .collect(),
        ),
    ];
    for (name, title, lines) in plots {
        let path = folder.join(format!("growth-{name}.svg"));
        let plot = Plot {
            title,
            sessions: all.iter().map(|subject| subject.sessions).collect(),
            lines,
        };
        fs::write(&path, plot.svg()).map_err(failed(path.display()))?;
    }
    say(&format!("drew growth-*.svg in {}", folder.display()));
    Ok(())
}
