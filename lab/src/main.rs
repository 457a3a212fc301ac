//! The laboratory: fills databases, measures the release binary, breaks what it stands on, and loads it for long.
//!
//! `cargo xtask bench|faults|soak|seed` build and run this. A module uses those above it in this list only,
//! which `tests/layers.rs` checks:
//!
//! - `library`, `sqlite`, `statistics`, `markdown`: what all of them need
//! - `driver`: the release binary as a process
//! - `seed`: databases with many rows
//! - `bench`, `faults`, `soak`: the experiments, none of which knows another

mod bench;
mod driver;
mod faults;
mod library;
mod markdown;
mod seed;
mod soak;
mod sqlite;
mod statistics;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Vestibule's developer commands: those of the lab"
)]
enum Command {
    Seed(seed::Seed),
    Bench(bench::Bench),
    Soak(soak::Soak),
    Faults(faults::Faults),
    /// What a fault starts as another process
    #[command(hide = true)]
    HoldLock(faults::HoldLock),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Seed(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Soak(command) => command.run(),
        Command::Faults(command) => command.run(),
        Command::HoldLock(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => stop.report(),
    }
}
