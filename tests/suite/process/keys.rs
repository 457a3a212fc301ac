//! The key that secrets are sealed with: made once, refused when it is wrong, changed without a pause.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use vestibule::Clock;

use super::{Machine, program};
use crate::support::{Authenticator, PASSWORD};

fn key_text(machine: &Machine) -> String {
    fs::read_to_string(machine.path("vestibule.key")).expect("a key file")
}

/// A machine on which a server has run once.
fn used() -> Machine {
    let machine = Machine::new();
    machine.start().stop();
    machine
}

#[test]
fn the_first_start_makes_a_key_for_the_owner_alone_and_later_ones_keep_it() {
    let machine = used();
    let first = key_text(&machine);
    let mode = fs::metadata(machine.path("vestibule.key"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    machine.start().stop();
    assert_eq!(key_text(&machine), first);
}

#[test]
fn sec_03_no_two_machines_have_one_key() {
    assert_ne!(key_text(&used()), key_text(&used()));
}

#[test]
fn sec_03_no_file_of_the_repository_is_a_key() {
    let is_kept = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        ![".git", "target", "node_modules"]
            .iter()
            .any(|other| name == **other)
    };
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
    let mut looked_at = 0;
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).expect("a folder");
        for entry in entries
            .map(|entry| entry.expect("an entry"))
            .filter(is_kept)
        {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).expect("a file");
            let text = String::from_utf8_lossy(&bytes);
            let first = STANDARD.decode(text.lines().next().unwrap_or_default().trim());
            let is_key = first.is_ok_and(|bytes| bytes.len() == 32);
            let is_pem = text.starts_with("-----BEGIN") && text.contains("PRIVATE KEY");
            assert!(!is_key && !is_pem, "{}", path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 500, "{looked_at} files");
}

/// There is no pepper: what hashes a password is in its hash.
#[test]
fn pwd_09_a_password_outlives_the_key() {
    let machine = Machine::new();
    let server = machine.start();
    machine.add_user("alice", &[]);
    let ran = machine.cli(&["key", "rotate"]).done();
    let old = id_after(&ran.err, "key forget ");
    machine.cli(&["key", "forget", &old]).done();
    drop(server);
    let _server = machine.start();
    assert_eq!(machine.signed_in("alice").get("/account").status, 200);
}

#[test]
fn key_01_a_wrong_or_missing_key_stops_the_start_with_a_sentence_and_changes_nothing() {
    let machine = used();
    let good = key_text(&machine);
    let other = STANDARD.encode([7_u8, 1, 2, 3].repeat(8));
    let short = STANDARD.encode((0..31).collect::<Vec<u8>>());
    let zero = STANDARD.encode([0; 32]);
    for (text, said) in [
        (other.as_str(), "lacks the key"),
        (&zero, "anybody guesses"),
        (&short, "32 bytes in base64"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("password", "32 bytes in base64"),
    ] {
        machine.write_key(text.as_bytes());
        let before = machine.number("SELECT count(*) FROM secret_keys");
        let told = machine.refuses_to_start();
        assert!(
            told.contains(said) && told.contains("vestibule.key"),
            "{text}: {told}"
        );
        assert!(!told.contains(&other), "the key is not in it: {told}");
        assert_eq!(machine.number("SELECT count(*) FROM secret_keys"), before);
        assert_eq!(key_text(&machine), text);
    }
    fs::remove_file(machine.path("vestibule.key")).expect("a file");
    let told = machine.refuses_to_start();
    assert!(
        told.contains("is missing") && told.contains("put it back"),
        "{told}"
    );
    assert!(!machine.path("vestibule.key").exists());
    machine.write_key(good.as_bytes());
    machine.start().stop();
}

#[test]
fn key_01_a_key_that_others_can_read_is_refused() {
    let machine = used();
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(machine.path("vestibule.key"), open).expect("a mode");
    let told = machine.refuses_to_start();
    assert!(told.contains("others can read it"), "{told}");
}

#[test]
fn a_key_comes_from_the_environment_and_from_no_settings_file() {
    let key = STANDARD.encode((0..32).collect::<Vec<u8>>());
    let machine = Machine::new().set("VESTIBULE_SECRETS__KEY", &key);
    machine.start().stop();
    assert!(!machine.path("vestibule.key").exists());
    let shown = machine.cli(&["config", "show"]).done().out;
    assert!(!shown.contains(&key), "{shown}");
    let machine = Machine::with_file(&format!("[default.vestibule]\nsecrets.key = \"{key}\"\n"));
    let told = machine.refuses_to_start();
    assert!(
        told.contains("VESTIBULE_SECRETS__KEY") && !told.contains(&key),
        "{told}"
    );
}

#[test]
fn a_backup_says_that_the_key_is_not_in_it() {
    let machine = used();
    let ran = machine.cli(&["db", "backup", "copy.db"]).done();
    assert!(ran.err.contains("vestibule.key"), "{}", ran.err);
}

#[test]
fn a_key_that_is_lost_is_given_up_and_nobody_signs_in_with_less_than_before() {
    let machine = Machine::new();
    let server = machine.start();
    machine.add_user("alice", &[]);
    let mut alice = machine.signed_in("alice");
    let app = Authenticator::of_page(&alice.get("/account/totp"));
    let set_up = alice.post("/account/totp", &[("code", &app.code_at(now() - 30))]);
    let recovery_code = set_up.elements("<li><code>", "</code>").remove(0);
    drop(server);
    let other = STANDARD.encode([7_u8, 1, 2, 3].repeat(8));
    machine.write_key(other.as_bytes());
    let told = machine.refuses_to_start();
    let lost = id_after(&told, "key forget ");
    machine.cli(&["key", "forget", &lost, "--lost"]).done();
    let _server = machine.start();
    let mut browser = machine.anonymous();
    assert_eq!(
        browser.sign_in("alice", PASSWORD).header("location"),
        "/login/code"
    );
    let by_code = browser.post("/login/code", &[("code", &app.code_at(now()))]);
    assert_eq!(by_code.status, 500, "its secret is lost");
    let by_recovery = browser.post("/login/code", &[("recovery_code", &recovery_code)]);
    assert_eq!(by_recovery.status, 303, "{}", by_recovery.body);
}

/// The id that `key rotate` names after `word`.
fn id_after(text: &str, word: &str) -> String {
    let (_, rest) = text.split_once(word).unwrap_or_else(|| panic!("{text}"));
    rest.split_whitespace()
        .next()
        .expect("an id")
        .trim_end_matches('.')
        .to_owned()
}

#[test]
fn a_key_is_changed_while_the_server_runs_and_the_old_one_is_forgotten_later() {
    let machine = Machine::new();
    let _server = machine.start();
    let first = key_text(&machine);
    let ran = machine.cli(&["key", "rotate"]).done();
    let old = id_after(&ran.err, "key forget ");
    let both = key_text(&machine);
    assert_eq!(both.lines().count(), 2);
    assert!(
        both.ends_with(&first),
        "the old one stays, after the new one"
    );
    let new = id_after(&ran.err, "with the key ");
    let in_use = machine.cli(&["key", "forget", &new]).failed();
    assert!(in_use.contains("key rotate"), "{in_use}");
    let unknown = machine.cli(&["key", "forget", "00000000"]).failed();
    assert!(unknown.contains("no key 00000000"), "{unknown}");
    let ran = machine.cli(&["key", "forget", &old]).done();
    assert!(ran.err.contains("backups from before"), "{}", ran.err);
    assert_eq!(key_text(&machine).lines().count(), 1);
    let trail = machine.cli(&["audit", "list"]).done().out;
    assert!(
        trail.contains("key_rotate") && trail.contains("key_forget"),
        "{trail}"
    );
    assert!(!trail.contains(first.trim()));
}

#[test]
fn key_03_atk_21_a_kill_while_the_key_is_changed_leaves_every_secret_readable() {
    let machine = Machine::new();
    let _server = machine.start();
    machine.add_user("alice", &[]);
    let mut alice = machine.signed_in("alice");
    let app = Authenticator::of_page(&alice.get("/account/totp"));
    let set_up = alice.post("/account/totp", &[("code", &app.code_at(now() - 30))]);
    assert_eq!(set_up.status, 200, "{}", set_up.body);
    for step in 0..KILLS {
        let mut command = machine.command(program());
        command.args(["key", "rotate"]);
        let mut child = command.spawn().expect("the program");
        // Each a little later than the one before, over all that the command does.
        std::thread::sleep(Duration::from_micros(500 * step));
        child.kill().expect("a kill");
        child.wait().expect("an end");
        // Whatever seals now is in the file, and the proof of each key opens.
        let sealing = machine.number("SELECT count(*) FROM secret_keys WHERE retired_at IS NULL");
        assert_eq!(sealing, 1, "step {step}");
        if step % 10 == 0 {
            machine.cli(&["key", "rotate"]).done();
        }
    }
    let proven = alice.post("/reauthenticate", &[("code", &app.code_at(now()))]);
    assert_eq!(proven.status, 303, "{}", proven.body);
    assert!(key_text(&machine).lines().count() > 1);
}

/// Kills of a command that takes some 30 ms.
const KILLS: u64 = 100;

fn now() -> i64 {
    Clock::system().now().unix_micros() / 1_000_000
}
