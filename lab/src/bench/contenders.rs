//! What a session check is measured against: a bare Rocket, a bare hyper, and axum-login with its store on SQLite.
//! All are packages of `lab/contenders/`, a workspace of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::run::{Outcome, Stop, cargo, root, step};

use super::databases::Size;
use super::pinned;
use crate::driver::{Server, free_address};

pub fn build() -> Outcome {
    let mut build = cargo();
    build.args([
        "build",
        "--release",
        "--locked",
        "--manifest-path",
        "lab/contenders/Cargo.toml",
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
    let mut command = pinned::command(program("rocket-hello"));
    command.env("ROCKET_ADDRESS", address.ip().to_string());
    command.env("ROCKET_PORT", address.port().to_string());
    start(command, address, "/")
}

pub fn hyper_hello() -> Result<Server, Stop> {
    let address = free_address()?;
    let mut command = pinned::command(program("hyper-hello"));
    command.arg(address.to_string());
    start(command, address, "/")
}

/// Serves a database that [`seed_axum_login`] has made.
pub fn axum_login(database: &Path) -> Result<Server, Stop> {
    let address = free_address()?;
    let mut command = pinned::command(program("axum-login-check"));
    command.arg("serve").arg(database).arg(address.to_string());
    start(command, address, "/check")
}

/// As many rows of sessions and users as Vestibule has.
pub fn seed_axum_login(database: &Path, size: Size, cookies: &Path) -> Outcome {
    let mut seed = Command::new(program("axum-login-check"));
    seed.arg("seed").arg(database);
    seed.args([size.sessions.to_string(), size.users.to_string()]);
    step(seed.arg(cookies))
}

fn start(command: Command, address: SocketAddr, path: &str) -> Result<Server, Stop> {
    let ready = Server::spawn(command, address)?.ready(path)?;
    ready.map_err(|status| Stop::because(format!("the server has ended: {status}")))
}
