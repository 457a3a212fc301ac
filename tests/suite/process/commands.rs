//! The command line as a whole: help, exit codes, sessions, the audit trail.

use std::fs;

use super::Machine;
use crate::support::PASSWORD;

/// Every command that there is.
const COMMANDS: &[&str] = &[
    "",
    "serve",
    "user add",
    "user list",
    "user show",
    "user passwd",
    "user set",
    "user disable",
    "user enable",
    "user delete",
    "user reset-factors",
    "mail test",
    "user reset-link",
    "user enrolment-code",
    "key rotate",
    "key forget",
    "client add",
    "client list",
    "client show",
    "client set",
    "client rotate-secret",
    "client remove",
    "import htpasswd",
    "import csv",
    "import authelia",
    "import authelia-clients",
    "import json",
    "export users",
    "invite",
    "invitations",
    "invitations list",
    "invitations revoke",
    "session list",
    "session revoke",
    "audit list",
    "site add",
    "site set",
    "site list",
    "site remove",
    "rule add",
    "rule list",
    "rule remove",
    "token add",
    "token list",
    "token revoke",
    "explain",
    "doctor",
    "setup link",
    "db migrate",
    "db status",
    "db check",
    "db copy",
    "db grants",
    "db backup",
    "db restore",
    "config show",
    "config check",
    "completions",
];

#[test]
fn the_help_of_every_command_has_an_example() {
    let machine = Machine::new();
    for command in COMMANDS {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let help = machine.cli(&arguments).done().out;
        let example = help.lines().find_map(|line| line.strip_prefix("Example: "));
        let example = example.unwrap_or_else(|| panic!("{command}: {help}"));
        assert!(
            example.starts_with("vestibule ") && example.contains(command),
            "{example}"
        );
    }
    assert!(machine.files().is_empty());
}

#[test]
fn the_list_of_commands_here_is_whole() {
    let machine = Machine::new();
    for group in [
        "", "user", "session", "audit", "key", "mail", "setup", "db", "config",
    ] {
        let mut arguments: Vec<&str> = group.split_whitespace().collect();
        arguments.push("--help");
        let help = machine.cli(&arguments).done().out;
        let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
        for line in list.lines().take_while(|line| !line.is_empty()) {
            let name = line.split_whitespace().next().expect("a name");
            let command = format!("{group} {name}");
            let known = COMMANDS
                .iter()
                .any(|known| known.starts_with(command.trim()));
            assert!(known || name == "help", "{command}");
        }
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    let machine = Machine::new();
    for (arguments, word) in [
        (&["nonsense"][..], "nonsense"),
        (&["user"], "Usage"),
        (&["user", "list", "--nonsense"], "--nonsense"),
        (&["user", "set", "alice", "--admin", "perhaps"], "perhaps"),
        (
            &["user", "add", "alice", "--generate", "--password-stdin"],
            "--password-stdin",
        ),
        (&["session", "revoke"], "--everyone"),
        (
            &["session", "revoke", "--user", "alice", "--everyone"],
            "--everyone",
        ),
        (&["session", "revoke", "no-uuid"], "no-uuid"),
        (&["audit", "list", "--event", "nonsense"], "sign_in"),
        (&["audit", "list", "--since", "yesterday"], "yesterday"),
        (&["db", "backup"], "FILE"),
        (&["completions", "nonsense"], "bash"),
    ] {
        let err = machine.cli(arguments).misused();
        assert!(err.contains(word), "{arguments:?}: {err}");
    }
    assert!(machine.files().is_empty());
}

#[test]
fn completions_are_printed_for_each_shell() {
    let machine = Machine::new();
    for shell in ["bash", "zsh", "fish"] {
        let out = machine.cli(&["completions", shell]).done().out;
        assert!(
            out.contains("vestibule") && out.contains("revoke"),
            "{shell}"
        );
    }
}

#[test]
fn the_first_command_makes_the_database_where_database_says() {
    let machine = Machine::new();
    let ran = machine
        .cli(&["--database", "sqlite:other.db", "user", "list"])
        .done();
    assert!(
        ran.out.contains("no users yet") && ran.out.contains("user add"),
        "{}",
        ran.out
    );
    assert_eq!(
        machine
            .files()
            .iter()
            .filter(|name| name.ends_with(".db"))
            .collect::<Vec<_>>(),
        ["other.db"]
    );
    assert_eq!(
        machine
            .cli(&["--database", "sqlite:other.db", "user", "list", "--json"])
            .done()
            .json(),
        serde_json::json!([])
    );
}

#[test]
fn sessions_are_listed_by_their_ids_and_without_their_secrets() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    machine.add_user("bob", &[]);
    let _server = machine.start();
    let (mut alice, mut bob) = (machine.signed_in("alice"), machine.signed_in("bob"));
    let (id, other) = (alice.session_id(), bob.session_id());
    let out = machine.cli(&["session", "list"]).done().out;
    assert!(
        out.starts_with("ID ") && out.contains(&id) && out.contains(&other),
        "{out}"
    );
    let json = machine
        .cli(&["session", "list", "--user", "alice", "--json"])
        .done();
    assert_eq!(json.json().as_array().map(Vec::len), Some(1));
    assert_eq!(json.json()[0]["id"], id);
    for shown in [&out, &json.out] {
        assert!(
            !shown.contains(alice.token()) && !shown.contains("token_hash"),
            "{shown}"
        );
    }
}

#[test]
fn ended_sessions_are_listed_with_all_alone() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    let _server = machine.start();
    let mut browser = machine.signed_in("alice");
    let id = browser.session_id();
    browser.post("/logout", &[]);
    assert!(
        machine
            .cli(&["session", "list"])
            .done()
            .out
            .contains("no such sessions")
    );
    let out = machine.cli(&["session", "list", "--all"]).done().out;
    assert!(out.contains(&id) && out.contains("signed_out"), "{out}");
}

#[test]
fn a_session_revoked_by_its_id_is_dead_at_the_next_request_and_the_others_live() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    let _server = machine.start();
    let (mut first, mut second) = (machine.signed_in("alice"), machine.signed_in("alice"));
    let id = first.session_id();
    machine.cli(&["session", "revoke", &id]).done();
    assert_eq!(
        (first.session().status, second.session().status),
        (401, 200)
    );
    let err = machine.cli(&["session", "revoke", &id]);
    assert_eq!(err.code, 1);
    assert!(
        err.err
            .contains(&format!("no live session has the id {id}")),
        "{}",
        err.err
    );
}

#[test]
fn all_sessions_of_a_user_and_all_there_are_can_be_revoked() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    machine.add_user("bob", &[]);
    let _server = machine.start();
    let (mut first, mut second) = (machine.signed_in("alice"), machine.signed_in("alice"));
    let mut bob = machine.signed_in("bob");
    machine
        .cli(&["session", "revoke", "--user", "alice"])
        .done();
    assert_eq!(
        (first.session().status, second.session().status),
        (401, 401)
    );
    assert_eq!(bob.session().status, 200);
    machine.cli(&["session", "revoke", "--everyone"]).done();
    assert_eq!(bob.session().status, 401);
    assert!(
        machine
            .cli(&["session", "revoke", "--user", "nobody"])
            .failed()
            .contains("there is no user nobody")
    );
}

#[test]
fn adm_07_commands_write_the_same_audit_records_as_pages() {
    let machine = Machine::new();
    machine.add_user("owner", &["--admin"]);
    machine.add_user("alice", &[]);
    let _server = machine.start();
    machine.signed_in("alice");
    for command in [
        &["session", "revoke", "--user", "alice"][..],
        &["user", "set", "alice", "--add-group", "family"],
        &["user", "passwd", "alice", "--generate"],
        &["user", "disable", "alice"],
        &["user", "enable", "alice"],
        &["user", "delete", "alice", "--yes"],
    ] {
        machine.cli(command).done();
    }
    let entries = machine
        .cli(&["audit", "list", "--user", "alice", "--json"])
        .done()
        .json();
    let told: Vec<String> = entries
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| {
            format!(
                "{} {} {} {}",
                entry["event"], entry["result"], entry["source"], entry["actor"]
            )
            .replace('"', "")
        })
        .collect();
    assert_eq!(
        told,
        [
            "user_delete ok cli command line",
            "user_enable ok cli command line",
            "user_disable ok cli command line",
            "password_set ok cli command line",
            "user_change ok cli command line",
            "session_revoke ok cli command line",
            "sign_in ok web alice",
            "user_create ok cli command line",
        ]
    );
}

#[test]
fn audit_list_filters_by_user_event_time_and_number() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    machine.add_user("bob", &[]);
    let _server = machine.start();
    machine.signed_in("alice");
    machine.anonymous().sign_in("bob", "not the password");
    let count = |options: &[&str]| {
        let arguments = [&["audit", "list", "--json"], options].concat();
        machine
            .cli(&arguments)
            .done()
            .json()
            .as_array()
            .map(Vec::len)
            .expect("a list")
    };
    assert_eq!(count(&[]), 4);
    assert_eq!(count(&["--user", "ALICE"]), 2);
    assert_eq!(count(&["--event", "sign_in"]), 2);
    assert_eq!(count(&["--event", "sign_in", "--user", "bob"]), 1);
    assert_eq!(count(&["--since", "2999-01-01T00:00:00Z"]), 0);
    assert_eq!(count(&["--since", "2000-01-01T00:00:00+02:00"]), 4);
    assert_eq!(count(&["--limit", "3"]), 3);
    let out = machine
        .cli(&["audit", "list", "--event", "sign_in"])
        .done()
        .out;
    assert!(
        out.starts_with("TIME") && out.contains("refused") && out.contains("127.0.0.1"),
        "{out}"
    );
}

#[test]
fn a_list_whose_reader_has_left_is_no_failure() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    let mut command = machine.command("/bin/sh");
    command.args([
        "-c",
        "\"$0\" user list | :; \"$0\" user list >&- && echo done",
        super::program(),
    ]);
    assert_eq!(super::Ran::to_its_end(command, b"").done().out, "done\n");
}

#[test]
fn log_09_the_password_is_in_no_log_no_database_and_no_address() {
    let machine = Machine::new().set("VESTIBULE_LOG_LEVEL", "trace");
    let canary = "canary in the coal mine";
    machine
        .cli_given(
            &["user", "add", "alice", "--password-stdin"],
            canary.as_bytes(),
        )
        .done();
    let mut server = machine.start();
    let mut browser = machine.anonymous();
    let answer = browser.get("/login?username=alice&password=canary%20in%20the%20coal%20mine");
    assert_eq!(
        (answer.status, browser.token()),
        (200, ""),
        "an address signs nobody in"
    );
    assert!(!answer.body.contains(canary));
    for _ in 0..100 {
        let answer = machine.anonymous().sign_in("alice", canary);
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/account")
        );
    }
    machine.anonymous().sign_in(canary, PASSWORD);
    server.stop();
    let written = machine
        .files()
        .into_iter()
        .map(|name| fs::read(machine.path(&name)).expect("a file"));
    let texts = written.chain([server.out().into_bytes(), server.err().into_bytes()]);
    for text in texts {
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains("canary") && !text.contains("coal mine"));
    }
    assert!(
        server.err().matches("sign_in").count() >= 100,
        "there is a log to look through"
    );
}
