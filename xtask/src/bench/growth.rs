//! How what is measured grows with the number of sessions: 10,000, 1,000,000 and 10,000,000.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::web::pages::grouped;

use super::check::{TRUSTED, forward_auth};
use super::data::{Folder, HUGE, LARGE, SMALL, Seeded, Size};
use super::failed;
use super::figures::{millis, quantile};
use super::goals::{BINARY, GROWTH, MEMORY, Met};
use super::listing::Pages;
use super::load::{self, Load, median};
use super::plot::{Line, Plot, short};
use super::process;
use super::report::Part;
use super::server::{self, Server};
use crate::run::{Outcome, Stop, root, say};

const TURNS: (usize, Duration) = (5, Duration::from_secs(5));
const QUICK_TURNS: (usize, Duration) = (2, Duration::from_secs(2));
const STARTS: usize = 5;
const ROUNDS: usize = 300;
const QUICK_ROUNDS: usize = 20;

/// Of the pages that list; `bench listing` measures all of them.
const PAGES: [&str; 3] = ["first page", "far end, by last seen", "search: one user"];

const MIB: f64 = 1_048_576.0;

/// A server with so many sessions, and what was seen of it.
struct Seen {
    sessions: u64,
    seeded: Seeded,
    server: Server,
    starts: Vec<Duration>,
    loads: Vec<Load>,
    anonymous: u64,
    pages: [Vec<Duration>; PAGES.len()],
}

pub fn run(quick: bool) -> Result<Part, Stop> {
    load::install()?;
    server::build()?;
    let sizes: &[Size] = if quick {
        &[SMALL, LARGE]
    } else {
        &[SMALL, LARGE, HUGE]
    };
    let folder = Folder::create()?;
    let started = sizes.iter().map(|size| Seen::start(&folder, *size));
    let mut all: Vec<Seen> = started.collect::<Result<_, _>>()?;
    check(&mut all, &folder, if quick { QUICK_TURNS } else { TURNS })?;
    // After the checks, whose memory is measured: a sign-in takes memory too.
    list(&mut all, if quick { QUICK_ROUNDS } else { ROUNDS })?;
    draw(&all, quick)?;
    part(&all)
}

/// In turn, so that whatever else the machine does hits all alike. The first turn warms up.
fn check(all: &mut [Seen], folder: &Folder, (turns, time): (usize, Duration)) -> Outcome {
    say(&format!(
        "measuring growth, {turns} turns of {time:?} for each size"
    ));
    for turn in 0..=turns {
        for seen in &mut *all {
            let asked = forward_auth(&seen.seeded);
            let load = Load::measure(folder.path(), &seen.server, &asked, time)?;
            if turn > 0 {
                seen.loads.push(load);
            }
            seen.anonymous = process::anonymous(seen.server.id())?;
        }
    }
    Ok(())
}

fn list(all: &mut [Seen], rounds: usize) -> Outcome {
    say(&format!(
        "measuring pages that list, {rounds} requests of each"
    ));
    let pages = all
        .iter()
        .map(|seen| Pages::of(&seen.server, &seen.seeded.database, rounds));
    let mut pages: Vec<Pages> = pages.collect::<Result<_, _>>()?;
    for round in 0..=rounds {
        for (place, name) in PAGES.iter().enumerate() {
            for (seen, pages) in all.iter_mut().zip(&mut pages) {
                let took = pages.measure(name, round)?;
                if round > 0 {
                    seen.pages[place].push(took);
                }
            }
        }
    }
    Ok(())
}

fn part(all: &[Seen]) -> Result<Part, Stop> {
    let binary = fs::metadata(server::binary()).map_err(failed("the release binary"))?;
    let binary = mebibytes(binary.len());
    let rows = rows(all);
    let (first, last) = (&all[0], &all[all.len() - 1]);
    let large = all
        .iter()
        .find(|seen| seen.sessions == LARGE.sessions)
        .unwrap_or(last);
    Ok(Part {
        name: "growth",
        text: format!(
            "{}\nThe release binary has {binary:.1} MiB.\n",
            table(all, &rows)
        ),
        json: json!({
            "sessions": all.iter().map(|seen| seen.sessions).collect::<Vec<_>>(),
            "figures": rows.iter().map(Row::json).collect::<Vec<_>>(),
        }),
        met: vec![
            Met {
                goal: &GROWTH,
                figure: last.per_second() / first.per_second(),
            },
            Met {
                goal: &MEMORY,
                figure: mebibytes(large.anonymous),
            },
            Met {
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

fn rows(all: &[Seen]) -> Vec<Row> {
    let row = |name: &str, of: &dyn Fn(&Seen) -> f64| Row {
        name: name.to_owned(),
        figures: all.iter().map(of).collect(),
    };
    let mut rows = vec![
        row("checks/s", &Seen::per_second),
        row("p99 of a check, ms", &|seen| {
            median(&seen.loads, |load| millis(load.p99))
        }),
        row("CPU s for 1,000 checks", &|seen| {
            median(&seen.loads, |load| load.cpu)
        }),
        row("anonymous memory, MiB", &|seen| mebibytes(seen.anonymous)),
        row("start to ready, ms", &Seen::start_millis),
    ];
    for (place, name) in PAGES.iter().enumerate() {
        for (what, share) in [("median", 0.5), ("p99", 0.99)] {
            let name = format!("{name}, {what}, ms");
            rows.push(row(&name, &|seen| seen.page(place, share)));
        }
    }
    rows
}

/// The figures, and after them how many times the first one they are.
fn table(all: &[Seen], rows: &[Row]) -> String {
    let sizes: Vec<String> = all.iter().map(|seen| grouped(seen.sessions)).collect();
    let ratios = sizes[1..]
        .iter()
        .map(|size| format!("{size} / {}", sizes[0]));
    let head: Vec<String> = sizes.iter().cloned().chain(ratios).collect();
    let mut text = format!(
        "| sessions | {} |\n| --- |{}\n",
        head.join(" | "),
        " --- |".repeat(head.len())
    );
    for row in rows {
        let figures = row.figures.iter().map(|figure| short(*figure));
        let ratios = row.ratios().into_iter().map(|ratio| format!("{ratio:.2}"));
        let cells: Vec<String> = figures.chain(ratios).collect();
        let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
    }
    text
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

impl Seen {
    fn start(folder: &Folder, size: Size) -> Result<Self, Stop> {
        let seeded = folder.with_cookies(size)?;
        server::add_admin(&seeded.database)?;
        // Each is killed as soon as it is ready, so that none reads the database through beside the next.
        let starts =
            (0..STARTS).map(|_| Server::start(&seeded.database).map(|server| server.ready_after));
        Ok(Self {
            sessions: size.sessions,
            starts: starts.collect::<Result<_, _>>()?,
            server: Server::start_pinned(&seeded.database, TRUSTED)?,
            seeded,
            loads: Vec::new(),
            anonymous: 0,
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

#[expect(clippy::cast_precision_loss, reason = "bytes of a program")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

/// The pictures of docs/performance.md. Those of a quick run lie beside its databases: they are to be
/// looked at, not to be shown.
fn draw(all: &[Seen], quick: bool) -> Outcome {
    let folder: PathBuf = root().join(if quick { "target/bench" } else { "docs/images" });
    let line = |name, of: &dyn Fn(&Seen) -> f64| Line {
        name,
        figures: all.iter().map(of).collect(),
    };
    let pages = PAGES.iter().enumerate();
    let plots = [
        (
            "checks",
            "session checks a second",
            vec![line("", &Seen::per_second)],
        ),
        (
            "memory",
            "anonymous memory, MiB, 20,000 sessions active",
            vec![line("", &|seen| mebibytes(seen.anonymous))],
        ),
        (
            "start",
            "start to ready, ms",
            vec![line("", &Seen::start_millis)],
        ),
        (
            "listing",
            "pages of the admin's listing, median, ms",
            pages
                .map(|(place, name)| line(name, &|seen| seen.page(place, 0.5)))
                .collect(),
        ),
    ];
    for (name, title, lines) in plots {
        let path = folder.join(format!("growth-{name}.svg"));
        let plot = Plot {
            title,
            sessions: all.iter().map(|seen| seen.sessions).collect(),
            lines,
        };
        fs::write(&path, plot.svg()).map_err(failed(&path.to_string_lossy()))?;
    }
    say(&format!("drew growth-*.svg in {}", folder.display()));
    Ok(())
}
