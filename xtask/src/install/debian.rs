use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use super::on_path;
use crate::run::{Outcome, Stop, command_line, step};

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
    step(&mut apt_install(packages))
}

pub fn apt_install(packages: &[&str]) -> Command {
    let mut apt = apt_get();
    apt.args(["install", "-y", "--no-install-recommends"]);
    apt.args(packages);
    apt
}

fn apt_get() -> Command {
    let mut apt = if is_root() || !on_path("sudo") {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("apt-get");
        sudo
    };
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0)
}
