//! Developer commands, one file each: `cargo xtask --help`.

mod bench;
mod deny;
mod faults;
mod fuzz;
mod install;
mod need;
mod release;
mod run;
mod seed;
mod soak;
mod test;

use std::process::ExitCode;

use clap::Parser;

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
    Seed(seed::Seed),
    Bench(bench::Bench),
    Soak(soak::Soak),
    Faults(faults::Faults),
    /// What a fault test starts as another process
    #[command(hide = true)]
    HoldLock(faults::HoldLock),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Test(command) => command.run(),
        Command::Deny(command) => command.run(),
        Command::Fuzz(command) => command.run(),
        Command::Release(command) => command.run(),
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
