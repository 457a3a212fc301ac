//! What the program listens at, and how it stops.

use std::net::IpAddr;
use std::path::PathBuf;

use rocket::serde::{Deserialize, Serialize};

use super::cores;

/// Where the program listens, if not at an address and port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub enum Listen {
    /// The path of a Unix socket, for a proxy on the same machine.
    Unix(PathBuf),
    /// The socket of a systemd `.socket` unit, in which visitors wait during a restart.
    Systemd,
}

impl From<String> for Listen {
    fn from(text: String) -> Self {
        match text.as_str() {
            "systemd" => Self::Systemd,
            _ => Self::Unix(text.into()),
        }
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        match listen {
            Listen::Unix(path) => path.to_string_lossy().into_owned(),
            Listen::Systemd => "systemd".to_owned(),
        }
    }
}

/// Of Rocket's own keys, the ones that the binary takes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub struct Server {
    /// Loopback: a reverse proxy on the same machine reaches it, the network does not.
    pub address: IpAddr,
    pub port: u16,
    pub workers: usize,
    pub shutdown: Shutdown,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            address: IpAddr::from([127, 0, 0, 1]),
            port: 8000,
            workers: cores(),
            shutdown: Shutdown::default(),
        }
    }
}

/// Seconds that running requests are given when the server is told to stop.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// Answers that take longer than Rocket's own 2 s were cut though their change was made.
    pub grace: u32,
    pub mercy: u32,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            grace: 10,
            mercy: 3,
        }
    }
}
