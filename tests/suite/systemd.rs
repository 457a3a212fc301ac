//! The units in deploy/, as systemd reads them. They are not started: that needs a machine that systemd runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Machine, Ran, is_there, program, wait_for};

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

/// What a line of a unit would run, without the program's path and settings of an installation.
fn run_line(machine: &Machine, key: &str) -> Ran {
    let unit = unit("vestibule-backup.service");
    let line = unit.lines().find_map(|line| line.strip_prefix(key));
    let line = line.expect("a line").replace("%%", "%").replace(
        "/usr/local/bin/vestibule --config /etc/vestibule/Rocket.toml",
        program(),
    );
    let mut shell = machine.command("/bin/sh");
    shell.args(["-c", &line]);
    Ran::to_its_end(shell, b"")
}

#[test]
fn a_second_backup_of_a_day_is_made_and_what_a_kill_left_goes_with_the_old_ones() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    std::fs::create_dir(machine.path("backups")).expect("a folder");
    let copies = || {
        let files = fs::read_dir(machine.path("backups")).expect("a folder");
        files.count()
    };
    run_line(&machine, "ExecStart=").done();
    wait_for("a backup of another second", || {
        (run_line(&machine, "ExecStart=").code == 0).then_some(())
    });
    assert_eq!(copies(), 2);
    for name in [
        "2026-01-01T000000.db",
        "2026-01-02T000000.db.partial-journal",
    ] {
        let old = fs::File::create(machine.path("backups").join(name)).expect("a file");
        let month = std::time::Duration::from_secs(30 * 86_400);
        let then = old
            .metadata()
            .and_then(|file| file.modified())
            .expect("a time")
            - month;
        old.set_modified(then).expect("a time");
    }
    run_line(&machine, "ExecStartPost=").done();
    assert_eq!(copies(), 2);
}
