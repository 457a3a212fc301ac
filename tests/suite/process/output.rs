//! What commands print: whether it could be printed, in columns, and in whose time.

use std::process::{Command, Output, Stdio};

use super::{Machine, Ran, program};
use crate::support::PASSWORD;

/// A command whose standard output is a disk without room.
fn onto_a_full_disk(machine: &Machine, arguments: &[&str]) -> Ran {
    redirected(machine, "> /dev/full", arguments)
}

fn redirected(machine: &Machine, to: &str, arguments: &[&str]) -> Ran {
    let mut command = machine.command("/bin/sh");
    command.args(["-c", &format!("exec \"$0\" \"$@\" {to}"), program()]);
    command.args(arguments);
    Ran::to_its_end(command, b"")
}

/// A command whose reader has left before it begins.
fn for_nobody(machine: &Machine, arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command: Command = machine.command(program());
    command
        .args(arguments)
        .stdout(writer)
        .stderr(Stdio::piped());
    command.output().expect("the program starts")
}

/// Everything that is printed for somebody to read.
const PRINTING: &[&[&str]] = &[
    &["--help"],
    &["--version"],
    &["user", "list"],
    &["user", "list", "--json"],
    &["user", "show", "alice"],
    &["session", "list"],
    &["audit", "list"],
    &["site", "list"],
    &["token", "list", "--json"],
    &["invitations", "--json"],
    &["rule", "list", "--json"],
    &["explain", "http://app.example.com/"],
    &["db", "migrate"],
    &["db", "status"],
    &["db", "check"],
    &["db", "backup", "copy.db"],
    &["config", "show"],
    &["config", "check"],
    &["completions", "bash"],
];

#[test]
fn what_cannot_be_printed_is_a_failure_of_every_command() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    for arguments in PRINTING {
        let err = onto_a_full_disk(&machine, arguments).failed();
        assert!(
            err.contains("standard output: No space left"),
            "{arguments:?}: {err}"
        );
    }
}

#[test]
fn a_reader_that_has_left_is_a_failure_of_no_command() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    for arguments in PRINTING.iter().filter(|words| !words.contains(&"backup")) {
        let output = for_nobody(&machine, arguments);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), &*err),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

const PASSWD: [&str; 4] = ["user", "passwd", "alice", "--generate"];

/// Neither the password nor a session was touched.
fn assert_untouched(machine: &Machine, how: &str) {
    assert_eq!(machine.number("SELECT count(*) FROM users"), 1, "{how}");
    let set = "SELECT count(*) FROM audit WHERE event = 'password_set'";
    assert_eq!(machine.number(set), 0, "{how}");
    let _server = machine.start();
    machine.signed_in("alice");
}

#[test]
fn a_password_that_nobody_was_told_is_not_set() {
    for to in ["> /dev/full", ">&-", "> /dev/null"] {
        let machine = Machine::new();
        machine.add_user("alice", &[]);
        for arguments in [&PASSWD, &["user", "add", "bob", "--generate"]] {
            let err = redirected(&machine, to, arguments).failed();
            assert!(err.contains("nothing was changed"), "{to}: {err}");
        }
        assert_untouched(&machine, to);
    }
}

#[test]
fn a_password_whose_reader_has_left_is_not_set() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    assert_eq!(for_nobody(&machine, &PASSWD).status.code(), Some(1));
    assert_untouched(&machine, "nobody reads");
}

#[test]
fn no_password_is_told_for_a_change_that_is_refused() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    for arguments in [
        &["user", "passwd", "nobody", "--generate"][..],
        &["user", "add", "alice", "--generate"],
        &["user", "add", "Bob Ross", "--generate"],
        &["user", "add", "bob", "--generate", "--email", "nowhere"],
    ] {
        let ran = machine.cli(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{arguments:?}");
    }
}

#[test]
fn tables_stand_in_columns_with_wide_characters_too() {
    let machine = Machine::new();
    machine.add_user("alice", &["--display-name", "王小明"]);
    machine.add_user("bob", &["--display-name", "Bob"]);
    let out = machine.cli(&["user", "list"]).done().out;
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines,
        [
            "NAME   DISPLAY NAME  EMAIL  STATE  GROUPS",
            "alice  王小明               user",
            "bob    Bob                  user",
        ]
    );
}

#[test]
fn times_are_in_utc_without_tz_and_in_json() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    let shown = machine.cli(&["audit", "list"]).done().out;
    let time = shown.lines().nth(1).expect("a record");
    assert_eq!(&time[19..20], "Z", "{shown}");
    let elsewhere = machine.set("TZ", "CET-1");
    let entries = elsewhere.cli(&["audit", "list", "--json"]).done().json();
    let time = entries[0]["at"].as_str().expect("a time");
    assert!(time.ends_with('Z'), "{time}");
}

#[test]
fn times_are_shown_and_taken_in_the_zone_of_tz() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    let entries = machine.cli(&["audit", "list", "--json"]).done().json();
    let minute = entries[0]["at"].as_str().expect("a time")[..16].to_owned();
    let machine = machine.set("TZ", "EST5");
    let shown = machine.cli(&["audit", "list"]).done().out;
    let time = shown.lines().nth(1).and_then(|line| line.split(' ').next());
    assert!(time.is_some_and(|time| time.ends_with("-05:00")), "{shown}");
    let user = machine.cli(&["user", "show", "alice"]).done().out;
    assert!(user.contains("-05:00"), "{user}");
    let count = |since: &str| {
        let found = machine.cli(&["audit", "list", "--json", "--since", since]);
        found.done().json().as_array().map(Vec::len)
    };
    assert_eq!(count(&minute), Some(0), "five hours later there");
    assert_eq!(count(&format!("{minute}:00Z")), Some(1));
}

#[test]
fn a_time_zone_that_the_machine_does_not_know_is_told_and_no_failure() {
    let machine = Machine::new().set("TZ", "Middle/Earth");
    machine.add_user("alice", &[]);
    let ran = machine.cli(&["audit", "list"]).done();
    assert!(
        ran.err.contains("Middle/Earth") && ran.err.contains("UTC"),
        "{}",
        ran.err
    );
}

#[test]
fn a_password_from_windows_is_taken_without_the_end_of_its_line() {
    let machine = Machine::new();
    for (name, input) in [
        ("alice", format!("{PASSWORD}\r\n")),
        ("bob", format!("{PASSWORD}\n")),
        ("carol", format!("\u{feff}{PASSWORD}\r\n")),
    ] {
        let add = ["user", "add", name, "--password-stdin"];
        machine.cli_given(&add, input.as_bytes()).done();
    }
    let _server = machine.start();
    for name in ["alice", "bob", "carol"] {
        machine.signed_in(name);
    }
}

#[test]
fn a_value_that_begins_with_a_hyphen_is_told_how_to_write() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    for (arguments, tip) in [
        (
            &["user", "set", "alice", "--display-name", "-x"][..],
            "'--display-name=-x'",
        ),
        (&["audit", "list", "--search", "--x"], "'--search=--x'"),
        (&["user", "show", "-x"], "'-- -x'"),
    ] {
        let err = machine.cli(arguments).misused();
        assert!(err.contains(tip), "{arguments:?}: {err}");
    }
    let flag = machine.cli(&["user", "list", "--json", "-x"]).misused();
    assert!(!flag.contains("--json=-x"), "{flag}");
    machine
        .cli(&["user", "set", "alice", "--display-name=-x"])
        .done();
}
