//! What a process holds, each few seconds.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use xtask::run::{Stop, failed};

use crate::driver::Process;
use crate::sqlite;

const READING: Duration = Duration::from_millis(100);

/// So many samples at least, and no longer between two than this.
const MIN_SAMPLES: u32 = 40;
const MAX_INTERVAL: Duration = Duration::from_secs(5);

/// The least of each that was read since the sample before: what a request needs for a moment, and a
/// hash its memory for a hundredth of a second, is no part of it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Seconds since the load began.
    pub at: f64,
    /// What is no file's.
    pub anonymous_kib: f64,
    pub resident_kib: f64,
    pub descriptors: f64,
    pub threads: f64,
    /// With its WAL.
    pub database_kib: f64,
    /// Sessions and records of the audit trail.
    pub rows: f64,
}

pub struct Sampler<'a> {
    process: Process,
    database: &'a Path,
}

impl<'a> Sampler<'a> {
    pub fn of(process: Process, database: &'a Path) -> Self {
        Self { process, database }
    }

    pub fn run(&self, length: Duration) -> Result<Vec<Sample>, Stop> {
        let began = Instant::now();
        let interval = (length / MIN_SAMPLES).min(MAX_INTERVAL);
        let mut samples = Vec::new();
        while began.elapsed() < length {
            let until = Instant::now() + interval;
            let mut least = self.process(began)?;
            while Instant::now() < until {
                thread::sleep(READING);
                least = least.at_least(&self.process(began)?);
            }
            samples.push(self.with_database(least).map_err(failed("the database"))?);
        }
        Ok(samples)
    }

    fn process(&self, began: Instant) -> Result<Sample, Stop> {
        let status = self.process.status()?;
        Ok(Sample {
            at: began.elapsed().as_secs_f64(),
            anonymous_kib: status.anonymous_kib as f64,
            resident_kib: status.resident_kib as f64,
            threads: status.threads as f64,
            descriptors: self.process.descriptors()? as f64,
            database_kib: 0.0,
            rows: 0.0,
        })
    }

    fn with_database(&self, sample: Sample) -> Result<Sample, Box<dyn std::error::Error>> {
        let mut wal = self.database.as_os_str().to_owned();
        wal.push("-wal");
        let bytes = fs::metadata(self.database)?.len() + fs::metadata(wal)?.len();
        Ok(Sample {
            database_kib: bytes as f64 / 1_024.0,
            rows: self.rows()? as f64,
            ..sample
        })
    }

    fn rows(&self) -> Result<i64, sqlx::Error> {
        let options = sqlite::file(self.database).read_only(true);
        sqlite::connected(&options, async |connection| {
            sqlx::query_scalar(
                "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM audit)",
            )
            .fetch_one(connection)
            .await
        })
    }
}

impl Sample {
    fn at_least(self, other: &Self) -> Self {
        Self {
            at: other.at,
            anonymous_kib: self.anonymous_kib.min(other.anonymous_kib),
            resident_kib: self.resident_kib.min(other.resident_kib),
            descriptors: self.descriptors.min(other.descriptors),
            threads: self.threads.min(other.threads),
            ..self
        }
    }
}
