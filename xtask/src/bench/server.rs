//! The release binary as a process of its own, on a free port of loopback.

use std::ffi::OsStr;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use super::failed;
use super::load::SERVER_CORE;
use super::process;
use crate::run::{Outcome, Stop, cargo, root, say, step};

pub const ADMIN: &str = "bench-admin";
pub const PASSWORD: &str = "correct horse battery";

/// Answers 503 until a sign-in can be written.
const READY: &str = "/readyz";

/// A server that is not ready by then never will be.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may read its database through after the start: 10,000,000 sessions are read for minutes.
const SETTLING: Duration = Duration::from_secs(20 * 60);
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Killed when it is dropped.
pub struct Server {
    process: Child,
    pub address: SocketAddr,
    pub ready_after: Duration,
}

pub fn build() -> Outcome {
    step(cargo().args(["build", "--release", "--bin", "vestibule"]))
}

/// Gives a database an admin whom [`Server::signed_in`] signs in.
pub fn add_admin(database: &Path) -> Outcome {
    add_user(database, ADMIN, &["--admin"])
}

/// Gives a database a user with everyone's password.
pub fn add_user(database: &Path, name: &str, options: &[&str]) -> Outcome {
    let mut add = vestibule(database);
    add.args(["user", "add", name, "--password-stdin"]);
    add.args(options);
    add.stdin(Stdio::piped());
    let mut process = add.spawn().map_err(failed("vestibule user add"))?;
    let mut stdin = process.stdin.take().expect("it was piped");
    let written = stdin.write_all(PASSWORD.as_bytes());
    drop(stdin);
    let status = process.wait().map_err(failed("vestibule user add"))?;
    written.map_err(failed("vestibule user add"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Stop::because(format!("vestibule user add: {status}")))
    }
}

impl Server {
    pub fn start(database: &Path) -> Result<Self, Stop> {
        Self::start_with(database, &[])
    }

    /// With settings of its own, as variables of the environment.
    pub fn start_with(database: &Path, settings: &[(&str, &str)]) -> Result<Self, Stop> {
        let address = free_address()?;
        let mut serve = serve(vestibule(database), address);
        serve.envs(settings.iter().copied());
        Self::of(serve, address, READY)
    }

    /// With a core to itself, and settings in the environment.
    pub fn start_pinned(database: &Path, settings: &[(&str, &str)]) -> Result<Self, Stop> {
        let address = free_address()?;
        let mut pinned = serve(on(pinned(binary()), database), address);
        pinned.envs(settings.iter().copied());
        Self::of(pinned, address, READY)?.settled()
    }

    /// Waits until it has nothing to do: it reads a large database through after the start.
    fn settled(self) -> Result<Self, Stop> {
        let began = Instant::now();
        let mut tell_at = TELL_EVERY;
        while began.elapsed() < SETTLING {
            let before = process::cpu(self.id())?;
            std::thread::sleep(Duration::from_millis(500));
            if process::cpu(self.id())?.saturating_sub(before) < Duration::from_millis(15) {
                return Ok(self);
            }
            if began.elapsed() >= tell_at {
                say(&format!(
                    "the server reads its database, {tell_at:?} so far"
                ));
                tell_at += TELL_EVERY;
            }
        }
        Err(Stop::because(format!(
            "the server is still busy after {SETTLING:?}"
        )))
    }

    /// Any program that listens there, once it answers at `path`.
    pub fn of(mut command: Command, address: SocketAddr, path: &str) -> Result<Self, Stop> {
        let began = Instant::now();
        let mut server = Self {
            process: command.spawn().map_err(failed("no server"))?,
            address,
            ready_after: Duration::ZERO,
        };
        server.wait_until_ready(began, path)?;
        server.ready_after = began.elapsed();
        Ok(server)
    }

    fn wait_until_ready(&mut self, began: Instant, path: &str) -> Outcome {
        while began.elapsed() < PATIENCE {
            let answer = Client::connect(self.address).and_then(|mut client| client.get(path));
            if answer.is_ok_and(|answer| answer.status != 503) {
                return Ok(());
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(Stop::because(format!("the server has ended: {status}")));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(Stop::because("the server is not ready after a minute"))
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A client in which the admin has signed in.
    pub fn signed_in(&self) -> Result<Client, Stop> {
        let mut client = Client::connect(self.address).map_err(failed("no connection"))?;
        client.enter(ADMIN, PASSWORD)?;
        Ok(client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(mut command: Command, address: SocketAddr) -> Command {
    command.env("ROCKET_ADDRESS", address.ip().to_string());
    command.env("ROCKET_PORT", address.port().to_string());
    command
}

/// A program on the server's core; it stays the same process.
pub fn pinned(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]).arg(program);
    command
}

fn vestibule(database: &Path) -> Command {
    on(Command::new(binary()), database)
}

/// On this database, with no settings but ours.
fn on(mut command: Command, database: &Path) -> Command {
    clear_settings(&mut command);
    command.current_dir(database.parent().unwrap_or(root()));
    command.env(
        "VESTIBULE_DATABASE_URL",
        format!("sqlite:{}", database.display()),
    );
    command.env("VESTIBULE_LOG_LEVEL", "warn");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// What the environment of the caller says of Vestibule is not for a measurement.
pub fn clear_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let ours = name.starts_with("VESTIBULE_") || name.starts_with("ROCKET_");
        if ours || name == "DATABASE_URL" {
            command.env_remove(&*name);
        }
    }
}

pub fn binary() -> PathBuf {
    root().join("target/release/vestibule")
}

/// Free a moment ago: nobody else is given it so soon.
pub fn free_address() -> Result<SocketAddr, Stop> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(failed("no free port"))
}
