//! Servers that are started again and again, and what is measured of each.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use xtask::run::{Outcome, Stop, failed};

use crate::bench::check::{TRUSTED, by_token, forward_auth};
use crate::bench::databases::{Folder, Seeded, Size};
use crate::bench::{contenders, pinned};
use crate::driver::load::{Load, Target, Wrk};
use crate::driver::{Instance, METRICS, Server};
use crate::sqlite;

const WITHOUT_CACHE: (&str, &str) = ("VESTIBULE_CACHE__ENTRIES", "0");

const CHANGE_EVERY: Duration = Duration::from_secs(1);

/// A load, and how many checks of it had to ask the database.
pub struct Moment {
    pub load: Load,
    pub look_ups: f64,
}

/// What is measured once a round.
pub struct Round {
    pub bare_first: Load,
    pub bare: Load,
    pub starting: Moment,
    pub started: Moment,
    pub first: Moment,
    pub warm: Moment,
    pub changing: Moment,
    pub first_tokens: Moment,
}

pub struct Bench {
    folder: Folder,
    seeded: Seeded,
    /// A copy that no server ever closes, so that each start reads it through.
    killed: PathBuf,
    target: Target,
    by_token: Target,
    bare: Server,
    bare_target: Target,
    username: String,
    time: Duration,
}

impl Bench {
    pub fn new(size: Size, time: Duration) -> Result<Self, Stop> {
        let folder = Folder::create()?;
        let seeded = folder.with_cookies(size)?;
        let killed = folder.path().join("killed.db");
        fs::copy(&seeded.database, &killed).map_err(failed("killed.db"))?;
        let target = forward_auth(&seeded);
        Ok(Self {
            bare: contenders::rocket_hello()?,
            bare_target: Target {
                path: "/",
                ..target.clone()
            },
            username: username(&seeded)?,
            by_token: by_token(&seeded),
            folder,
            seeded,
            killed,
            target,
            time,
        })
    }

    pub fn round(&self) -> Result<Round, Stop> {
        let cookies = fs::read_to_string(&self.target.cookies).map_err(failed("cookies"))?;
        let each_once = Wrk {
            requests: Some(cookies.lines().count()),
            ..pinned::wrk(self.time)
        };
        let for_time = pinned::wrk(self.time);
        let bare = |wrk: Wrk| wrk.measure(self.folder.path(), &self.bare, &self.bare_target);

        let server = pinned::instance(&self.killed, &settings(&[]))?.start()?;
        let starting = self.moment(&server, for_time)?;
        let started = self.moment(&server, for_time)?;
        server.kill()?;

        let server = self.settled(&[])?;
        let first = self.moment(&server, each_once)?;
        let bare_first = bare(each_once)?;
        let warm = self.moment(&server, for_time)?;
        let changing = self.while_changing(|| self.moment(&server, for_time))?;
        let bare = bare(for_time)?;
        server.stop()?;
        let server = self.settled(&[])?;
        let first_tokens = self.moment_of(&server, each_once, &self.by_token)?;
        server.stop()?;
        Ok(Round {
            bare_first,
            bare,
            starting,
            started,
            first,
            warm,
            changing,
            first_tokens,
        })
    }

    /// One check after the other, each of which asks the database.
    pub fn alone(&self, turns: usize) -> Result<Vec<Moment>, Stop> {
        let server = self.settled(&[WITHOUT_CACHE])?;
        let one_by_one = Wrk {
            connections: 1,
            ..pinned::wrk(self.time)
        };
        let turns = (0..turns).map(|_| self.moment(&server, one_by_one));
        turns.collect()
    }

    /// Its database was read through by the first, and the last was stopped cleanly: it starts with nothing to do.
    fn settled(&self, others: &[Setting]) -> Result<Server, Stop> {
        pinned::start(&self.seeded.database, &settings(others))
    }

    fn moment(&self, server: &Server, wrk: Wrk) -> Result<Moment, Stop> {
        self.moment_of(server, wrk, &self.target)
    }

    fn moment_of(&self, server: &Server, wrk: Wrk, target: &Target) -> Result<Moment, Stop> {
        let before = server.look_ups()?;
        let load = wrk.measure(self.folder.path(), server, target)?;
        Ok(Moment {
            load,
            look_ups: server.look_ups()? - before,
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

type Setting = (&'static str, &'static str);

fn settings(others: &[Setting]) -> Vec<Setting> {
    [TRUSTED, &[METRICS], others].concat()
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
