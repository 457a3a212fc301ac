//! A mixed load for as long as one likes, while memory, descriptors, threads and the database are
//! watched: what keeps growing is a leak.

mod report;
mod samples;
mod scenarios;
mod trend;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::Args;
use xtask::run::{Outcome, Stop, root, say};

use crate::driver::{self, Instance};
use crate::seed::{self, CookieFiles, Plan};
use report::Report;
use samples::Sampler;
use scenarios::Visitors;

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

const MAX_WARM_UP: Duration = Duration::from_secs(600);

const SESSIONS: u64 = 10_000;
const USERS: u64 = 1_000;

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
            report::SECTION.read(file)?;
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
    driver::build(driver::Profile::Release)?;
    let folder = driver::temporary_folder(&root().join("target/bench"))?;
    let database = folder.path().join("soak.db");
    let cookies = folder.path().join("cookies");
    let wanted = CookieFiles {
        sign_in: Some(&cookies),
        ..CookieFiles::default()
    };
    seed::fill(&database, &Plan::of(SESSIONS, USERS), &wanted)?;
    let instance = Instance::on(&database)?.set_all(&SETTINGS);
    let visitors = Visitors::prepare(&instance, &cookies)?;
    let server = instance.start()?;
    say(&format!("{} s of load", length.as_secs()));
    let over = AtomicBool::new(false);
    let (counts, samples) = thread::scope(|scope| {
        let load = scope.spawn(|| visitors.load(server.address, &over));
        let samples = Sampler::of(server.process(), &database).run(length);
        over.store(true, Ordering::Relaxed);
        (load.join().expect("no panic"), samples)
    });
    let warm_up = (length / 4).min(MAX_WARM_UP);
    Ok(Report {
        length,
        warm_up,
        counts: counts?,
        samples: samples?,
    })
}
