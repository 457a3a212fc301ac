use std::path::PathBuf;
use std::process::Command;

use crate::run::{cargo, output, root};

/// A program from the crate registry, kept under target/tools: the developer's ~/.cargo/bin stays as it is.
#[derive(Clone, Copy)]
pub struct Tool {
    pub package: &'static str,
    pub version: &'static str,
    pub program: &'static str,
    /// In place of the default ones; empty for those.
    pub features: &'static [&'static str],
}

impl Tool {
    pub fn path(&self) -> PathBuf {
        folder().join("bin").join(self.program)
    }

    /// By cargo's own record of the version, for not every program tells it.
    pub fn is_installed(&self) -> bool {
        self.path().is_file() && self.is_listed()
    }

    fn is_listed(&self) -> bool {
        let listed = output(cargo().args(["install", "--list", "--root"]).arg(folder()));
        let wanted = format!("{} v{}:", self.package, self.version);
        listed.is_some_and(|listed| listed.lines().any(|line| line == wanted))
    }

    pub fn install(&self) -> Command {
        let mut install = cargo();
        install.args(["install", self.package, "--version", self.version]);
        // Unoptimised: most run for a second, and some take minutes to optimise.
        install.arg("--debug");
        // Force, for a binary that an interrupted install left behind is in the way.
        install.args(["--locked", "--force"]);
        if !self.features.is_empty() {
            install.args(["--no-default-features", "--features"]);
            install.arg(self.features.join(","));
        }
        install.arg("--root").arg(folder());
        install.arg("--target-dir").arg(folder().join("build"));
        install
    }
}

fn folder() -> PathBuf {
    root().join("target/tools")
}
