//! Developer commands, one file each: `cargo xtask --help`.

mod deny;
mod fuzz;
mod lab;
mod release;
mod test;

use std::process::ExitCode;

use clap::Parser;

use lab::Lab;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Vestibule's developer commands"
)]
enum Command {
    Test(test::Test),
    Deny(deny::Deny),
    Fuzz(fuzz::Fuzz),
    Release(release::Release),
    /// Make a database with many users and sessions
    #[command(disable_help_flag = true)]
    Seed(Lab),
    /// Measure the release binary against its goals
    #[command(disable_help_flag = true)]
    Bench(Lab),
    /// Put the release binary under a mixed load and look for what grows
    #[command(disable_help_flag = true)]
    Soak(Lab),
    /// Cause faults to the release binary and look for broken promises
    #[command(disable_help_flag = true)]
    Faults(Lab),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Test(command) => command.run(),
        Command::Deny(command) => command.run(),
        Command::Fuzz(command) => command.run(),
        Command::Release(command) => command.run(),
        Command::Seed(command) => command.run("seed"),
        Command::Bench(command) => command.run("bench"),
        Command::Soak(command) => command.run("soak"),
        Command::Faults(command) => command.run("faults"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => stop.report(),
    }
}
