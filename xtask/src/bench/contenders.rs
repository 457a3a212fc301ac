//! What a session check is measured against: a bare Rocket, and axum-login with its store on SQLite.
//! Both are packages of `bench/`, a workspace of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::data::Size;
use super::server::{Server, free_address, pinned};
use crate::run::{Outcome, Stop, cargo, root, step};

pub fn build() -> Outcome {
    let mut build = cargo();
    build.args([
        "build",
        "--release",
        "--locked",
        "--manifest-path",
        "bench/Cargo.toml",
        "--target-dir",
    ]);
    build.arg(target());
    step(&mut build)
}

fn target() -> PathBuf {
    root().join("target/bench/build")
}

fn program(name: &str) -> PathBuf {
    target().join("release").join(name)
}

pub fn rocket_hello() -> Result<Server, Stop> {
    let address = free_address()?;
    let mut command = quiet(pinned(program("rocket-hello")));
    command.env("ROCKET_ADDRESS", address.ip().to_string());
    command.env("ROCKET_PORT", address.port().to_string());
    Server::of(command, address, "/")
}

/// Serves a database that [`seed_axum_login`] has made.
pub fn axum_login(database: &Path) -> Result<Server, Stop> {
    let address: SocketAddr = free_address()?;
    let mut command = quiet(pinned(program("axum-login-check")));
    command.arg("serve").arg(database).arg(address.to_string());
    Server::of(command, address, "/check")
}

/// As many rows of sessions and users as Vestibule has.
pub fn seed_axum_login(database: &Path, size: Size, cookies: &Path) -> Outcome {
    let mut seed = Command::new(program("axum-login-check"));
    seed.arg("seed").arg(database);
    seed.args([size.sessions.to_string(), size.users.to_string()]);
    step(seed.arg(cookies))
}

fn quiet(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}
