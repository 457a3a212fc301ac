//! Where faults happen: a folder of this run's own, and in it the release binary and a database with
//! users, which each machine begins with a copy of.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::machine::{Machine, give_away};
use super::traffic;
use crate::bench::{failed, server};
use crate::run::{Outcome, Stop};

pub struct Lab {
    folder: PathBuf,
    /// Fewer rounds.
    pub quick: bool,
    pub is_root: bool,
}

impl Lab {
    /// In the system's folder for temporary files, for whoever the server runs as may not be let into
    /// the checkout.
    pub fn set_up(quick: bool) -> Result<Self, Stop> {
        server::build()?;
        let folder = std::env::temp_dir().join(format!("vestibule-faults-{}", std::process::id()));
        let lab = Self {
            folder,
            quick,
            is_root: fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0),
        };
        lab.make_folder(&lab.folder)?;
        fs::copy(server::binary(), lab.binary()).map_err(failed("the release binary"))?;
        let begun = lab.empty_machine("begun")?;
        traffic::add_users(&begun)?;
        Ok(lab)
    }

    pub fn binary(&self) -> PathBuf {
        self.folder.join("vestibule")
    }

    /// A machine with a database of users.
    pub fn machine(&self, name: &str) -> Result<Machine, Stop> {
        let machine = self.empty_machine(name)?;
        self.furnish(&machine)?;
        Ok(machine)
    }

    /// Gives a machine the database of users.
    pub fn furnish(&self, machine: &Machine) -> Outcome {
        for file in ["vestibule.db", "vestibule.db.lock"] {
            let from = self.folder.join("begun/data").join(file);
            fs::copy(from, machine.data().join(file)).map_err(failed(file))?;
        }
        self.hand_over(&machine.data())
    }

    /// A machine that was never started.
    pub fn empty_machine(&self, name: &str) -> Result<Machine, Stop> {
        let folder = self.folder.join(name);
        self.make_folder(&folder)?;
        let machine = Machine::new(self, folder)?;
        self.make_folder(&machine.data())?;
        self.hand_over(&machine.data())?;
        Ok(machine)
    }

    /// To whom the server runs as.
    pub fn hand_over(&self, path: &Path) -> Outcome {
        if self.is_root {
            give_away(path)
        } else {
            Ok(())
        }
    }

    /// A folder that the server may enter.
    pub fn make_folder(&self, path: &Path) -> Outcome {
        let open = || {
            fs::create_dir(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        };
        open().map_err(failed(&path.to_string_lossy()))
    }

    pub fn rounds(&self, quick: u64, full: u64) -> u64 {
        if self.quick { quick } else { full }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub fn bar(rounds: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {eta}");
    ProgressBar::new(rounds).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
