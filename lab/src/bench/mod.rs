//! Measures the release binary against the project's goals, one part a file.

mod check;
mod cold;
mod contenders;
mod databases;
mod goals;
mod growth;
mod latency;
mod listing;
mod pinned;
mod plot;
mod report;
mod sign_ins;
mod writes;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use xtask::run::{Outcome, Stop};

use crate::driver::Instance;
use report::{Part, Report};

/// Measure the release binary against its goals
///
/// Seeds databases under target/bench, starts servers on loopback, and ends them. Ratios last;
/// absolute figures are this machine's and this moment's. Without a part, all of them.
#[derive(Args)]
#[command(after_help = "Example: cargo xtask bench check --quick")]
pub struct Bench {
    #[command(subcommand)]
    part: Option<Benchmark>,
    /// Fewer requests and smaller databases: to see whether it works, not how fast it is
    #[arg(long, global = true)]
    quick: bool,
    #[arg(long, global = true)]
    json: bool,
    /// Put the figures into this document, between its two marks; those of other parts stay there
    #[arg(long, global = true, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Clone, Copy, Subcommand)]
enum Benchmark {
    /// The session check, beside a bare Rocket, a bare hyper and axum-login
    Check,
    /// The session check after a start, while users are changed, and with each check a miss
    Cold,
    /// The session check while last uses and sign-outs are written
    Writes,
    /// Sign-ins, against what all cores can hash
    SignIns,
    /// Checks, memory, start and pages that list with 10,000, 1,000,000 and 10,000,000 sessions
    ///
    /// Draws docs/images/growth-*.svg. The databases take 17 GB under target/bench, of which 8 stay there
    /// for the next run. Seeding 10,000,000 sessions takes some ten minutes, and then the server reads
    /// them through before it is measured: allow half an hour for the first run. With --quick up to
    /// 1,000,000 sessions, drawn in target/bench.
    Growth,
    /// The pages that list sessions and users, with 10,000 and with 1,000,000 sessions
    Listing,
}

impl Benchmark {
    const ALL: [Self; 6] = [
        Self::Check,
        Self::Cold,
        Self::Writes,
        Self::SignIns,
        Self::Growth,
        Self::Listing,
    ];

    fn run(self, quick: bool) -> Result<Part, Stop> {
        match self {
            Self::Check => check::run(quick),
            Self::Cold => cold::run(quick),
            Self::Writes => writes::run(quick),
            Self::SignIns => sign_ins::run(quick),
            Self::Growth => growth::run(quick),
            Self::Listing => Ok(listing::run(quick)?.part()),
        }
    }
}

impl Bench {
    pub fn run(&self) -> Outcome {
        if let Some(document) = &self.write {
            report::SECTION.read(document)?;
        }
        let parts = match self.part {
            Some(part) => vec![part],
            None => Benchmark::ALL.to_vec(),
        };
        let parts = parts.into_iter().map(|part| part.run(self.quick));
        let report = Report(parts.collect::<Result<_, _>>()?);
        report.print(self.json);
        match &self.write {
            Some(document) => report.write(document),
            None => Ok(()),
        }
    }
}

const ADMIN: &str = "bench-admin";

fn add_admin(database: &Path) -> Outcome {
    Instance::on(database)?.add_user(ADMIN, &["--admin"])
}
