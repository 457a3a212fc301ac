//! Faults of the machine that the program runs on: each is made for real, and what was promised
//! before it is looked for after it.

mod clock;
mod damage;
mod disk;
mod lock;
mod read_only;
mod sync;
mod upgrade;

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use super::{Browser, Machine, Ran, Server, is_there, program, wait_for};
use crate::support::PASSWORD;

/// A command of vestibule's in a folder of its own making, which nobody else sees.
pub fn mounted(machine: &Machine, mount: &str, arguments: &[&str]) -> Command {
    let mut command = machine.command("unshare");
    let script = format!("{mount} && cd \"$PWD\" && exec \"$0\" \"$@\"");
    command.args(["--mount", "/bin/sh", "-c", &script, program()]);
    command.args(arguments);
    command
}

pub fn can_mount(machine: &Machine, mount: &str) -> bool {
    let can = is_there("unshare", "full and read-only disks are told")
        && Ran::to_its_end(mounted(machine, mount, &["--version"]), b"").code == 0;
    can_only_root(can, "full and read-only disks are told")
}

/// One line says what is not tested where the machine does not let a test do it.
fn can_only_root(can: bool, for_what: &str) -> bool {
    if !can {
        println!("not root on a disk of its own, so it is not tested that {for_what}");
        assert!(
            std::env::var_os("TEST_REQUIRE_COMPONENTS").is_none(),
            "this must be run as root"
        );
    }
    can
}

/// A command of vestibule's whose calls fail as strace is told; its id is the program's own.
pub fn failing(machine: &Machine, inject: &str, arguments: &[&str]) -> Option<Command> {
    if !is_there("strace", "the disk's errors are told") {
        return None;
    }
    let calls = inject.split(':').next().expect("names of calls");
    let mut strace = machine.command("strace");
    strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e"]);
    strace.args([&format!("trace={calls}"), "-e", &format!("inject={inject}")]);
    strace.arg(program()).args(arguments);
    Some(strace)
}

fn with_alice() -> Machine {
    // A server that is told to stop waits so long for the client it has just answered.
    let machine = Machine::with_file("[default]\nshutdown = { grace = 1, mercy = 1 }\n")
        .set("VESTIBULE_SESSIONS__MAX_PER_USER", "1000")
        .set("VESTIBULE_THROTTLE__ADDRESS_TRIES", "1000");
    machine.add_user("alice", &[]);
    machine
}

/// Tries to sign in; the browser, if it was let in, and the status.
fn try_to_sign_in(machine: &Machine) -> (u16, Browser) {
    let mut browser = machine.anonymous();
    let status = browser.sign_in("alice", PASSWORD).status;
    assert_eq!(
        status == 303,
        !browser.cookie.is_empty(),
        "a cookie for who is let in alone"
    );
    (status, browser)
}

fn readiness(machine: &Machine) -> u16 {
    machine.anonymous().get("/readyz").status
}

const SESSIONS: &str = "SELECT count(*) FROM sessions";
