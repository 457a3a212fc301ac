//! Commands about users: what they say, and what the running server makes of them.

use serde_json::json;

use super::Machine;
use crate::support::PASSWORD;

fn with_admin() -> Machine {
    let machine = Machine::new();
    machine.add_user("owner", &["--admin"]);
    machine
}

#[test]
fn user_add_takes_everything_that_is_known_of_a_user() {
    let machine = Machine::new();
    machine.add_user(
        "Alice",
        &[
            "--email",
            "alice@example.com",
            "--display-name",
            "Alice Ä.",
            "--group",
            "family",
            "--group",
            "admins",
        ],
    );
    let user = machine
        .cli(&["user", "show", "alice", "--json"])
        .done()
        .json();
    let of = |key: &str| user[key].clone();
    assert_eq!(of("username"), "alice");
    assert_eq!(of("email"), "alice@example.com");
    assert_eq!(of("display_name"), "Alice Ä.");
    assert_eq!(of("groups"), json!(["admins", "family"]));
    assert_eq!(of("admin"), false);
    assert!(!user.to_string().contains("argon2"), "{user}");
}

#[test]
fn user_list_shows_all_as_a_table_and_as_json() {
    let machine = with_admin();
    machine.add_user("alice", &["--group", "family"]);
    let out = machine.cli(&["user", "list"]).done().out;
    let cells = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let lines: Vec<Vec<String>> = out.lines().map(cells).collect();
    assert_eq!(
        lines,
        [
            vec!["NAME", "DISPLAY", "NAME", "EMAIL", "STATE", "GROUPS"],
            vec!["alice", "user", "family"],
            vec!["owner", "admin"]
        ]
    );
    let users = machine.cli(&["user", "list", "--json"]).done().json();
    assert_eq!(
        (&users[0]["username"], &users[1]["username"]),
        (&json!("alice"), &json!("owner"))
    );
}

#[test]
fn password_stdin_drops_one_trailing_newline_and_no_other_byte() {
    let machine = Machine::new();
    let password = " two newlines, two spaces \n";
    let input = format!("{password}\n");
    machine
        .cli_given(
            &["user", "add", "alice", "--password-stdin"],
            input.as_bytes(),
        )
        .done();
    let _server = machine.start();
    assert_eq!(
        machine.anonymous().sign_in("alice", password.trim()).status,
        401
    );
    assert_eq!(machine.anonymous().sign_in("alice", password).status, 303);
}

#[test]
fn generate_prints_the_password_alone_and_it_is_good() {
    let machine = with_admin();
    let _server = machine.start();
    for command in [["user", "add"], ["user", "passwd"]] {
        let arguments = [&command[..], &["alice", "--generate"]].concat();
        let ran = machine.cli(&arguments).done();
        let password = ran.out.trim_end();
        assert_eq!(password.len(), 24, "{ran:?}");
        assert!(!ran.err.contains(password), "{ran:?}");
        assert_eq!(machine.anonymous().sign_in("alice", password).status, 303);
    }
}

#[test]
fn without_a_terminal_and_without_a_word_on_the_password_nothing_is_asked() {
    let machine = Machine::new();
    let err = machine.cli(&["user", "add", "alice"]).failed();
    assert!(err.contains("--password-stdin or --generate"), "{err}");
    assert!(machine.files().is_empty());
}

#[test]
fn what_is_wrong_with_a_user_is_said() {
    let machine = with_admin();
    let add = |name: &str, password: &str, options: &[&str]| {
        let arguments = [&["user", "add", name, "--password-stdin"], options].concat();
        machine.cli_given(&arguments, password.as_bytes()).failed()
    };
    assert!(add("owner", PASSWORD, &[]).contains("taken"));
    assert!(add("al ice", PASSWORD, &[]).contains("A user name is"));
    assert!(add("alice", PASSWORD, &["--group", "a,b"]).contains("A group name is"));
    assert!(add("alice", PASSWORD, &["--email", "alice"]).contains("An email address"));
    assert!(add("alice", "short", &[]).contains("15"));
    assert!(
        machine
            .cli_given(
                &["user", "add", "alice", "--password-stdin"],
                b"\xff\xfe not text at all"
            )
            .failed()
            .contains("UTF-8")
    );
    for command in ["show", "disable", "enable", "set"] {
        let err = machine.cli(&["user", command, "nobody"]).failed();
        assert!(
            err.contains("no such user") || err.contains("there is no user nobody"),
            "{command}: {err}"
        );
    }
    assert_eq!(machine.number("SELECT count(*) FROM users"), 1);
}

#[test]
fn more_groups_than_proxies_hand_on_are_refused_and_said() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    let names: Vec<String> = (0..64).map(|number| format!("{number:064}")).collect();
    let add = |names: &[String]| {
        let groups = names.iter().flat_map(|name| ["--add-group", name]);
        let arguments: Vec<&str> = ["user", "set", "alice"].into_iter().chain(groups).collect();
        machine.cli(&arguments)
    };
    add(&names[..63]).done();
    assert!(add(&names[63..]).failed().contains("4,096"));
    let new: Vec<&str> = ["user", "add", "bob", "--generate"]
        .into_iter()
        .chain(names.iter().flat_map(|name| ["--group", name]))
        .collect();
    assert!(machine.cli(&new).failed().contains("4,096"));
    assert_eq!(machine.number("SELECT count(*) FROM memberships"), 63);
    assert_eq!(machine.number("SELECT count(*) FROM users"), 1);
}

#[test]
fn the_last_admin_is_protected() {
    let machine = with_admin();
    for command in [
        &["disable", "owner"][..],
        &["delete", "owner", "--yes"],
        &["set", "owner", "--admin", "false"],
    ] {
        let err = machine.cli(&[&["user"], command].concat()).failed();
        assert!(err.contains("last admin"), "{command:?}: {err}");
    }
    machine.add_user("second", &["--admin"]);
    machine.cli(&["user", "delete", "owner", "--yes"]).done();
}

#[test]
fn delete_wants_a_yes() {
    let machine = with_admin();
    machine.add_user("alice", &[]);
    assert!(
        machine
            .cli(&["user", "delete", "alice"])
            .misused()
            .contains("--yes")
    );
    machine.cli(&["user", "show", "alice"]).done();
    machine.cli(&["user", "delete", "alice", "--yes"]).done();
    machine.cli(&["user", "show", "alice"]).failed();
}

#[test]
fn a_disabled_user_is_out_at_the_next_request_and_in_again_once_enabled() {
    let machine = with_admin();
    machine.add_user("alice", &[]);
    let _server = machine.start();
    let mut browser = machine.signed_in("alice");
    machine.cli(&["user", "disable", "alice"]).done();
    assert_eq!(browser.session().status, 401);
    assert_eq!(machine.anonymous().sign_in("alice", PASSWORD).status, 401);
    machine.cli(&["user", "enable", "alice"]).done();
    assert_eq!(
        browser.session().status,
        401,
        "an ended session stays ended"
    );
    machine.signed_in("alice");
}

#[test]
fn a_deleted_user_is_out_at_the_next_request() {
    let machine = with_admin();
    machine.add_user("alice", &[]);
    let _server = machine.start();
    let mut browser = machine.signed_in("alice");
    machine.cli(&["user", "delete", "alice", "--yes"]).done();
    assert_eq!(browser.session().status, 401);
    assert_eq!(machine.anonymous().sign_in("alice", PASSWORD).status, 401);
}

#[test]
fn sessions_of_a_deleted_user_are_still_among_all() {
    let machine = with_admin();
    machine.add_user("alice", &[]);
    let _server = machine.start();
    let id = machine.signed_in("alice").session_id();
    machine.cli(&["user", "delete", "alice", "--yes"]).done();
    let all = machine.cli(&["session", "list", "--all"]).done().out;
    let line = all.lines().find(|line| line.contains(&id)).expect("a line");
    assert!(line.contains("alice (deleted)"), "{line}");
    assert!(
        line.contains("user_deleted") && line.contains("by command line"),
        "{line}"
    );
    let live = machine.cli(&["session", "list"]).done().out;
    assert!(!live.contains(&id), "{live}");
}

#[test]
fn a_password_set_by_the_operator_ends_all_sessions() {
    let machine = with_admin();
    machine.add_user("alice", &[]);
    let _server = machine.start();
    let mut browser = machine.signed_in("alice");
    let new = "another horse, another battery";
    machine
        .cli_given(
            &["user", "passwd", "alice", "--password-stdin"],
            new.as_bytes(),
        )
        .done();
    assert_eq!(browser.session().status, 401);
    assert_eq!(machine.anonymous().sign_in("alice", PASSWORD).status, 401);
    assert_eq!(machine.anonymous().sign_in("alice", new).status, 303);
}

#[test]
fn what_is_set_of_a_user_is_told_at_the_next_request() {
    let machine = with_admin();
    machine.add_user("alice", &["--group", "old", "--admin"]);
    let _server = machine.start();
    let mut browser = machine.signed_in("alice");
    machine
        .cli(&[
            "user",
            "set",
            "alice",
            "--display-name",
            "Al",
            "--email",
            "al@example.com",
            "--remove-group",
            "old",
            "--admin",
            "false",
        ])
        .done();
    let user = browser.session().json()["user"].clone();
    assert_eq!(
        (&user["display_name"], &user["email"]),
        (&json!("Al"), &json!("al@example.com"))
    );
    assert_eq!(
        (&user["groups"], &user["admin"]),
        (&json!([]), &json!(false))
    );
    machine
        .cli(&["user", "set", "alice", "--add-group", "new"])
        .done();
    assert_eq!(
        browser.session().status,
        401,
        "a gained right asks for a new sign-in"
    );
    assert_eq!(
        machine.signed_in("alice").session().json()["user"]["groups"],
        json!(["new"])
    );
}

#[test]
fn a_name_may_have_joiners_between_visible_characters_and_nowhere_else() {
    let machine = with_admin();
    let set = |name: &str| machine.cli(&["user", "set", "owner", "--display-name", name]);
    for name in [
        "می\u{200c}خواهم",
        "क्\u{200d}ष",
        "👩\u{200d}👩\u{200d}👧",
        "山田　太郎",
    ] {
        set(name).done();
        let shown = machine.cli(&["user", "show", "owner", "--json"]).done();
        assert_eq!(shown.json()["display_name"], name);
    }
    for name in [
        "\u{200c}Ali",
        "Ali\u{200d}",
        "Ali\u{200d} ",
        "Ali \u{200d}Baba",
        "Ali\u{200c}\u{200c}Baba",
        "Ali\u{200b}Baba",
        "Ali\u{202e}Baba",
    ] {
        let err = set(name).failed();
        assert!(err.contains("invisible"), "{name:?}: {err}");
    }
}
