use std::process::Command;

use crate::run::{output, root};

/// Installs what the folder's lock file lists, and runs no script of any package.
pub fn ci(folder: &str) -> Command {
    let mut npm = npm(folder);
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    npm
}

/// Whether the folder's node_modules holds what its package.json pins.
pub fn is_installed(folder: &str) -> bool {
    output(npm(folder).arg("ls")).is_some()
}

fn npm(folder: &str) -> Command {
    let mut npm = Command::new("npm");
    npm.arg("--prefix").arg(root().join(folder));
    npm
}
