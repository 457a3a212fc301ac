use std::fs;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use xtask::install::{Source, Tool};
use xtask::need::{Need, install_missing};
use xtask::run::{Outcome, Stop, root, step};

/// Run the fuzz targets of fuzz/, one after the other
#[derive(Args)]
#[command(after_help = "Example: cargo xtask fuzz --quick cookies")]
pub struct Fuzz {
    /// A minute for each target, instead of the ten of a release
    #[arg(long)]
    quick: bool,
    /// How long to run each target, in seconds
    #[arg(long, conflicts_with = "quick", value_name = "N")]
    seconds: Option<u32>,
    /// One target only
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
}

const TARGETS: [&str; 7] = [
    "cookies",
    "cursor",
    "forwarded",
    "passkey",
    "requests",
    "return_address",
    "settings",
];

const MINUTE: u32 = 60;

/// An input that takes longer has found a hang.
const PATIENCE: &str = "-timeout=10";

const CARGO_FUZZ: Tool = Tool {
    package: "cargo-fuzz",
    version: "0.13.2",
    program: "cargo-fuzz",
    features: &[],
};

const NEEDS: &[Need] = &[Need {
    what: "cargo-fuzz 0.13.2",
    why: "to build and run the fuzz targets",
    present: || CARGO_FUZZ.is_installed(),
    source: Source::Crates(CARGO_FUZZ),
}];

impl Fuzz {
    pub fn run(&self) -> Outcome {
        install_missing(NEEDS)?;
        match &self.target {
            Some(target) => self.fuzz(target),
            None => TARGETS.iter().try_for_each(|target| self.fuzz(target)),
        }
    }

    fn fuzz(&self, target: &str) -> Outcome {
        let mut fuzz = cargo_fuzz_run(target);
        fuzz.arg(found_inputs(target)?);
        fuzz.arg(root().join("fuzz/corpus").join(target));
        let default = if self.quick { MINUTE } else { 10 * MINUTE };
        let seconds = self.seconds.unwrap_or(default);
        fuzz.args(["--", PATIENCE, &format!("-max_total_time={seconds}")]);
        step(&mut fuzz)
    }
}

/// Without a sanitizer, for those need a nightly compiler; what is fuzzed is free of unsafe code, and
/// its faults are panics.
fn cargo_fuzz_run(target: &str) -> Command {
    let mut fuzz = Command::new(CARGO_FUZZ.path());
    fuzz.current_dir(root());
    fuzz.args(["run", "--sanitizer", "none", "--target-dir"]);
    fuzz.arg(root().join("target/fuzz"));
    fuzz.arg(target);
    fuzz
}

/// libFuzzer writes what it finds into the first folder of inputs: one apart from the seeds,
/// which are committed.
fn found_inputs(target: &str) -> Result<PathBuf, Stop> {
    let folder = root().join("target/fuzz-corpus").join(target);
    fs::create_dir_all(&folder)
        .map_err(|error| Stop::because(format!("cannot make {}: {error}", folder.display())))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut names: Vec<_> = paths.map(|path| path.file_stem().unwrap().into()).collect();
        names.sort();
        names
    }

    #[test]
    fn every_fuzz_target_is_run_and_has_seeds() {
        assert_eq!(names("fuzz/fuzz_targets"), TARGETS.map(PathBuf::from));
        assert_eq!(names("fuzz/corpus"), TARGETS.map(PathBuf::from));
    }
}
