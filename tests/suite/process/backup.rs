//! Backups are taken while the server writes, and put back while it is stopped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::database::{make_newer, other_database};
use super::faults::failing;
use super::{Browser, Machine, Ran};

fn with_user() -> Machine {
    let machine = Machine::new().set("VESTIBULE_SESSIONS__MAX_PER_USER", "1000");
    machine.add_user("alice", &[]);
    machine
}

/// Puts a copy that was taken elsewhere into the place of this machine's database.
/// From a backup, and the key that is kept apart from it.
fn restore(machine: &Machine, from: &Machine) {
    let copy = from.path("copy.db");
    fs::copy(from.path("vestibule.key"), machine.path("vestibule.key")).expect("a key");
    machine
        .cli(&["db", "restore", &copy.to_string_lossy()])
        .done();
}

#[test]
fn flt_09_a_backup_has_every_session_acknowledged_before_it_began() {
    let machine = with_user();
    let _server = machine.start();
    let ended = AtomicBool::new(false);
    let mut browsers: Vec<Browser> = (0..3).map(|_| machine.signed_in("alice")).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                machine.signed_in("alice");
            }
        });
        browsers.extend((0..3).map(|_| machine.signed_in("alice")));
        machine.cli(&["db", "backup", "copy.db"]).done();
        ended.store(true, Ordering::Relaxed);
    });
    let elsewhere = Machine::new();
    restore(&elsewhere, &machine);
    assert!(
        elsewhere
            .cli(&["db", "check"])
            .done()
            .out
            .contains("is sound")
    );
    let _server = elsewhere.start();
    for browser in &mut browsers {
        let id = browser.session_id();
        browser.port = elsewhere.port;
        browser.host = format!("localhost:{}", elsewhere.port);
        assert_eq!(browser.session_id(), id);
    }
}

#[test]
fn a_backup_is_the_owners_alone() {
    let machine = with_user();
    machine.cli(&["db", "backup", "copy.db"]).done();
    let mode = fs::metadata(machine.path("copy.db"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_backup_never_replaces_a_file() {
    let machine = with_user();
    fs::write(machine.path("copy.db"), "precious").expect("a file");
    let err = machine.cli(&["db", "backup", "copy.db"]).failed();
    assert!(err.contains("copy.db: is there already"), "{err}");
    assert_eq!(
        fs::read(machine.path("copy.db")).expect("a file"),
        b"precious"
    );
}

#[test]
fn a_backup_that_cannot_be_written_leaves_nothing_behind() {
    let machine = with_user();
    let before = lasting_files(&machine);
    let err = machine.cli(&["db", "backup", "no/such/copy.db"]).failed();
    assert!(err.contains("no/such/copy.db"), "{err}");
    assert_eq!(lasting_files(&machine), before);
}

/// Without those that SQLite makes for whoever reads.
fn lasting_files(machine: &Machine) -> Vec<String> {
    let transient = |name: &String| name.ends_with("-wal") || name.ends_with("-shm");
    let files = machine.files().into_iter();
    files.filter(|name| !transient(name)).collect()
}

#[test]
fn a_restore_brings_back_what_was_and_keeps_what_is() {
    let machine = with_user();
    machine.cli(&["db", "backup", "copy.db"]).done();
    machine.add_user("bob", &[]);
    let out = machine.cli(&["db", "restore", "copy.db"]).done().out;
    assert_eq!(machine.number("SELECT count(*) FROM users"), 1);
    let kept = machine
        .files()
        .into_iter()
        .find(|name| name.starts_with("vestibule.db.replaced-"));
    let kept = kept.expect("the database that was there");
    assert!(out.contains(&kept), "{out}");
    machine.cli(&["db", "restore", &kept]).done();
    assert_eq!(machine.number("SELECT count(*) FROM users"), 2);
}

#[test]
fn a_search_finds_the_same_users_after_a_restore() {
    let machine = with_user();
    machine.add_user("bob", &[]);
    machine.cli(&["user", "delete", "alice", "--yes"]).done();
    machine.cli(&["db", "backup", "copy.db"]).done();
    machine.cli(&["db", "restore", "copy.db"]).done();
    machine.execute("INSERT INTO search_users (search_users, rank) VALUES ('integrity-check', 1)");
    let found = "SELECT username FROM search_users JOIN search_keys k ON k.n = search_users.rowid
                 JOIN users u ON u.id = k.user_id WHERE search_users MATCH '\"bob\"'";
    assert_eq!(machine.text(found), "bob");
}

#[test]
fn a_restore_is_told_in_the_audit_trail() {
    let machine = with_user();
    machine.cli(&["db", "backup", "copy.db"]).done();
    machine.cli(&["db", "restore", "copy.db"]).done();
    let arguments = ["audit", "list", "--event", "database_restore", "--json"];
    let entries = machine.cli(&arguments).done().json();
    assert_eq!(entries.as_array().map(Vec::len), Some(1), "{entries}");
    assert_eq!(
        (&entries[0]["source"], &entries[0]["detail"]),
        (&"cli".into(), &"copy.db".into())
    );
}

#[test]
fn a_restore_brings_back_a_database_that_is_gone() {
    let machine = with_user();
    machine.cli(&["db", "backup", "copy.db"]).done();
    fs::remove_file(machine.path("vestibule.db")).expect("a file");
    machine.cli(&["db", "restore", "copy.db"]).done();
    let _server = machine.start();
    machine.signed_in("alice");
}

/// The restore is refused with these words, and the database is as it was.
fn assert_refused(machine: &Machine, file: &str, words: &str) {
    let (files, database) = (
        lasting_files(machine),
        fs::read(machine.path("vestibule.db")),
    );
    let err = machine.cli(&["db", "restore", file]).failed();
    assert!(err.contains(words), "{words:?} in: {err}");
    assert_eq!(lasting_files(machine), files);
    assert_eq!(fs::read(machine.path("vestibule.db")).ok(), database.ok());
}

#[test]
fn a_restore_under_a_running_server_is_refused() {
    let machine = with_user();
    machine.cli(&["db", "backup", "copy.db"]).done();
    let _server = machine.start();
    let mut browser = machine.signed_in("alice");
    assert_refused(&machine, "copy.db", "stop it first");
    assert_eq!(browser.session().status, 200);
}

#[test]
fn a_restore_of_anything_but_a_whole_database_of_ours_is_refused() {
    let machine = with_user();
    assert_refused(&machine, "nothing.db", "no such file");
    fs::write(machine.path("text.db"), "Dear diary, ".repeat(1000)).expect("a file");
    assert_refused(&machine, "text.db", "not an SQLite database");
    other_database(&machine.path("other.db"));
    assert_refused(&machine, "other.db", "not a database of Vestibule's");
    fs::write(machine.path("empty.db"), "").expect("a file");
    assert_refused(&machine, "empty.db", "the file is empty");
    fs::create_dir(machine.path("folder")).expect("a folder");
    for special in ["folder", "/dev/zero"] {
        assert_refused(&machine, special, "no regular file");
    }
    machine.cli(&["db", "backup", "copy.db"]).done();
    let copy = fs::read(machine.path("copy.db")).expect("a file");
    fs::write(machine.path("half.db"), &copy[..copy.len() / 2]).expect("a file");
    assert_refused(&machine, "half.db", "this copy is damaged");
    let err = machine.cli(&["db", "restore", "half.db"]).failed();
    assert!(err.contains("Restore another one"), "{err}");
    assert!(!err.contains("newest copy"), "{err}");
}

#[test]
fn a_copy_that_is_cut_off_is_not_recommended() {
    let machine = with_user();
    machine.cli(&["db", "backup", "copy.db"]).done();
    let copy = fs::read(machine.path("copy.db")).expect("a file");
    fs::write(machine.path("half.db"), &copy[..copy.len() / 2]).expect("a file");
    fs::write(machine.path("vestibule.db"), "").expect("a file");
    let err = machine.cli(&["user", "list"]).failed();
    assert!(
        err.contains("copy in its folder is copy.db") || err.contains("/copy.db"),
        "{err}"
    );
    assert!(!err.contains("half.db"), "{err}");
}

#[test]
fn a_copy_is_restored_whatever_its_name() {
    let machine = with_user();
    for name in ["copy?mode=ro", "sqlite:copy.db", "copy of Alice's"] {
        machine.cli(&["db", "backup", name]).done();
        machine.cli(&["db", "restore", name]).done();
        assert_eq!(machine.number("SELECT count(*) FROM users"), 1, "{name}");
    }
}

#[test]
fn a_copy_that_fails_leaves_no_journal_either() {
    let machine = with_user();
    let before = lasting_files(&machine);
    let backup = ["db", "backup", "copy.db"];
    // SQLite's own thread removes the journal of what it fills, and this once cannot.
    let Some(strace) = failing(&machine, "unlink:error=EIO:when=1", &backup) else {
        return;
    };
    Ran::to_its_end(strace, b"").failed();
    assert_eq!(lasting_files(&machine), before);
}

#[test]
fn a_restore_of_a_newer_database_is_refused() {
    let newer = with_user();
    make_newer(&newer);
    newer.cli(&["db", "backup", "copy.db"]).done();
    let machine = with_user();
    let copy = newer.path("copy.db");
    assert_refused(&machine, &copy.to_string_lossy(), "newer than this program");
}
