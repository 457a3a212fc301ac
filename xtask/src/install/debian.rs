use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use super::on_path;
use crate::run::{Outcome, Stop, command_line, say, step};

/// All packages in one go, for each start of apt-get takes seconds.
pub fn install(packages: &[&str]) -> Outcome {
    let by_hand = command_line(&apt_install(packages));
    if !on_path("apt-get") {
        return Err(Stop::because(format!(
            "this system has no apt-get; install by hand what `{by_hand}` would"
        )));
    }
    if !is_root() && !on_path("sudo") {
        return Err(Stop::because(format!(
            "not root, and no sudo; run as root: apt-get update && {by_hand}"
        )));
    }
    step(apt_get().arg("update"))?;
    step(&mut apt_install(packages))?;
    stop_services(packages)
}

/// Packages that Debian starts as services once they are installed.
const SERVICES: [&str; 4] = ["nginx", "caddy", "haproxy", "postgresql"];

/// The tests start programs of their own; nobody asked for a server that runs on this machine.
/// Only what was not here before is stopped.
fn stop_services(packages: &[&str]) -> Outcome {
    let services = SERVICES.iter().filter(|name| packages.contains(*name));
    let services: Vec<_> = services.collect();
    // Without systemd, in a container, nothing was started.
    if services.is_empty() || !Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    say("stopping the services that Debian has started with them");
    step(
        as_root("systemctl")
            .args(["disable", "--now"])
            .args(services),
    )
}

pub fn apt_install(packages: &[&str]) -> Command {
    let mut apt = apt_get();
    apt.args(["install", "-y", "--no-install-recommends"]);
    apt.args(packages);
    apt
}

fn apt_get() -> Command {
    let mut apt = as_root("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

fn as_root(program: &str) -> Command {
    if is_root() || !on_path("sudo") {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.arg(program);
    sudo
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0)
}
