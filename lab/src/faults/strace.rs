//! strace, which shows what a server asks of the system, and can answer in the system's place.

use std::path::Path;

/// As a [`Instance::under`](crate::driver::Instance::under) takes it. The tracer is a grandchild (`-D`):
/// signals to the server reach the server.
pub fn shows(calls: &str, to: &Path) -> Vec<String> {
    let trace = format!("trace={calls}");
    let to = to.to_string_lossy();
    words(&["-y", "-s", "32", "-e", &trace, "-o", &to])
}

/// Has the system answer a call with an error or a signal, as in `fsync:error=EIO:when=8`.
/// Each thread counts its own calls.
pub fn injects(what: &str, to: &Path) -> Vec<String> {
    let call = what.split(':').next().unwrap_or_default();
    let (trace, inject) = (format!("trace={call}"), format!("inject={what}"));
    let to = to.to_string_lossy();
    words(&["-y", "-s", "32", "-e", &trace, "-e", &inject, "-o", &to])
}

fn words(options: &[&str]) -> Vec<String> {
    let words = ["strace", "-D", "-f", "-qq"].iter().chain(options);
    words.map(|word| (*word).to_owned()).collect()
}
