//! `vestibule import` and `vestibule export`.

use std::fmt::Write as _;
use std::fs;

use super::{Machine, Ran};
use crate::support::PASSWORD;

/// Hashes of everyone's password, made by passlib with few rounds.
const BCRYPT: &str = "$2y$05$YkehZCN1s3MTlwZrhMi5uuQJkouOEkYV0WOQY8kF18vrFUCA/Ua9S";
const SHA_CRYPT: &str = "$6$rounds=6000$PAn4c5UqAKZa1yUa$2l4EjRacrIEY.xEQCR7uAye8VGavoq9yZ1tZyF/1NCHWTSGQxdrZLcQ90ylq2DW8R5LSotjWVOrMkNTrXPhcO1";
pub const PBKDF2: &str = "$pbkdf2-sha512$3100$ByCkVIqREmLs/R8DAECIcQ$SMMfmzaFoOXTydX/ywVzeyNE7W86iwR1k6Cg/86c7DWQyywHdlGGvBuopNrVlA2vLqLLeC1YdtZjkcBlR9ITDQ";
const DJANGO: &str = "pbkdf2_sha256$2600$7zd4FXHm492i$YJhM4sgZ2UdDeNZ2cOhLEkZflhgWmR8FqWzoA/+anXs=";

pub fn import(machine: &Machine, kind: &str, text: &str, options: &[&str]) -> Ran {
    fs::write(machine.path("users"), text).expect("a file");
    machine.cli(&[&["import", kind, "users"], options].concat())
}

fn users(machine: &Machine) -> i64 {
    machine.number("SELECT count(*) FROM users")
}

#[test]
fn users_of_an_htpasswd_file_sign_in_with_their_passwords_whose_hashes_become_our_own() {
    let machine = Machine::new();
    let text = format!(
        "# staff\r\nAlice:{BCRYPT}\r\n\r\nbob:{SHA_CRYPT}\r\ncarol:{PBKDF2}\r\ndave:{DJANGO}\r\n"
    );
    let ran = import(&machine, "htpasswd", &text, &[]).done();
    assert!(ran.out.contains("Added 4 users."), "{}", ran.out);
    let mut server = machine.start();
    for name in ["alice", "bob", "carol", "dave"] {
        let mut browser = machine.anonymous();
        assert_eq!(
            browser.sign_in(name, "correct horse batterx").status,
            401,
            "{name}"
        );
        assert_eq!(browser.sign_in(name, PASSWORD).status, 303, "{name}");
    }
    server.stop();
    let own = "SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%' AND password_form = 'nfc'";
    assert_eq!(machine.number(own), 4);
}

#[test]
fn a_hash_that_cannot_be_verified_becomes_a_link_to_choose_a_password() {
    let machine = Machine::new();
    let text = format!(
        "alice:$apr1$KEw2Yb9n$mVUA1fqLGRTcWi5u2KJgk1\nbob:{{SHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\ncarol:{BCRYPT}\n"
    );
    let dry = import(&machine, "htpasswd", &text, &["--dry-run"]).done();
    assert!(
        dry.out.contains("3 users would be added") && !dry.out.contains("/reset/"),
        "{}",
        dry.out
    );
    assert_eq!(users(&machine), 0);
    let ran = import(&machine, "htpasswd", &text, &[]).done();
    let links: Vec<&str> = ran
        .out
        .split_whitespace()
        .filter(|word| word.contains("/reset/"))
        .collect();
    assert_eq!(links.len(), 2, "{}", ran.out);
    assert!(ran.out.starts_with("line 1: alice"), "{}", ran.out);
    let mut server = machine.start();
    let mut browser = machine.anonymous();
    assert_eq!(browser.sign_in("alice", PASSWORD).status, 401);
    let (_, link) = links[0].split_once("/reset/").expect("a link");
    let chosen = browser.post(
        &format!("/reset/{link}"),
        &[("new_password", "a lantern over wet cobblestones")],
    );
    assert_eq!(chosen.status, 200, "{}", chosen.body);
    assert_eq!(
        browser
            .sign_in("alice", "a lantern over wet cobblestones")
            .status,
        303
    );
    server.stop();
}

#[test]
fn a_hash_of_our_own_kind_that_is_cut_becomes_a_link_too() {
    let machine = Machine::new();
    let whole = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHQ";
    let cut = "$argon2id$v=19$m=19456,t=2,p=1";
    let text = format!(
        "whole:{whole}\ncut:{cut}\nodd:{}\n",
        whole.replace("v=19", "v=18")
    );
    let ran = import(&machine, "htpasswd", &text, &[]).done();
    let links = ran.out.matches("/reset/").count();
    assert_eq!(links, 2, "{}", ran.out);
    assert_eq!(
        machine.number("SELECT count(*) FROM users WHERE password_hash IS NULL"),
        2
    );
}

#[test]
fn no_hash_is_told_where_a_file_cannot_be_read() {
    let machine = Machine::new();
    let text = format!("users:\n  john:\n    password: '{BCRYPT}'\n   displayname: [\n");
    let told = import(&machine, "authelia", &text, &[]).failed();
    assert!(!told.contains("$2y$"), "{told}");
    let text = format!("{{\"username\": \"alice\", \"groups\": \"{BCRYPT}\"}}\n");
    let told = import(&machine, "json", &text, &[]).failed();
    assert!(!told.contains("$2y$"), "{told}");
}

#[test]
fn imp_01_one_broken_line_of_a_hundred_thousand_and_nobody_is_added() {
    let machine = Machine::new();
    let mut text = "username,email,groups,password_hash\n".to_owned();
    for number in 2..=100_000 {
        let name = if number == 99_999 { "no name" } else { "user" };
        writeln!(
            text,
            "{name}{number},user{number}@example.com,staff,{BCRYPT}"
        )
        .expect("a text");
    }
    let told = import(&machine, "csv", &text, &[]).failed();
    assert!(told.contains("users:99999: A user name"), "{told}");
    assert!(told.contains("nothing was imported"), "{told}");
    assert_eq!(users(&machine), 0);
}

#[test]
fn imp_01_each_line_that_is_wrong_is_named() {
    let machine = Machine::new();
    machine.add_user("root", &["--admin"]);
    let text = "username,email,disabled\nalice,alice@example.com,\nALICE,,\nroot,,\nbob,no address,\ncarol,,perhaps\nroot,nowhere,perhaps\n,,\nshort\n";
    let told = import(&machine, "csv", text, &[]).failed();
    let lines: Vec<&str> = told
        .lines()
        .filter_map(|line| Some(line.split_once("users:")?.1))
        .collect();
    // What cannot be read and what cannot be added, at once.
    for (line, start) in lines.iter().zip([
        "3: alice: is on line 2, too",
        "4: root: That user name is taken.",
        "5: bob: An email address",
        "6: carol: disabled is true or false",
        "7: root: disabled is true or false",
        "7: root: An email address",
        "7: root: is on line 4, too",
        "8: A user name",
        "9: has 1 field, and the first line names 3 columns",
    ]) {
        assert!(line.starts_with(start), "{start}: {told}");
    }
    assert_eq!(lines.len(), 9, "{told}");
    assert_eq!(users(&machine), 1);
}

#[test]
fn a_name_that_is_taken_is_told_beside_what_cannot_be_read_of_other_files() {
    let machine = Machine::new();
    machine.add_user("root", &["--admin"]);
    let taken = "root: That user name is taken.";
    for (kind, text, read) in [
        (
            "htpasswd",
            format!("nobody\nroot:{BCRYPT}\n"),
            "users:1: there is no :",
        ),
        (
            "json",
            "{\"username\": \"root\"}\n{\"username\": \"alice\", \"groups\": 1}\n".to_owned(),
            "users:2: alice: is no user as",
        ),
        (
            "authelia",
            format!("users:\n  root:\n    password: '{BCRYPT}'\n    groups: {{}}\n"),
            "users:2: root: groups is a list of texts",
        ),
    ] {
        let told = import(&machine, kind, &text, &[]).failed();
        assert!(told.contains(taken), "{kind}: {told}");
        assert!(told.contains(read), "{kind}: {told}");
        assert!(!told.contains("$2y"), "{kind}: {told}");
    }
    assert_eq!(users(&machine), 1);
}

#[test]
fn a_line_of_a_table_is_told_as_an_editor_counts_it() {
    let machine = Machine::new();
    for end in ["\n", "\r\n"] {
        let lines = [
            "",
            "username,email,display_name",
            "opal,x@example.com,",
            "",
            "",
            "ruby,,\"two",
            "lines\"",
            "Bad N,,",
            "",
            "worse!,,",
        ];
        let told = import(&machine, "csv", &lines.join(end), &[]).failed();
        for line in [
            "users:6: ruby: A name is",
            "users:8: A user name",
            "users:10: A user name",
        ] {
            assert!(told.contains(line), "{end:?} {line}: {told}");
        }
        assert_eq!(told.matches("users:").count(), 3, "{end:?}: {told}");
    }
}

#[test]
fn what_is_wrong_with_a_table_is_told_without_a_word_of_it() {
    let machine = Machine::new();
    for (text, said) in [
        (
            format!("username,password_hash\nalice,{BCRYPT},more\n"),
            "users:2: has 3 fields, and the first line names 2 columns",
        ),
        (
            format!("{BCRYPT},alice\n"),
            "users:1: column 1 is named none of username, email,",
        ),
        (
            "username,email,email\nalice,a@example.com,b@example.com\n".to_owned(),
            "users:1: more than one column is named email",
        ),
        (
            format!("username,password_hash\n{BCRYPT},alice\n"),
            "users:2: A user name is",
        ),
        (
            format!("username,password_hash\nalice,\"{BCRYPT}\nbob,\n"),
            "users:2: alice: password_hash has more than one line",
        ),
        (
            format!("username,disabled\nalice,{BCRYPT}\n"),
            "users:2: alice: disabled is true or false",
        ),
    ] {
        let ran = import(&machine, "csv", &text, &[]);
        let told = ran.failed();
        assert!(told.contains(said), "{text}: {told}");
        assert!(!told.contains("$2y"), "{told}");
        assert!(!told.contains("CSV"), "{told}");
    }
    let spaced = "username, email\nalice,alice@example.com\n";
    import(&machine, "csv", spaced, &[]).done();
}

#[test]
fn only_who_brings_hashes_of_other_programs_is_told_to_restart() {
    let machine = Machine::new();
    let is_told = |ran: Ran| ran.done().err.contains("Restart the server");
    let here = Machine::new();
    here.add_user("root", &["--admin"]);
    let own = here.cli(&["export", "users"]).done().out;
    let md5 = "alice:$apr1$KEw2Yb9n$mVUA1fqLGRTcWi5u2KJgk1\n";
    assert!(!is_told(import(&machine, "htpasswd", md5, &[])));
    assert!(!is_told(import(&machine, "json", &own, &[])));
    assert!(!is_told(import(&machine, "csv", "username\ncarol\n", &[])));
    let text = format!("dave:{BCRYPT}\n");
    assert!(!is_told(import(
        &machine,
        "htpasswd",
        &text,
        &["--dry-run"]
    )));
    let ran = import(&machine, "htpasswd", &text, &[]);
    assert!(ran.out.contains("Added 1 user."), "{}", ran.out);
    assert!(is_told(ran));
    let dear = "erin:$argon2id$v=19$m=65536,t=9,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHQ\n";
    assert!(is_told(import(&machine, "htpasswd", dear, &[])));
}

#[test]
fn a_file_that_is_no_such_list_is_refused_and_nothing_is_made() {
    let machine = Machine::new();
    for (kind, text, said) in [
        ("htpasswd", "", "there is no user in it"),
        ("htpasswd", "alice\n", "users:1: there is no :"),
        ("csv", "name,hash\n", "column 1 is named none of"),
        ("csv", "email\n", "username among them"),
        ("csv", "", "username among them"),
        ("csv", "username,email\nalice\n", "users:2:"),
        ("json", "\n{\"user\": 1}\n", "users:2: is no user as"),
        ("authelia", "users: [1, 2]\n", "users:1: names belong here"),
        ("authelia", "people: 1\n", "there is no user in it"),
        (
            "authelia",
            "users:\n  alice:\n\temail: x\n",
            "users:3: is no YAML: a tab",
        ),
        (
            "authelia",
            "users:\n  alice: {}\n  alice: {}\n",
            "users:3: this name is there twice",
        ),
    ] {
        let told = import(&machine, kind, text, &[]).failed();
        assert!(told.contains(said), "{kind} {text}: {told}");
    }
    fs::write(machine.path("latin"), b"al\xefce:x\n").expect("a file");
    machine.cli(&["import", "htpasswd", "latin"]).failed();
    machine.cli(&["import", "htpasswd", "nowhere"]).failed();
    assert!(!machine.path("vestibule.db").exists());
}

#[test]
fn users_of_authelia_bring_names_addresses_and_groups() {
    let machine = Machine::new();
    let text = format!(
        "\u{feff}---\nusers:\n  john:\n    disabled: false\n    displayname: 'John Doe'\n    password: '{PBKDF2}'\n    email: 'john@example.com'\n    groups:\n      - 'admins'\n      - 'dev'\n  jane:\n    disabled: true\n    displayname: 'Jane'\n    password: '{BCRYPT}'\n    given_name: 'Jane'\n"
    );
    import(&machine, "authelia", &text, &[]).done();
    let john = machine
        .cli(&["user", "show", "john", "--json"])
        .done()
        .json();
    assert_eq!(john["display_name"], "John Doe");
    assert_eq!(john["email"], "john@example.com");
    assert_eq!(john["groups"], serde_json::json!(["admins", "dev"]));
    assert_eq!(john["admin"], false, "a group of that name makes no admin");
    assert_eq!(
        machine.number("SELECT count(*) FROM users WHERE disabled_at IS NOT NULL"),
        1
    );
}

#[test]
fn a_table_may_begin_with_a_byte_order_mark_and_end_its_lines_as_windows_does() {
    let machine = Machine::new();
    let text = "\u{feff}username,email\r\nalice,alice@example.com\r\n\"bob\",\r\n";
    import(&machine, "csv", text, &[]).done();
    assert_eq!(users(&machine), 2);
}

#[test]
fn two_users_with_one_confirmed_address_are_refused_by_line() {
    let machine = Machine::new();
    let text =
        "username,email,email_verified\nalice,one@example.com,true\nbob,One@example.com,true\n";
    let told = import(&machine, "csv", text, &["--trust"]).failed();
    assert!(told.contains("users:3: bob: That address"), "{told}");
    assert_eq!(users(&machine), 0);
}

#[test]
fn atk_24_rights_and_confirmed_addresses_are_taken_with_trust_alone() {
    let text = format!(
        "username,email,admin,email_verified,password_hash\nalice,alice@example.com,true,true,{BCRYPT}\n"
    );
    let rights = "SELECT admin + email_verified FROM users";
    let wary = Machine::new();
    let ran = import(&wary, "csv", &text, &[]).done();
    assert!(ran.err.contains("--trust"), "{}", ran.err);
    assert_eq!(wary.number(rights), 0);
    let trusting = Machine::new();
    import(&trusting, "csv", &text, &["--trust"]).done();
    assert_eq!(trusting.number(rights), 2);
}

#[test]
fn what_is_exported_is_the_same_once_it_is_imported_elsewhere() {
    let here = Machine::new();
    here.add_user("root", &["--admin", "--email", "root@example.com"]);
    here.cli(&[
        "user",
        "set",
        "root",
        "--email-verified",
        "true",
        "--add-group",
        "staff",
    ])
    .done();
    import(&here, "htpasswd", &format!("alice:{BCRYPT}\n"), &[]).done();
    here.cli(&["user", "disable", "alice"]).done();
    let exported = here.cli(&["export", "users"]).done().out;
    assert_eq!(exported.lines().count(), 2);
    let recorded = "SELECT count(*) FROM audit WHERE event = 'user_export' AND detail = '2 users'";
    assert_eq!(here.number(recorded), 1);
    let there = Machine::new();
    import(&there, "json", &exported, &["--trust"]).done();
    let again = there.cli(&["export", "users"]).done().out;
    assert_eq!(again, exported);
    let _server = there.start();
    assert_eq!(there.anonymous().sign_in("root", PASSWORD).status, 303);
    assert_eq!(
        there.anonymous().sign_in("alice", PASSWORD).status,
        401,
        "disabled"
    );
}

#[test]
fn many_addresses_are_said_to_be_confirmed_at_once_and_what_is_anothers_is_left() {
    let machine = Machine::new();
    let text = "username,email\nalice,alice@example.com\nbob,bob@example.com\nbob2,bob@example.com\ncarol,\n";
    import(&machine, "csv", text, &[]).done();
    let all = ["user", "set", "--all", "--email-verified", "true"];
    let told = machine.cli(&all).failed();
    assert!(told.contains("bob2 is as before: That address"), "{told}");
    let verified = "SELECT count(*) FROM users WHERE email_verified";
    assert_eq!(machine.number(verified), 2);
    machine.cli(&["user", "set", "--all"]).misused();
    machine
        .cli(&["user", "set", "alice", "--all", "--email-verified", "true"])
        .misused();
    machine
        .cli(&["user", "set", "--email-verified", "true"])
        .misused();
}
