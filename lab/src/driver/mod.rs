//! Drives the release binary as its users do: as a process with settings, over HTTP, and by its commands.
//!
//! An [`Instance`] is the binary with a database, an address and settings; started, it is a [`Server`].
//! A [`Client`] is a browser with one cookie; a [`Process`] is what the system says about a server; [`load::Wrk`]
//! requests as much as a server answers. [`Postgres`] is a server of databases that it can share with others.

mod client;
mod instance;
pub mod load;
pub mod postgres;
mod process;
mod server;

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use xtask::run::{Outcome, Stop, cargo, failed, root, step};

pub use client::{Answer, Client};
pub use instance::{CommandOutput, Instance, give_to_server, is_root};
pub use postgres::Postgres;
pub use process::Process;
pub use server::{METRICS, Server};

/// The password of each user that is added here.
pub const PASSWORD: &str = "correct horse battery";

/// Far above what anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How the program is built: quickly, as for whoever tries it, or as packages have it.
#[derive(Clone, Copy, Debug)]
pub enum Profile {
    Release,
    Dist,
}

/// A run works with one build.
static BUILT: OnceLock<Profile> = OnceLock::new();

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }
}

pub fn build(profile: Profile) -> Outcome {
    let profile = BUILT.get_or_init(|| profile).name();
    step(cargo().args(["build", "--profile", profile, "--bin", "vestibule"]))
}

/// The program that [`build`] has made.
pub fn binary() -> PathBuf {
    let profile = BUILT.get().copied().unwrap_or(Profile::Release).name();
    root().join("target").join(profile).join("vestibule")
}

/// A folder that every user may enter. It is removed with all that is in it when it is dropped.
pub fn temporary_folder(parent: &Path) -> Result<TempDir, Stop> {
    fs::create_dir_all(parent).map_err(failed(parent.display()))?;
    let mut builder = tempfile::Builder::new();
    builder
        .prefix("vestibule-lab-")
        .permissions(Permissions::from_mode(0o755));
    builder.tempdir_in(parent).map_err(failed(parent.display()))
}

/// Below the ports that clients are given: one that connects to a closed port among those may be
/// given that very port, and talk to itself. Each is handed out once.
pub fn free_address() -> Result<SocketAddr, Stop> {
    static HANDED_OUT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap_or(0);
    let next = || first + HANDED_OUT.fetch_add(1, Ordering::Relaxed);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = std::iter::repeat_with(next).take(1_000).find(is_free);
    port.map(|port| (Ipv4Addr::LOCALHOST, port).into())
        .ok_or_else(|| Stop::because("no free port"))
}

/// Polls until there is something to return.
pub fn wait_for<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> Result<T, Stop> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(seen) = poll() {
            return Ok(seen);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(Stop::because(format!("waited {PATIENCE:?} for {what}")))
}
