//! Secrets: who can read them, and where they never stand.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::faults::failing;
use super::{Machine, Ran, is_there, program};
use crate::support::PASSWORD;

fn mode(machine: &Machine, name: &str) -> u32 {
    let metadata = fs::metadata(machine.path(name)).expect("a file");
    metadata.permissions().mode() & 0o777
}

/// The same program under a umask that keeps nothing from anyone.
fn openhanded(machine: &Machine, arguments: &str) -> Command {
    let mut command = machine.command("/bin/sh");
    command.args([
        "-c",
        &format!("umask 000; exec \"$0\" {arguments}"),
        program(),
    ]);
    command
}

#[test]
fn sec_02_every_file_is_the_owners_alone_whatever_the_umask() {
    let machine = Machine::new();
    fs::set_permissions(machine.folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let _server = machine.start_command(openhanded(&machine, "serve"));
    machine.add_user("alice", &[]);
    Ran::to_its_end(openhanded(&machine, "db backup copy.db"), b"").done();
    let files = machine.files();
    for name in [
        "copy.db",
        "vestibule.db",
        "vestibule.db-wal",
        "vestibule.db-shm",
        "vestibule.db.lock",
    ] {
        assert!(files.iter().any(|file| file == name), "{name} in {files:?}");
    }
    for file in &files {
        assert_eq!(mode(&machine, file), 0o600, "{file}");
    }
    assert_eq!(
        mode(&machine, "."),
        0o755,
        "a folder that was there is left alone"
    );
}

#[test]
fn sec_02_a_database_that_others_can_read_is_tightened_with_a_warning() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    fs::set_permissions(
        machine.path("vestibule.db"),
        fs::Permissions::from_mode(0o644),
    )
    .expect("a mode");
    let mut server = machine.start();
    server.stop();
    assert_eq!(mode(&machine, "vestibule.db"), 0o600);
    assert!(
        server
            .err()
            .contains("WARN others could read the database (mode 644)"),
        "{}",
        server.err()
    );
}

#[test]
fn sec_02_a_file_system_without_modes_is_borne_with_a_warning() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    let loose = fs::Permissions::from_mode(0o644);
    fs::set_permissions(machine.path("vestibule.db"), loose).expect("a mode");
    for arguments in [&["user", "list"][..], &["db", "backup", "copy.db"]] {
        // What FAT says to whoever is not its owner.
        let inject = "chmod,fchmod,fchmodat:error=EPERM";
        let Some(strace) = failing(&machine, inject, arguments) else {
            return;
        };
        let ran = Ran::to_its_end(strace, b"").done();
        let is_told = ran.err.contains("mode 644") && ran.err.contains("umask=077");
        assert_eq!(
            is_told,
            arguments[0] == "user",
            "{arguments:?}: {}",
            ran.err
        );
    }
}

#[test]
fn sec_04_no_command_takes_a_password_as_an_argument() {
    let machine = Machine::new();
    for arguments in [
        &["user", "add", "alice", "--password", PASSWORD][..],
        &["user", "add", "alice", PASSWORD],
        &["user", "add", "alice", "--password-stdin", PASSWORD],
        &["user", "passwd", "alice", PASSWORD],
        &["user", "passwd", "alice", "--generate", PASSWORD],
    ] {
        machine.cli(arguments).misused();
    }
    assert!(machine.files().is_empty(), "{:?}", machine.files());
}

#[test]
fn sec_04_a_password_in_an_address_is_not_repeated() {
    for (name, value) in [
        (
            "DATABASE_URL",
            "postgres://vestibule:canary@db.example.com/vestibule",
        ),
        (
            "VESTIBULE_DATABASE_URL",
            "postgres://vestibule:canary@db.example.com/vestibule",
        ),
        (
            "VESTIBULE_PUBLIC_URL",
            "https://admin:canary@auth.example.com",
        ),
        ("VESTIBULE_PUBLIC_URL", "http://admin:canary@192.168.1.5"),
        (
            "VESTIBULE_PUBLIC_URL",
            "ftp://admin:canary@auth.example.com",
        ),
        ("VESTIBULE_PUBLIC_URL", "https://admin:canary@[::1"),
    ] {
        let machine = Machine::new().set(name, value);
        for arguments in [
            &["serve"][..],
            &["config", "show"],
            &["config", "show", "--json"],
            &["user", "list"],
        ] {
            let ran = machine.cli(arguments);
            // An address of PostgreSQL's is a setting like others; nobody answers there.
            let is_shown = arguments[0] == "config" && value.starts_with("postgres:");
            assert_eq!(ran.code, i32::from(!is_shown), "{value}");
            assert!(!format!("{ran:?}").contains("canary"), "{ran:?}");
        }
    }
    let database = [
        "--database",
        "postgres://vestibule:canary@db.example.com/vestibule",
    ];
    let err = (Machine::new().cli(&[&database[..], &["config", "show"]].concat())).failed();
    assert!(
        err.contains("--database") && err.contains("database_password_file"),
        "{err}"
    );
    assert!(!err.contains("canary"), "{err}");
}

#[test]
fn sec_04_a_line_of_the_file_that_cannot_be_read_is_not_repeated() {
    let file = "[default.vestibule]\ndatabase_url = \"postgres://vestibule:canary@db\n";
    let err = Machine::with_file(file).cli(&["config", "check"]).failed();
    assert!(err.contains("line 2") && !err.contains("canary"), "{err}");
}

#[test]
fn sec_04_the_servers_process_shows_no_secret() {
    let machine = Machine::new();
    let server = machine.start();
    let code = server.setup_code();
    for file in ["cmdline", "environ"] {
        let text = fs::read(format!("/proc/{}/{file}", server.id())).expect("a process");
        assert!(!String::from_utf8_lossy(&text).contains(&code));
    }
}

#[test]
fn sec_06_the_server_leaves_no_core_dump() {
    let machine = Machine::new();
    let mut command = machine.command("/bin/sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$0\"", program()]);
    let server = machine.start_command(command);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).expect("a process");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let cells: Vec<&str> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(cells[4..6], ["0", "0"]);
}

#[test]
fn sec_06_the_memory_of_hashes_is_wiped() {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(env!("CARGO_MANIFEST_DIR"));
    tree.args([
        "tree",
        "--offline",
        "--locked",
        "--edges",
        "normal",
        "--format",
        "{p} {f}",
        "--invert",
        "argon2",
        "--depth",
        "0",
    ]);
    let out = tree.output().expect("cargo");
    let line = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        line.starts_with("argon2 ") && line.contains("zeroize"),
        "{out:?}"
    );
}

#[test]
fn adm_07_commands_work_only_with_the_right_to_the_databases_files() {
    if !is_there("setpriv", "another user's commands fail") {
        return;
    }
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    // Others may go into the folder; what is in there is still not theirs.
    fs::set_permissions(machine.folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::copy(program(), machine.path("program")).expect("a copy");
    fs::set_permissions(machine.path("program"), fs::Permissions::from_mode(0o755))
        .expect("a mode");
    let nobody = |arguments: &[&str]| {
        let mut command = machine.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.arg(machine.path("program")).args(arguments);
        Ran::to_its_end(command, b"")
    };
    if nobody(&["--version"]).code != 0 {
        println!("not root, so it is not tested that another user's commands fail");
        return;
    }
    let before = machine.files();
    for arguments in [
        &["user", "list"][..],
        &["user", "disable", "alice"],
        &["session", "revoke", "--everyone"],
        &["audit", "list"],
        &["db", "status"],
        &["db", "check"],
        &["db", "backup", "/tmp/never"],
        &["db", "migrate"],
        &["serve"],
    ] {
        let err = nobody(arguments).failed();
        assert!(err.contains("vestibule.db"), "{arguments:?}: {err}");
        assert!(err.contains("able"), "{arguments:?} says what to do: {err}");
    }
    assert_eq!(machine.files(), before);
    assert_eq!(
        machine.number("SELECT count(*) FROM users WHERE disabled_at IS NULL"),
        1
    );
}
