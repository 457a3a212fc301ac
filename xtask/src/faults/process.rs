//! What the system tells of a running server.

use std::fs;
use std::time::Duration;

use super::machine::Server;

pub struct Process(u32);

impl Process {
    pub fn of(server: &Server) -> Self {
        Self(server.id())
    }

    pub fn memory_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// What is no file's.
    pub fn anonymous_kib(&self) -> u64 {
        self.status("RssAnon:")
    }

    /// The most that it ever had.
    pub fn peak_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value
            .and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok())
            .unwrap_or(0)
    }

    /// Open files and connections.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.0)).map_or(0, Iterator::count)
    }

    /// Processor time that it took, to the hundredth of a second.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        // Behind the name, which may hold anything: state is the first, user and system time are 12th and 13th.
        let fields = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let ticks: u64 = fields
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        Duration::from_millis(ticks * 10)
    }
}
