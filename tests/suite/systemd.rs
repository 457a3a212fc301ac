//! The units in deploy/, as systemd reads them. They are not started: that needs a machine that systemd runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{is_there, program};

const UNITS: [&str; 4] = [
    "vestibule.service",
    "vestibule.socket",
    "vestibule-backup.service",
    "vestibule-backup.timer",
];

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name);
    fs::read_to_string(path).expect("a unit")
}

/// The units with the program where it is here, which systemd looks for.
fn installed() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in UNITS {
        let text = unit(name).replace("/usr/local/bin/vestibule", program());
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

#[test]
fn systemd_finds_no_fault_in_the_units() {
    if !is_there("systemd-analyze", "systemd can read the units") {
        return;
    }
    let folder = installed();
    let mut verify = Command::new("systemd-analyze");
    verify
        .arg("verify")
        .args(UNITS.map(|name| folder.path().join(name)));
    let out = verify.output().expect("systemd-analyze");
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{told}");
    // Faults that systemd reads over are told of, by the file's name.
    assert!(!told.contains("vestibule"), "{told}");
}

#[test]
fn the_services_could_do_little_to_the_machine() {
    if !is_there("systemd-analyze", "the services are shut in") {
        return;
    }
    let folder = installed();
    for name in ["vestibule.service", "vestibule-backup.service"] {
        let mut security = Command::new("systemd-analyze");
        // Tenths: docs/systemd.md says 1.1.
        security.args(["security", "--offline=true", "--threshold=11"]);
        let out = security
            .arg(folder.path().join(name))
            .output()
            .expect("systemd-analyze");
        let told = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{told}");
        assert!(told.contains("Overall exposure level"), "{told}");
    }
}

#[test]
fn the_service_waits_as_long_for_its_end_as_the_program_takes() {
    let service = unit("vestibule.service");
    let seconds = service
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="));
    let seconds: u32 = seconds.expect("a limit").parse().expect("seconds");
    let shutdown = vestibule::foundation::settings::Server::default().shutdown;
    assert!(seconds > shutdown.grace + shutdown.mercy);
}
