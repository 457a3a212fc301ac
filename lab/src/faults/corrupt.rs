use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use xtask::run::{Stop, failed};

use super::checker::check_service;
use super::history::History;
use super::testbed::{Testbed, bar};
use super::{Fault, Findings, workload};
use crate::driver::Instance;

pub const FAULT: Fault = Fault {
    id: "B5",
    what: "a database or WAL with flipped bits, cut short, swapped or gone",
    run,
};

const DATABASE: &str = "vestibule.db";
const WAL: &str = "vestibule.db-wal";
const SHM: &str = "vestibule.db-shm";
const LOCK: &str = "vestibule.db.lock";

const PAGE: usize = 4_096;

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let intact = Intact::make(testbed)?;
    let instance = testbed.empty_instance("corrupt")?;
    let (mut refused, mut recovered) = (0, 0);
    let variants = testbed.rounds(44, 500);
    let bar = bar(variants);
    for variant in 0..variants {
        intact.restore(testbed, &instance)?;
        let mut rng = StdRng::seed_from_u64(variant);
        let what = damage(variant, &instance.data(), &intact.folder, &mut rng)
            .map_err(failed("damage"))?;
        testbed.hand_over(&instance.data())?;
        match start(&instance, &intact.checkpointed)? {
            Outcome::Refused => refused += 1,
            Outcome::Recovered => recovered += 1,
            Outcome::Wrong(why) => findings
                .violations
                .push(format!("{variant}, {what}: {why}")),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    findings.figure(format!(
        "{variants} variants: {refused} refused, {recovered} recovered, {} wrong",
        findings.violations.len()
    ));
    Ok(findings)
}

/// A database with sessions in it, and more of them in its WAL.
struct Intact {
    folder: PathBuf,
    /// What was promised of those that the WAL is not needed for.
    checkpointed: History,
}

impl Intact {
    fn make(testbed: &Testbed) -> Result<Self, Stop> {
        let instance = testbed.instance("intact")?;
        let work = |clients, seconds| {
            workload::run(&instance, clients, 5, || {
                thread::sleep(Duration::from_secs(seconds));
                Ok(())
            })
        };
        let server = instance.start()?;
        let (checkpointed, ()) = work(0..4, 2)?;
        server.stop()?;
        let server = instance.start()?;
        // Other users' sessions: the first ones are as they were.
        work(4..8, 1)?;
        server.kill()?;
        Ok(Self {
            folder: instance.data(),
            checkpointed,
        })
    }

    fn restore(&self, testbed: &Testbed, instance: &Instance) -> Result<(), Stop> {
        let data = instance.data();
        let copy = || {
            fs::remove_dir_all(&data)?;
            fs::create_dir(&data)?;
            for entry in fs::read_dir(&self.folder)? {
                let entry = entry?;
                fs::copy(entry.path(), data.join(entry.file_name()))?;
            }
            let _ = fs::remove_file(instance.path("server.log"));
            Ok::<_, io::Error>(())
        };
        copy().map_err(failed("a copy"))?;
        testbed.hand_over(&data)
    }
}

/// Damages what lies in the folder, and says how.
fn damage(variant: u64, data: &Path, intact: &Path, rng: &mut StdRng) -> io::Result<&'static str> {
    let path = |name: &str| data.join(name);
    match variant % 11 {
        0 => change(&path(DATABASE), |bytes| flip(bytes, 1, rng)).map(|()| "a flipped bit"),
        1 => change(&path(DATABASE), |bytes| flip(bytes, 64, rng)).map(|()| "flipped bits"),
        2 => change(&path(DATABASE), |bytes| {
            let page = rng.random_range(0..bytes.len() / PAGE) * PAGE;
            bytes[page..page + PAGE].fill(0);
        })
        .map(|()| "an empty page"),
        3 => change(&path(DATABASE), |bytes| cut(bytes, rng)).map(|()| "a file cut short"),
        4 => change(&path(WAL), |bytes| flip(bytes, 8, rng)).map(|()| "flipped bits in the WAL"),
        5 => change(&path(WAL), |bytes| cut(bytes, rng)).map(|()| "a WAL cut short"),
        6 => change(&path(WAL), |bytes| {
            let at = rng.random_range(0..bytes.len());
            rng.fill_bytes(&mut bytes[at..]);
        })
        .map(|()| "noise at the end of the WAL"),
        7 => change(&path(DATABASE), |bytes| rng.fill_bytes(&mut bytes[..100]))
            .map(|()| "noise in place of the header"),
        8 => change(&path(SHM), |bytes| rng.fill_bytes(bytes))
            .map(|()| "noise in place of the index of the WAL"),
        9 => fs::write(path(WAL), foreign_wal(&fs::read(intact.join(WAL))?, rng))
            .map(|()| "another database's WAL"),
        _ => missing(variant / 11, data),
    }
}

fn change(path: &Path, work: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
    let mut bytes = fs::read(path)?;
    work(&mut bytes);
    fs::write(path, bytes)
}

fn flip(bytes: &mut [u8], bits: usize, rng: &mut StdRng) {
    for _ in 0..bits {
        let at = rng.random_range(0..bytes.len());
        bytes[at] ^= 1 << rng.random_range(0..8);
    }
}

fn cut(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    bytes.truncate(rng.random_range(0..bytes.len()));
}

/// The salts of its header are not those of its frames, as after a file was put back by hand.
fn foreign_wal(wal: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let mut foreign = wal.to_vec();
    rng.fill_bytes(&mut foreign[16..24]);
    foreign
}

fn missing(which: u64, data: &Path) -> io::Result<&'static str> {
    let remove = |names: &[&str]| {
        names
            .iter()
            .try_for_each(|name| fs::remove_file(data.join(name)))
    };
    match which % 7 {
        0 => remove(&[DATABASE]).map(|()| "no database"),
        1 => remove(&[WAL, SHM]).map(|()| "no WAL"),
        2 => remove(&[DATABASE, WAL, SHM]).map(|()| "nothing but the lock"),
        3 => remove(&[DATABASE, LOCK]).map(|()| "nothing but the WAL"),
        4 => fs::write(data.join(DATABASE), "").map(|()| "an emptied database"),
        5 => remove(&[SHM, LOCK]).map(|()| "neither lock nor index of the WAL"),
        _ => fs::write(data.join(DATABASE), "Dear diary, ".repeat(1_000))
            .map(|()| "text in place of the database"),
    }
}

enum Outcome {
    Refused,
    Recovered,
    Wrong(String),
}

fn start(instance: &Instance, checkpointed: &History) -> Result<Outcome, Stop> {
    let started = instance.try_start();
    let log = instance.log();
    if log.contains("panicked") {
        return Ok(Outcome::Wrong(format!("it panicked: {log}")));
    }
    match started? {
        Err(status) if status.code() == Some(1) && names_the_file(&log) => Ok(Outcome::Refused),
        Err(status) => Ok(Outcome::Wrong(format!(
            "it ended with {status} and said: {log}"
        ))),
        Ok(server) => {
            let asked = instance
                .client()
                .and_then(|mut client| check_service(checkpointed, &mut client));
            server.kill()?;
            Ok(match asked {
                Ok(violations) if violations.is_empty() => Outcome::Recovered,
                Ok(violations) => Outcome::Wrong(violations.join("; ")),
                Err(error) => Outcome::Wrong(error.to_string()),
            })
        }
    }
}

fn names_the_file(log: &str) -> bool {
    log.lines()
        .any(|line| line.starts_with("vestibule: ") && line.contains(DATABASE))
}
