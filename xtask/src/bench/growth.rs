//! How what is measured grows with the number of sessions: 10,000, 1,000,000 and 10,000,000.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde_json::json;

use super::check::{TRUSTED, forward_auth};
use super::data::{Folder, HUGE, LARGE, SMALL, Size};
use super::failed;
use super::goals::{BINARY, GROWTH, MEMORY, Met};
use super::load::{self, Load, median};
use super::plot::Plot;
use super::process;
use super::report::Part;
use super::server::{self, Server};
use crate::run::{Outcome, Stop, root, say};

const TURNS: (usize, Duration) = (5, Duration::from_secs(5));
const QUICK_TURNS: (usize, Duration) = (2, Duration::from_secs(2));
const STARTS: usize = 5;

const MIB: f64 = 1_048_576.0;

/// What was seen with so many sessions.
struct Seen {
    size: Size,
    server: Server,
    starts: Vec<Duration>,
    loads: Vec<Load>,
    anonymous: u64,
}

pub fn run(quick: bool) -> Result<Part, Stop> {
    load::install()?;
    server::build()?;
    let (turns, time) = if quick { QUICK_TURNS } else { TURNS };
    let sizes: &[Size] = if quick {
        &[SMALL, LARGE]
    } else {
        &[SMALL, LARGE, HUGE]
    };
    let folder = Folder::create()?;
    let mut all = Vec::new();
    for size in sizes {
        let seeded = folder.with_cookies(*size)?;
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            starts.push(Server::start(&seeded.database)?.ready_after);
        }
        let seen = Seen {
            size: *size,
            server: Server::start_pinned(&seeded.database, TRUSTED)?,
            starts,
            loads: Vec::new(),
            anonymous: 0,
        };
        all.push((seen, forward_auth(&seeded)));
    }
    say(&format!(
        "measuring growth, {turns} turns of {time:?} for each size"
    ));
    for turn in 0..=turns {
        for (seen, asked) in &mut all {
            let load = Load::measure(folder.path(), &seen.server, asked, time)?;
            if turn > 0 {
                seen.loads.push(load);
            }
            seen.anonymous = process::anonymous(seen.server.id())?;
        }
    }
    let all: Vec<Seen> = all.into_iter().map(|(seen, _)| seen).collect();
    if !quick {
        draw(&all)?;
    }
    part(&all)
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a program")]
fn part(all: &[Seen]) -> Result<Part, Stop> {
    let binary = fs::metadata(server::binary()).map_err(failed("the release binary"))?;
    let binary = binary.len() as f64 / MIB;
    let mut text = String::from(
        "| sessions | checks/s | p99, ms | CPU s for 1,000 | anonymous memory, MiB | start to ready, ms |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for seen in all {
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.2} | {:.4} | {:.1} | {:.0} |",
            seen.size.sessions,
            seen.per_second(),
            median(&seen.loads, |load| load.p99.as_secs_f64() * 1_000.0),
            median(&seen.loads, |load| load.cpu),
            seen.mebibytes(),
            seen.start(),
        );
    }
    let _ = writeln!(text, "\nThe release binary has {binary:.1} MiB.");
    let (first, last) = (&all[0], &all[all.len() - 1]);
    let large = all
        .iter()
        .find(|seen| seen.size.sessions == LARGE.sessions)
        .unwrap_or(last);
    Ok(Part {
        name: "growth",
        text,
        json: json!(all.iter().map(Seen::json).collect::<Vec<_>>()),
        met: vec![
            Met {
                goal: &GROWTH,
                figure: last.per_second() / first.per_second(),
            },
            Met {
                goal: &MEMORY,
                figure: large.mebibytes(),
            },
            Met {
                goal: &BINARY,
                figure: binary,
            },
        ],
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes of one machine"
)]
impl Seen {
    fn per_second(&self) -> f64 {
        median(&self.loads, |load| load.per_second)
    }

    fn mebibytes(&self) -> f64 {
        self.anonymous as f64 / MIB
    }

    /// Milliseconds, the one in the middle.
    fn start(&self) -> f64 {
        let mut starts = self.starts.clone();
        starts.sort();
        starts[starts.len() / 2].as_secs_f64() * 1_000.0
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "sessions": self.size.sessions,
            "per_second": self.per_second(),
            "anonymous_mib": self.mebibytes(),
            "start_ms": self.start(),
        })
    }
}

fn draw(all: &[Seen]) -> Outcome {
    let points = |of: fn(&Seen) -> f64| -> Vec<(u64, f64)> {
        all.iter()
            .map(|seen| (seen.size.sessions, of(seen)))
            .collect()
    };
    let plots = [
        (
            "checks",
            "session checks a second",
            points(Seen::per_second),
        ),
        (
            "memory",
            "anonymous memory, MiB, 20,000 sessions active",
            points(Seen::mebibytes),
        ),
        ("start", "start to ready, ms", points(Seen::start)),
    ];
    for (name, title, points) in plots {
        let path = root().join(format!("docs/images/growth-{name}.svg"));
        let plot = Plot { title, points };
        fs::write(&path, plot.svg()).map_err(failed(&path.to_string_lossy()))?;
    }
    Ok(())
}
