//! Measures the release binary against the project's goals, one part a file.

pub mod client;
pub mod data;
pub mod figures;
mod listing;
pub mod server;
mod signin;

use clap::{Args, Subcommand};

use crate::run::{Outcome, Stop};

/// Measure the release binary against its goals
///
/// Seeds databases under target/bench, starts servers on loopback, and ends them. Ratios last;
/// absolute figures are this machine's and this moment's.
#[derive(Args)]
#[command(after_help = "Example: cargo xtask bench listing --quick")]
pub struct Bench {
    #[command(subcommand)]
    part: Part,
    /// Fewer requests: to see whether it works, not how fast it is
    #[arg(long, global = true)]
    quick: bool,
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Part {
    /// The pages that list sessions and users, with 10,000 and with 1,000,000 sessions
    Listing,
    /// Sign-ins, against the machine's own rate of password hashes
    Signin,
}

impl Bench {
    pub fn run(&self) -> Outcome {
        match self.part {
            Part::Listing => listing::run(self.quick)?.print(self.json),
            Part::Signin => signin::run(self.quick)?.print(self.json),
        }
        Ok(())
    }
}

/// A fault of the machine or of the server, with what was being done.
pub fn failed<E: std::fmt::Display>(doing: &str) -> impl Fn(E) -> Stop {
    move |error| Stop::because(format!("{doing}: {error}"))
}
