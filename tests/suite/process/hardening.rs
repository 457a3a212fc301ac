//! What the program takes from itself at its start, and where it refuses to work.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use super::{Machine, is_there, program};

const NOBODY: u32 = 65_534;

/// Only root can hand files to others and run as somebody else; one line says so where it is not root.
fn is_root(for_what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("not root, so it is not tested that {for_what}");
    }
    root && is_there("setpriv", for_what)
}

/// The same program under limits, which the shell sets.
fn limited(machine: &Machine, ulimits: &str) -> Command {
    let mut command = machine.command("/bin/sh");
    command.args(["-c", &format!("{ulimits}; exec \"$0\""), program()]);
    command
}

fn set_mode(machine: &Machine, name: &str, mode: u32) {
    let mode = fs::Permissions::from_mode(mode);
    fs::set_permissions(machine.path(name), mode).expect("a mode");
}

#[test]
fn the_server_opens_as_many_files_as_it_may() {
    let machine = Machine::new();
    let server = machine.start_command(limited(&machine, "ulimit -S -n 256; ulimit -H -n 1024"));
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).expect("a process");
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let cells: Vec<&str> = files.expect("a limit").split_whitespace().collect();
    assert_eq!(cells[..2], ["1024", "1024"]);
}

/// The system shows this by whom the process's own files belong to.
#[test]
fn sec_06_a_debugger_of_the_same_user_cannot_read_the_servers_memory() {
    if !is_root("nobody's debugger is kept away") {
        return;
    }
    let machine = Machine::new();
    set_mode(&machine, ".", 0o755);
    chown(machine.folder.path(), Some(NOBODY), None).expect("an owner");
    fs::copy(program(), machine.path("program")).expect("a copy");
    set_mode(&machine, "program", 0o755);
    let mut command = machine.command("setpriv");
    command.args(["--reuid", "65534", "--clear-groups"]);
    command.arg(machine.path("program"));
    let server = machine.start_command(command);
    let owner = |file: &str| {
        let file = fs::metadata(format!("/proc/{}/{file}", server.id()));
        file.expect("a process").uid()
    };
    assert_eq!(owner("status"), 0);
    assert_eq!(owner("mem"), 0);
    let database = fs::metadata(machine.path("vestibule.db")).expect("a database");
    assert_eq!(database.uid(), NOBODY, "it runs as nobody");
}

#[test]
fn root_does_not_work_on_another_users_database() {
    if !is_root("it refuses another user's database") {
        return;
    }
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    chown(machine.path("vestibule.db"), Some(NOBODY), None).expect("an owner");
    let before = machine.files();
    for arguments in [
        &["serve"][..],
        &["user", "list"],
        &["session", "revoke", "--everyone"],
        &["db", "status"],
        &["db", "check"],
        &["db", "migrate"],
        &["db", "backup", "copy.db"],
        &["db", "restore", "copy.db"],
    ] {
        let err = machine.cli(arguments).failed();
        assert!(
            err.contains("sudo -u '#65534' vestibule"),
            "{arguments:?}: {err}"
        );
    }
    assert_eq!(machine.files(), before);
}

#[test]
fn settings_that_others_can_write_are_refused() {
    let machine = Machine::with_file("");
    set_mode(&machine, "Rocket.toml", 0o666);
    let err = machine.refuses_to_start();
    assert!(err.contains("run chmod o-w Rocket.toml"), "{err}");
    set_mode(&machine, "Rocket.toml", 0o644);
    machine.cli(&["config", "check"]).done();
}

#[test]
fn a_token_in_settings_that_others_can_read_is_refused() {
    let machine = Machine::with_file("[default.vestibule]\nmetrics_token = \"canary\"\n");
    set_mode(&machine, "Rocket.toml", 0o644);
    let err = machine.refuses_to_start();
    assert!(err.contains("metrics_token: others can read "), "{err}");
    assert!(err.contains("run chmod o-r "), "{err}");
    assert!(!err.contains("canary"), "{err}");
    set_mode(&machine, "Rocket.toml", 0o640);
    machine.cli(&["config", "check"]).done();
    // The environment's own is in effect then.
    set_mode(&machine, "Rocket.toml", 0o644);
    let machine = machine.set("VESTIBULE_METRICS_TOKEN", "another");
    machine.cli(&["config", "check"]).done();
}
