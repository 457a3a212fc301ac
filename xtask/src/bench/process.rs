//! What the system tells of a process: its processor time and its memory.

use std::fs;
use std::time::Duration;

use super::failed;
use crate::run::Stop;

/// Linux counts a process's time for /proc in hundredths of a second.
const TICKS: u64 = 100;

/// The processor time of all its threads and of the children it has waited for.
pub fn cpu(id: u32) -> Result<Duration, Stop> {
    let path = format!("/proc/{id}/stat");
    let stat = fs::read_to_string(&path).map_err(failed(&path))?;
    // The name, in parentheses, may hold spaces. After it: state (3) … utime, stime, cutime, cstime (14-17).
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 1_000 / TICKS))
}

/// Bytes of memory that belong to no file.
pub fn anonymous(id: u32) -> Result<u64, Stop> {
    let path = format!("/proc/{id}/status");
    let status = fs::read_to_string(&path).map_err(failed(&path))?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kibibytes = line
        .and_then(|line| line.split_whitespace().nth(1))
        .and_then(|number| number.parse::<u64>().ok());
    kibibytes
        .map(|kibibytes| kibibytes * 1_024)
        .ok_or_else(|| Stop::because(format!("{path}: has no RssAnon")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_has_used_memory_and_time() {
        let id = std::process::id();
        assert!(anonymous(id).unwrap() > 4_096);
        let began = cpu(id).unwrap();
        while cpu(id).unwrap() < began + Duration::from_millis(20) {}
    }
}
