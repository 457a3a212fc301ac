//! Where faults happen: a folder with a copy of the release binary and of a database with users, from which
//! each fault takes instances of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::Signal;
use tempfile::TempDir;
use xtask::run::{Outcome, Stop, failed};

use super::disk::run_quietly;
use super::workload;
use crate::driver::postgres::NAME;
use crate::driver::{self, Instance, Postgres, give_to_server, is_root};

/// How soon a try comes back: long after any fault is over, so that none is rightly forgotten.
pub const INTERVAL: Duration = Duration::from_secs(60 * 60);

const SETTINGS: [(&str, &str); 7] = [
    ("VESTIBULE_TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
    ("VESTIBULE_SESSIONS__MAX_PER_USER", "1000000"),
    ("VESTIBULE_PASSWORDS__HASHING_THREADS", "4"),
    ("VESTIBULE_THROTTLE__ACCOUNT_TRIES", "10000"),
    ("VESTIBULE_THROTTLE__ACCOUNT_INTERVAL", "1h"),
    ("VESTIBULE_THROTTLE__ADDRESS_TRIES", "10000"),
    ("VESTIBULE_THROTTLE__ADDRESS_INTERVAL", "1h"),
];

pub struct Testbed {
    folder: TempDir,
    /// Fewer rounds.
    pub quick: bool,
    pub is_root: bool,
}

impl Testbed {
    /// In the system's folder for temporary files, for the user that the server runs as may not be let into
    /// the checkout.
    pub fn set_up(quick: bool) -> Result<Self, Stop> {
        driver::build(driver::Profile::Release)?;
        let testbed = Self {
            folder: driver::temporary_folder(&std::env::temp_dir())?,
            quick,
            is_root: is_root(),
        };
        fs::copy(driver::binary(), testbed.binary()).map_err(failed("the release binary"))?;
        workload::add_users(&testbed.empty_instance("begun")?)?;
        Ok(testbed)
    }

    fn binary(&self) -> PathBuf {
        self.folder.path().join("vestibule")
    }

    /// An instance with a database of users.
    pub fn instance(&self, name: &str) -> Result<Instance, Stop> {
        let instance = self.empty_instance(name)?;
        self.add_database(&instance)?;
        Ok(instance)
    }

    /// Gives an instance the database of users.
    pub fn add_database(&self, instance: &Instance) -> Outcome {
        for file in ["vestibule.db", "vestibule.db.lock"] {
            let from = self.folder.path().join("begun/data").join(file);
            fs::copy(from, instance.data().join(file)).map_err(failed(file))?;
        }
        self.hand_over(&instance.data())
    }

    /// A server of PostgreSQL's with the same users, which runs.
    pub fn postgres(&self, name: &str) -> Result<Postgres, Stop> {
        self.postgres_in(&self.folder(name)?)
    }

    pub fn postgres_in(&self, folder: &Path) -> Result<Postgres, Stop> {
        let begun = self.folder.path().join("postgres");
        if !begun.exists() {
            self.begin_postgres()?;
        }
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(begun.join("data")).arg(folder);
        run_quietly(&mut copy).map_err(Stop::because)?;
        self.hand_over(folder)?;
        let mut postgres = Postgres::at(folder)?;
        postgres.start()?;
        Ok(postgres)
    }

    fn begin_postgres(&self) -> Outcome {
        let mut postgres = Postgres::at(&self.folder("postgres")?)?;
        postgres.start()?;
        postgres.execute("postgres", format!("CREATE ROLE {NAME} LOGIN"))?;
        self.add_empty_database(&postgres, NAME)?;
        // It says afterwards that it has moved.
        let source = self.instance("to-postgres")?;
        let url = format!("sqlite:{}", source.database.display());
        source
            .cli(&["db", "copy", &url, &postgres.url()])?
            .success()?;
        postgres.stop(Signal::INT)
    }

    pub fn add_empty_database(&self, postgres: &Postgres, name: &str) -> Outcome {
        let create = format!("CREATE DATABASE {name} OWNER {NAME} TEMPLATE template0");
        postgres.execute("postgres", create)
    }

    /// A folder that PostgreSQL may write.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Stop> {
        let folder = self.folder.path().join(name);
        make_folder(&folder)?;
        self.hand_over(&folder)?;
        Ok(folder)
    }

    /// An instance that was never started.
    pub fn empty_instance(&self, name: &str) -> Result<Instance, Stop> {
        let folder = self.folder.path().join(name);
        let data = folder.join("data");
        make_folder(&folder)?;
        make_folder(&data)?;
        self.hand_over(&data)?;
        Ok(Instance::on(&data.join("vestibule.db"))?
            .folder(folder)
            .binary(self.binary())
            .unprivileged(self.is_root)
            .set_all(&SETTINGS))
    }

    /// To the user that the server runs as.
    pub fn hand_over(&self, path: &Path) -> Outcome {
        if self.is_root {
            give_to_server(path)
        } else {
            Ok(())
        }
    }

    pub fn rounds(&self, quick: u64, full: u64) -> u64 {
        if self.quick { quick } else { full }
    }
}

/// A folder that the server may enter.
fn make_folder(path: &Path) -> Outcome {
    let open = || {
        fs::create_dir(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o755))
    };
    open().map_err(failed(path.display()))
}

pub fn bar(rounds: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {eta}");
    ProgressBar::new(rounds).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
