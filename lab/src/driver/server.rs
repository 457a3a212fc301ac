//! A running server: Vestibule, or another program that it is compared with.

use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use xtask::run::{Outcome, Stop, failed};

use super::{Client, Process, wait_for};

const METRICS_TOKEN: &str = "a-token-for-metrics";

/// The setting that lets a server's metrics be read here.
pub const METRICS: (&str, &str) = ("VESTIBULE_METRICS_TOKEN", METRICS_TOKEN);

/// Killed when it is dropped.
pub struct Server {
    process: Child,
    pub address: SocketAddr,
    started: Instant,
    /// From its start until it was ready; zero before.
    pub ready_after: Duration,
}

impl Server {
    /// Starts a program that will listen there, ready or not.
    pub fn spawn(mut command: Command, address: SocketAddr) -> Result<Self, Stop> {
        let name = command.get_program().to_string_lossy().into_owned();
        let started = Instant::now();
        Ok(Self {
            process: command.spawn().map_err(failed(name))?,
            address,
            started,
            ready_after: Duration::ZERO,
        })
    }

    /// Waits until `path` has an answer that is not 503. If the process ends before, that is `Err(status)`.
    pub fn ready(mut self, path: &str) -> Result<Result<Self, ExitStatus>, Stop> {
        let ended = wait_for("the server to be ready", || match self.has_ended() {
            Some(status) => Some(Some(status)),
            None => self
                .status(path)
                .is_some_and(|status| status != 503)
                .then_some(None),
        })?;
        self.ready_after = self.started.elapsed();
        Ok(ended.map_or(Ok(self), Err))
    }

    /// The status of an answer to a client without a cookie; `None` without an answer.
    fn status(&self, path: &str) -> Option<u16> {
        let answer = Client::connect(self.address).and_then(|mut client| client.get(path));
        answer.ok().map(|answer| answer.status)
    }

    /// How often a server with [`METRICS`] has asked its database for a session.
    pub fn look_ups(&self) -> Result<f64, Stop> {
        let series = "vestibule_database_seconds_count{operation=\"look_up\"} ";
        let bearer = format!("Authorization: Bearer {METRICS_TOKEN}\r\n");
        let text = Client::connect(self.address)
            .and_then(|mut client| client.get_with("/metrics", &bearer))
            .map_err(failed("GET /metrics"))?
            .body;
        let value = text.lines().find_map(|line| line.strip_prefix(series));
        value
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| Stop::because(format!("GET /metrics: no {series}")))
    }

    pub fn process(&self) -> Process {
        Process(self.process.id())
    }

    pub fn signal(&self, signal: Signal) -> Outcome {
        kill_process(Pid::from_child(&self.process), signal).map_err(failed("a signal"))
    }

    /// SIGKILL.
    pub fn kill(mut self) -> Outcome {
        self.signal(Signal::KILL)?;
        self.ended().map(drop)
    }

    /// SIGTERM.
    pub fn stop(mut self) -> Result<ExitStatus, Stop> {
        self.signal(Signal::TERM)?;
        self.ended()
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> Result<ExitStatus, Stop> {
        wait_for("the server to end", || self.has_ended())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
