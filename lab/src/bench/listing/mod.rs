//! The pages that list: they must answer alike whether there are ten thousand sessions or a million.

mod cases;
mod samples;

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use xtask::run::{Stop, failed, say};

use super::databases::{Folder, LARGE, SMALL, Size};
use super::latency::{Latency, Limits, Table};
use super::{ADMIN, add_admin};
use crate::driver::{self, Client, Instance, Server};
use crate::sqlite;
pub use cases::EVERYWHERE;
use cases::{Case, Expect};
use samples::Samples;

const PAGE: Limits = Limits {
    floor: Duration::from_millis(50),
    goal: Duration::from_millis(5),
};
const START: Limits = Limits {
    floor: Duration::from_millis(500),
    goal: Duration::from_millis(100),
};

/// Measured requests of each kind, and starts.
const ROUNDS: (usize, usize) = (300, 20);
const QUICK_ROUNDS: (usize, usize) = (20, 3);

pub fn run(quick: bool) -> Result<Table, Stop> {
    let (rounds, starts) = if quick { QUICK_ROUNDS } else { ROUNDS };
    driver::build(driver::Profile::Dist)?;
    let folder = Folder::create()?;
    let (small, large) = (database(&folder, SMALL)?, database(&folder, LARGE)?);
    let mut figures = vec![start_to_ready(&small, &large, starts)?];
    let servers = (
        Instance::on(&small)?.start()?,
        Instance::on(&large)?.start()?,
    );
    let small = Pages::of(&servers.0, &small, rounds)?;
    let large = Pages::of(&servers.1, &large, rounds)?;
    figures.extend(measure(small, large, rounds)?);
    Ok(Table(figures))
}

fn database(folder: &Folder, size: Size) -> Result<PathBuf, Stop> {
    let database = folder.database(size)?;
    add_admin(&database)?;
    Ok(database)
}

fn start_to_ready(small: &Path, large: &Path, starts: usize) -> Result<Latency, Stop> {
    let instances = (Instance::on(small)?, Instance::on(large)?);
    let mut figure = Latency {
        name: "start to ready".to_owned(),
        small: Vec::new(),
        large: Vec::new(),
        limits: START,
    };
    for _ in 0..starts {
        figure.small.push(instances.0.start()?.ready_after);
        figure.large.push(instances.1.start()?.ready_after);
    }
    Ok(figure)
}

/// Each kind of request in turn, on one server and then on the other, so that whatever else the
/// machine does hits all alike.
fn measure(mut small: Pages, mut large: Pages, rounds: usize) -> Result<Vec<Latency>, Stop> {
    say(&format!("measuring, {rounds} requests of each kind"));
    let mut figures: Vec<Latency> = small
        .cases
        .iter()
        .map(|case| Latency {
            name: case.name.to_owned(),
            small: Vec::new(),
            large: Vec::new(),
            limits: PAGE,
        })
        .collect();
    let bar = ProgressBar::new(rounds as u64);
    // The first round fills caches and statements.
    for round in 0..=rounds {
        for figure in &mut figures {
            let name = &figure.name;
            let (small, large) = (small.measure(name, round)?, large.measure(name, round)?);
            if round > 0 {
                figure.small.push(small);
                figure.large.push(large);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(figures)
}

/// What is asked of a server, and the admin who asks.
pub struct Pages {
    cases: Vec<Case>,
    client: Client,
}

impl Pages {
    /// Of a server whose database has the admin of [`add_admin`]. A page whose request changes
    /// something can be measured in so many rounds.
    pub fn of(server: &Server, database: &Path, rounds: usize) -> Result<Self, Stop> {
        let samples = sqlite::connected(&sqlite::file(database), async |connection| {
            Samples::read(connection, rounds).await
        });
        let samples = samples.map_err(failed::<sqlx::Error>(database.display()))?;
        let client = Client::signed_in(server.address, ADMIN)?;
        let cases = cases::of(&samples);
        Ok(Self { cases, client })
    }

    /// How long the page of this name takes. It must be the one that is expected.
    pub fn measure(&mut self, name: &str, round: usize) -> Result<Duration, Stop> {
        let case = self.cases.iter().find(|case| case.name == name);
        let case = case.ok_or_else(|| Stop::because(format!("{name}: there is no such page")))?;
        let path = &case.paths[round % case.paths.len()];
        let answer = match case.expect {
            Expect::Done => self.client.post(path, ""),
            _ => self.client.get(path),
        };
        let answer = answer.map_err(failed(path))?;
        let rows = |mark| answer.body.matches(mark).count();
        let good = match case.expect {
            Expect::Rows(least, mark) => answer.status == 200 && rows(mark) >= least,
            Expect::NoRow(mark) => answer.status == 200 && rows(mark) == 0,
            Expect::Done => answer.status == 303,
        };
        if good {
            Ok(answer.took)
        } else {
            Err(Stop::because(format!(
                "{}: not the answer that was expected: {path} gave {} and {} bytes",
                case.name,
                answer.status,
                answer.body.len()
            )))
        }
    }
}
