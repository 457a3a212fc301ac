//! The databases to measure on: seeded once for each schema, copied for each run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::failed;
use crate::run::{Outcome, Stop, root, say};
use crate::seed::{self, Plan};

/// How large a database is.
#[derive(Clone, Copy)]
pub struct Size {
    pub sessions: u64,
    pub users: u64,
}

pub const SMALL: Size = Size {
    sessions: 10_000,
    users: 1_000,
};
pub const LARGE: Size = Size {
    sessions: 1_000_000,
    users: 100_000,
};

/// Seeded sessions live for weeks, but not for ever.
const MOST_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A folder for one run, which is removed with all that is in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn create() -> Result<Self, Stop> {
        let path = folder().join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(failed(&path.to_string_lossy()))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A database of this size that may be changed.
    pub fn database(&self, size: Size) -> Result<PathBuf, Stop> {
        let seeded = seeded(&self.0, size)?;
        let copy = self.0.join(format!("{}.db", size.sessions));
        fs::copy(&seeded, &copy).map_err(failed(&copy.to_string_lossy()))?;
        Ok(copy)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folder() -> PathBuf {
    root().join("target/bench")
}

fn seeded(work: &Path, size: Size) -> Result<PathBuf, Stop> {
    let prefix = format!("seeded-{}-", size.sessions);
    let path = folder().join(format!("{prefix}{}.db", key()?));
    if is_recent(&path) {
        return Ok(path);
    }
    remove_stale(&prefix)?;
    say(&format!(
        "seeding {} sessions of {} users",
        size.sessions, size.users
    ));
    let unfinished = work.join("seeding.db");
    let plan = Plan {
        users: size.users,
        live: size.sessions,
        ended: size.sessions / 4,
        seed: 1,
        moment: seed::today(),
    };
    seed::fill(&unfinished, &plan, &seed::Wanted::default())?;
    fs::rename(&unfinished, &path).map_err(failed(&path.to_string_lossy()))?;
    fs::remove_file(work.join("seeding.db.lock")).map_err(failed("seeding.db.lock"))?;
    Ok(path)
}

fn is_recent(path: &Path) -> bool {
    let age = fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|modified| modified.elapsed().ok());
    age.is_some_and(|age| age < MOST_AGE)
}

/// Of another schema, or too old: they are large.
fn remove_stale(prefix: &str) -> Outcome {
    let entries = fs::read_dir(folder()).map_err(failed("target/bench"))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            fs::remove_file(entry.path()).map_err(failed(&entry.path().to_string_lossy()))?;
        }
    }
    Ok(())
}

/// Another schema or other rows: another key.
fn key() -> Result<String, Stop> {
    let migrations = root().join("migrations/sqlite");
    let entries = fs::read_dir(&migrations).map_err(failed("migrations/sqlite"))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(fs::read(&file).map_err(failed(&file.to_string_lossy()))?);
    }
    hash.update(include_str!("../seed/content.rs"));
    hash.update(include_str!("../seed/fill.rs"));
    let digest = hash.finalize();
    Ok(digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
