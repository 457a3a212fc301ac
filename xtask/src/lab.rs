//! The commands of `lab/`, a program of its own: it takes minutes to build, and xtask comes first.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use clap::Args;

use xtask::run::{Outcome, cargo, failed};

#[derive(Args)]
pub struct Lab {
    /// The command's own; `--help` after it lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Lab {
    /// Builds the lab, and becomes it: its output and its exit code are ours.
    pub fn run(&self, command: &str) -> Outcome {
        let here = std::env::current_dir().map_err(failed("the working directory"))?;
        let mut lab = cargo();
        lab.args(["run", "--quiet", "--package", "lab", "--", command]);
        // Paths among the arguments count from where the caller is.
        lab.args(&self.arguments).current_dir(here);
        Err(failed("cargo run --package lab")(lab.exec()))
    }
}
