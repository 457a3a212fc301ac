//! Faults of machines and of clients, caused to the release binary, and a checker that holds it to its promises.
//!
//! One file for each fault. `workload` are the clients, `history` what they requested and were answered,
//! `checker` finds the promises that were broken, `testbed` has instances to break.

mod backup;
mod checker;
mod clock;
mod connections;
mod corrupt;
mod descriptors;
mod disk;
mod disk_full;
mod findings;
mod fsync_order;
mod history;
mod io_error;
mod kill;
mod locked;
mod migration_cut;
mod nodes;
mod one_core;
mod oversize;
mod panics;
mod proofs;
mod read_only;
mod restart;
mod schema;
mod service;
mod session_checks;
mod sign_in_flood;
mod slow;
mod slow_disk;
mod stopped;
mod strace;
mod testbed;
mod two_servers;
mod upgrade;
mod workload;

use clap::Args;
use xtask::install::{Source, is_server, on_path};
use xtask::need::{Need, install_missing, refuse_missing};
use xtask::run::{Outcome, Stop, say};

use crate::driver::{load, postgres};

pub use locked::HoldLock;

use findings::{Findings, Table};
use testbed::Testbed;

/// Cause faults to the release binary and look for broken promises
///
/// Starts servers on loopback as a user without rights, breaks what is below them, starts them again
/// and checks all that was promised. What this machine cannot do is named, and is no success.
#[derive(Args)]
#[command(after_help = "Example: cargo xtask faults --quick B1 B13")]
pub struct Faults {
    /// Fewer rounds: minutes in place of hours
    #[arg(long)]
    quick: bool,
    /// Put the figures into docs/reliability.md
    #[arg(long)]
    write: bool,
    /// Refuse to start when something is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
    /// Which faults; all of them if none is named
    #[arg(value_name = "ID", ignore_case = true, value_parser = ids())]
    ids: Vec<String>,
}

/// A fault, and how it is caused.
pub struct Fault {
    pub id: &'static str,
    pub what: &'static str,
    pub run: fn(&Testbed) -> Result<Findings, Stop>,
}

const FAULTS: &[Fault] = &[
    kill::FAULT,
    fsync_order::FAULT,
    disk_full::FAULT,
    read_only::FAULT,
    locked::FAULT,
    corrupt::FAULT,
    clock::FAULT,
    descriptors::FAULT,
    slow::FAULT,
    oversize::FAULT,
    connections::FAULT,
    sign_in_flood::FAULT,
    restart::FAULT,
    backup::FAULT,
    upgrade::FAULT,
    migration_cut::FAULT,
    io_error::FAULT,
    panics::FAULT,
    two_servers::FAULT,
    stopped::FAULT,
    slow_disk::FAULT,
    one_core::FAULT,
    proofs::FAULT,
    nodes::node_killed::FAULT,
    nodes::database_ended::KILLED,
    nodes::database_ended::RESTARTED,
    nodes::fail_over::SYNCHRONOUS,
    nodes::fail_over::ASYNCHRONOUS,
    nodes::crowded::FAULT,
    nodes::full::FAULT,
    nodes::locked::FAULT,
    nodes::cut::FAULT,
    nodes::stopped::FAULT,
    nodes::rolling::FAULT,
    nodes::first_admin::FAULT,
];

fn ids() -> clap::builder::PossibleValuesParser {
    FAULTS
        .iter()
        .map(|fault| fault.id)
        .collect::<Vec<_>>()
        .into()
}

const NEEDS: &[Need] = &[
    Need {
        what: "setpriv",
        why: "to run the server as a user without rights",
        present: || on_path("setpriv"),
        source: Source::Debian(&["util-linux"]),
    },
    Need {
        what: "oathtool",
        why: "to be the authenticator app of users with a second factor",
        present: || on_path("oathtool"),
        source: Source::Debian(&["oathtool"]),
    },
    Need {
        what: "strace",
        why: "to see in which order the server asks the system, and to answer with errors",
        present: || on_path("strace"),
        source: Source::Debian(&["strace"]),
    },
    Need {
        what: "mkfs.ext4 and chattr",
        why: "for disks that fill up and files that cannot be written",
        present: || is_server("mkfs.ext4") && on_path("chattr"),
        source: Source::Debian(&["e2fsprogs"]),
    },
    Need {
        what: "libfaketime",
        why: "for a clock that jumps",
        present: || clock::library().is_some(),
        source: Source::Debian(&["faketime"]),
    },
    Need {
        what: "nginx",
        why: "to stand between visitors and a server that is started again",
        present: || is_server("nginx"),
        source: Source::Debian(&["nginx"]),
    },
    postgres::POSTGRES,
    load::WRK,
    load::TASKSET,
];

impl Faults {
    pub fn run(&self) -> Outcome {
        if self.no_install {
            refuse_missing(NEEDS)?;
        } else {
            install_missing(NEEDS)?;
        }
        let testbed = Testbed::set_up(self.quick)?;
        let mut table = Table {
            rows: Vec::new(),
            quick: self.quick,
        };
        for fault in FAULTS.iter().filter(|fault| self.wants(fault)) {
            say(&format!("{}: {}", fault.id, fault.what));
            let findings = (fault.run)(&testbed).unwrap_or_else(Findings::aborted);
            table.rows.push((fault, findings));
        }
        table.print();
        if self.write {
            table.write()?;
        }
        table.verdict()
    }

    fn wants(&self, fault: &Fault) -> bool {
        self.ids.is_empty() || self.ids.iter().any(|id| id.eq_ignore_ascii_case(fault.id))
    }
}
