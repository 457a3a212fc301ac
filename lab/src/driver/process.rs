//! What Linux says about a process in /proc.

use std::fs;
use std::time::Duration;

use xtask::run::{Stop, failed};

/// /proc counts processor time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// A process, by its id.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

/// Figures of `/proc/ID/status`; memory is in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    pub resident_kib: u64,
    /// Memory that belongs to no file.
    pub anonymous_kib: u64,
    /// The most resident memory that it ever had.
    pub peak_kib: u64,
    pub threads: u64,
}

impl Process {
    pub fn status(&self) -> Result<Status, Stop> {
        let text = self.read("status")?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.split_whitespace().next());
            value
                .and_then(|value| value.parse().ok())
                .ok_or_else(|| Stop::because(format!("/proc/{}/status: has no {name}", self.0)))
        };
        Ok(Status {
            resident_kib: field("VmRSS:")?,
            anonymous_kib: field("RssAnon:")?,
            peak_kib: field("VmHWM:")?,
            threads: field("Threads:")?,
        })
    }

    /// Processor time of all its threads and of the children that it has waited for.
    pub fn cpu(&self) -> Result<Duration, Stop> {
        let stat = self.read("stat")?;
        // The name, in parentheses, may hold spaces. After it: state (3) … utime, stime, cutime, cstime (14-17).
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let times = after_name.split_whitespace().skip(11).take(4);
        let ticks: u32 = times.filter_map(|field| field.parse::<u32>().ok()).sum();
        Ok(TICK * ticks)
    }

    /// How many files and connections are open.
    pub fn descriptors(&self) -> Result<usize, Stop> {
        let path = format!("/proc/{}/fd", self.0);
        fs::read_dir(&path)
            .map(Iterator::count)
            .map_err(failed(path))
    }

    fn read(&self, name: &str) -> Result<String, Stop> {
        let path = format!("/proc/{}/{name}", self.0);
        fs::read_to_string(&path).map_err(failed(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_has_used_memory_time_and_descriptors() {
        let process = Process(std::process::id());
        let status = process.status().unwrap();
        assert!(status.anonymous_kib > 4 && status.resident_kib > status.anonymous_kib);
        assert!(status.peak_kib >= status.anonymous_kib && status.threads > 0);
        assert!(process.descriptors().unwrap() > 2);
        let began = process.cpu().unwrap();
        while process.cpu().unwrap() < began + 2 * TICK {}
    }
}
