//! A mixed load for as long as one likes, while memory, descriptors, threads and the database are
//! watched: what grows and does not stop is a leak.

mod load;
mod report;
mod samples;
mod trend;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::bench::data::Folder;
use crate::bench::server::{self, Server};
use crate::run::{Outcome, Stop, say};
use crate::seed::{self, Plan, Wanted};
use load::Site;
use report::Report;
use samples::Watch;

/// Put the release binary under a mixed load and look for what grows
///
/// Checks, sign-ins and sign-outs, revokes, admin pages, bad requests, connections that are dropped: on
/// a fresh database of 10,000 sessions. The first quarter, ten minutes at most, warms up and is not
/// judged. Exits with 1 if something grows that should not, or an answer was not the one expected.
#[derive(Args)]
#[command(after_help = "Example: cargo xtask soak --minutes 20")]
pub struct Soak {
    /// How long; a leak of 2 MiB is seen whatever the time, so a longer run sees a slower one
    #[arg(long, value_name = "N", default_value_t = 20.0)]
    minutes: f64,
    /// Replace what stands between <!-- soak --> and <!-- /soak --> in this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

const MOST_WARM_UP: Duration = Duration::from_secs(600);

const SESSIONS: u64 = 10_000;
const USERS: u64 = 1_000;

const ENDED: u64 = 2_500;

/// All come from this machine, which is not to be throttled: its wrong tries are one a second at most.
const SETTINGS: [(&str, &str); 2] = [
    ("VESTIBULE_THROTTLE__ADDRESS_TRIES", "10000"),
    ("VESTIBULE_THROTTLE__ADDRESS_INTERVAL", "1s"),
];

impl Soak {
    pub fn run(&self) -> Outcome {
        let length = Duration::try_from_secs_f64(self.minutes * 60.0)
            .ok()
            .filter(|length| *length >= Duration::from_secs(20))
            .ok_or_else(|| Stop::usage("--minutes: a third of a minute at least"))?;
        if let Some(file) = &self.write {
            report::section(file)?;
        }
        let report = soak(length)?;
        report.print();
        if let Some(file) = &self.write {
            report.write(file)?;
        }
        report.verdict()
    }
}

fn soak(length: Duration) -> Result<Report, Stop> {
    server::build()?;
    let folder = Folder::create()?;
    let database = folder.path().join("soak.db");
    let cookies = folder.path().join("cookies");
    let plan = Plan {
        users: USERS,
        live: SESSIONS,
        ended: ENDED,
        seed: 1,
        moment: seed::today(),
    };
    let wanted = Wanted {
        cookies: Some(&cookies),
        site: None,
    };
    seed::fill(&database, &plan, &wanted)?;
    let site = Site::prepare(&database, &cookies)?;
    let server = Server::start_with(&database, &SETTINGS)?;
    say(&format!("{} s of load", length.as_secs()));
    let over = AtomicBool::new(false);
    let (done, samples) = thread::scope(|scope| {
        let load = scope.spawn(|| site.load(server.address, &over));
        let samples = Watch::of(server.id(), &database).for_as_long_as(length);
        over.store(true, Ordering::Relaxed);
        (load.join().expect("no panic"), samples)
    });
    let warm_up = (length / 4).min(MOST_WARM_UP);
    Ok(Report {
        length,
        warm_up,
        done: done?,
        samples: samples?,
    })
}
