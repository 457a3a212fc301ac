//! What a process holds, each few seconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::bench::failed;
use crate::run::Stop;

const READING: Duration = Duration::from_millis(100);

/// So many samples at least, and no longer between two than this.
const LEAST_SAMPLES: u32 = 40;
const LONGEST: Duration = Duration::from_secs(5);

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

pub struct Watch<'a> {
    process: PathBuf,
    database: &'a Path,
}

impl<'a> Watch<'a> {
    pub fn of(id: u32, database: &'a Path) -> Self {
        Self {
            process: PathBuf::from(format!("/proc/{id}")),
            database,
        }
    }

    pub fn for_as_long_as(&self, length: Duration) -> Result<Vec<Sample>, Stop> {
        let began = Instant::now();
        let interval = (length / LEAST_SAMPLES).min(LONGEST);
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
        let read = || -> std::io::Result<Sample> {
            let status = fs::read_to_string(self.process.join("status"))?;
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                let value = line.and_then(|line| line.split_whitespace().next());
                value
                    .and_then(|value| value.parse().ok())
                    .ok_or_else(|| std::io::Error::other(format!("no {name} in status")))
            };
            Ok(Sample {
                at: began.elapsed().as_secs_f64(),
                anonymous_kib: field("RssAnon:")?,
                resident_kib: field("VmRSS:")?,
                threads: field("Threads:")?,
                descriptors: fs::read_dir(self.process.join("fd"))?.count() as f64,
                database_kib: 0.0,
                rows: 0.0,
            })
        };
        read().map_err(failed("the server ended, or cannot be watched"))
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
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            let options = SqliteConnectOptions::new()
                .filename(self.database)
                .read_only(true);
            let mut connection = SqliteConnection::connect_with(&options).await?;
            let rows = sqlx::query_scalar(
                "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM audit)",
            )
            .fetch_one(&mut connection)
            .await?;
            connection.close().await?;
            Ok(rows)
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
