//! The databases to measure on: seeded once for each schema, copied for each run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use xtask::run::{Outcome, Stop, failed, root, say};

use crate::driver::temporary_folder;
use crate::seed::{self, CookieFiles, Plan, SITE};

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

pub const HUGE: Size = Size {
    sessions: 10_000_000,
    users: 1_000_000,
};

/// A database, cookies of its sessions, of the sign-in host and of [`SITE`], app tokens of its users, and access tokens.
#[derive(Clone, Debug)]
pub struct Seeded {
    pub database: PathBuf,
    pub cookies: PathBuf,
    pub site_cookies: PathBuf,
    pub tokens: PathBuf,
    pub access_tokens: PathBuf,
}

/// Seeded sessions live for weeks, but not for ever.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A folder for one run, which is removed with all that is in it.
pub struct Folder(TempDir);

impl Folder {
    pub fn create() -> Result<Self, Stop> {
        temporary_folder(&folder()).map(Self)
    }

    /// A database of this size that may be changed.
    pub fn database(&self, size: Size) -> Result<PathBuf, Stop> {
        Ok(self.with_cookies(size)?.database)
    }

    /// The same with cookies of 20,000 of its sessions.
    pub fn with_cookies(&self, size: Size) -> Result<Seeded, Stop> {
        let seeded = seeded(self.path(), size)?;
        let copy = self.path().join(format!("{}.db", size.sessions));
        fs::copy(&seeded.database, &copy).map_err(failed(copy.display()))?;
        Ok(Seeded {
            database: copy,
            ..seeded
        })
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

fn folder() -> PathBuf {
    root().join("target/bench")
}

fn seeded(work: &Path, size: Size) -> Result<Seeded, Stop> {
    let prefix = format!("seeded-{}-", size.sessions);
    let path = folder().join(format!("{prefix}{}.db", key()?));
    let seeded = Seeded {
        cookies: path.with_extension("cookies"),
        site_cookies: path.with_extension("site-cookies"),
        tokens: path.with_extension("tokens"),
        access_tokens: path.with_extension("access-tokens"),
        database: path,
    };
    if is_recent(&seeded.database) && seeded.access_tokens.exists() {
        return Ok(seeded);
    }
    remove_stale(&prefix)?;
    say(&format!(
        "seeding {} sessions of {} users",
        size.sessions, size.users
    ));
    let unfinished = work.join("seeding.db");
    let wanted = CookieFiles {
        sign_in: Some(&seeded.cookies),
        site: Some((SITE, &seeded.site_cookies)),
        tokens: Some(&seeded.tokens),
        access_tokens: Some(&seeded.access_tokens),
    };
    seed::fill(&unfinished, &Plan::of(size.sessions, size.users), &wanted)?;
    fs::rename(&unfinished, &seeded.database).map_err(failed("a seeded database"))?;
    fs::remove_file(work.join("seeding.db.lock")).map_err(failed("seeding.db.lock"))?;
    Ok(seeded)
}

fn is_recent(path: &Path) -> bool {
    let age = fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|modified| modified.elapsed().ok());
    age.is_some_and(|age| age < MAX_AGE)
}

/// Of another schema, or too old: they are large.
fn remove_stale(prefix: &str) -> Outcome {
    let entries = fs::read_dir(folder()).map_err(failed("target/bench"))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            fs::remove_file(entry.path()).map_err(failed(entry.path().display()))?;
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
        hash.update(fs::read(&file).map_err(failed(file.display()))?);
    }
    for source in seed::SOURCE {
        hash.update(source);
    }
    let digest = hash.finalize();
    Ok(digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
