//! The database's file: what is refused, so that nothing is lost and nothing made in a wrong place.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::process::Signal;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::faults::{can_mount, mounted};
use super::{Machine, run, wait_for};

/// A machine whose database has a user in it.
fn with_database() -> Machine {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    machine
}

const COMMANDS: [&[&str]; 8] = [
    &["serve"],
    &["user", "list"],
    &["session", "list"],
    &["audit", "list"],
    &["db", "migrate"],
    &["db", "status"],
    &["db", "check"],
    &["db", "backup", "copy.db"],
];

/// Every command refuses with these words, and leaves the folder as it is.
fn assert_all_refuse(machine: &Machine, words: &[&str]) {
    let before = contents(machine);
    for command in COMMANDS {
        let err = machine.cli(command).failed();
        for word in words {
            assert!(err.contains(word), "{command:?}: {word:?} in: {err}");
        }
        assert_eq!(contents(machine), before, "{command:?} changed nothing");
    }
}

/// Names, modes and contents of all files; the SHM, which readers mark, by its name alone.
fn contents(machine: &Machine) -> Vec<(String, u32, Vec<u8>)> {
    let read = |name: &String| {
        let path = machine.path(name);
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        let text = fs::read(path).unwrap_or_default();
        (name.clone(), mode, text)
    };
    machine
        .files()
        .iter()
        .filter(|name| !name.ends_with("-shm"))
        .map(read)
        .collect()
}

#[test]
fn flt_05_a_database_that_is_gone_is_not_replaced_by_an_empty_one() {
    let machine = with_database();
    fs::remove_file(machine.path("vestibule.db")).expect("a file");
    assert_all_refuse(&machine, &["gone", "vestibule.db.lock", "db restore"]);
}

#[test]
fn flt_05_a_database_that_was_emptied_is_not_filled_anew() {
    let machine = with_database();
    fs::write(machine.path("vestibule.db"), "").expect("a file");
    assert_all_refuse(&machine, &["gone", "vestibule.db.lock", "db restore"]);
}

#[test]
fn flt_05_a_wal_without_its_database_is_not_replaced_by_an_empty_one() {
    let machine = Machine::new();
    fs::write(machine.path("vestibule.db-wal"), "not nothing").expect("a file");
    let err = machine.refuses_to_start();
    assert!(err.contains("gone"), "{err}");
    assert!(!machine.path("vestibule.db").exists());
    assert_eq!(
        fs::read(machine.path("vestibule.db-wal")).expect("a file"),
        b"not nothing"
    );
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let machine = Machine::new();
    fs::write(machine.path("vestibule.db"), "Dear diary, ".repeat(1000)).expect("a file");
    fs::set_permissions(
        machine.path("vestibule.db"),
        fs::Permissions::from_mode(0o644),
    )
    .expect("a mode");
    assert_all_refuse(&machine, &["vestibule.db", "not an SQLite database"]);
}

#[test]
fn a_folder_is_refused_and_left_as_it_is() {
    let machine = Machine::new();
    fs::create_dir(machine.path("vestibule.db")).expect("a folder");
    assert_all_refuse(&machine, &["vestibule.db", "is not a file"]);
}

#[test]
fn another_programs_database_is_refused_and_left_as_it_is() {
    let machine = Machine::new();
    other_database(&machine.path("vestibule.db"));
    let before = contents(&machine);
    for command in [&["serve"][..], &["user", "list"], &["db", "migrate"]] {
        let err = machine.cli(command).failed();
        assert!(err.contains("not a database of Vestibule's"), "{err}");
        assert_eq!(contents(&machine), before, "{command:?}");
    }
}

#[test]
fn a_database_with_another_programs_migrations_is_told_as_such() {
    let machine = with_database();
    machine.execute("UPDATE _sqlx_migrations SET version = version - 10000000000");
    assert_all_refuse_but_backup(&machine, "another program keeps its migrations there");
}

/// An SQLite database that is not ours.
pub fn other_database(path: &Path) {
    run(async {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let mut other = SqliteConnection::connect_with(&options)
            .await
            .expect("a database");
        sqlx::query("CREATE TABLE users (name TEXT)")
            .execute(&mut other)
            .await
            .expect("a table");
        other.close().await.expect("a close");
    });
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let machine = with_database();
    make_newer(&machine);
    assert_all_refuse_but_backup(&machine, "newer than this program");
}

pub fn make_newer(machine: &Machine) {
    machine.execute("INSERT INTO _sqlx_migrations SELECT 99990101000000, 'later', installed_on, 1, checksum, 1 FROM _sqlx_migrations LIMIT 1");
}

/// A copy may be made of what cannot be served.
fn assert_all_refuse_but_backup(machine: &Machine, words: &str) {
    for command in COMMANDS
        .iter()
        .filter(|command| command[1..].first() != Some(&"backup"))
    {
        let err = machine.cli(command).failed();
        assert!(err.contains(words), "{command:?}: {err}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named_and_not_made() {
    let machine = Machine::new().set("DATABASE_URL", "sqlite:no/such/vestibule.db");
    let err = machine.refuses_to_start();
    assert!(
        err.contains("no/such/vestibule.db") && err.contains("folder"),
        "{err}"
    );
    assert!(machine.files().is_empty());
}

#[test]
fn a_database_that_another_program_has_locked_is_said_to_be() {
    let machine = with_database();
    run(async {
        let options = SqliteConnectOptions::new().filename(machine.path("vestibule.db"));
        let mut other = SqliteConnection::connect_with(&options)
            .await
            .expect("a database");
        sqlx::raw_sql(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE",
        )
        .execute(&mut other)
        .await
        .expect("a lock");
        let err = machine.refuses_to_start();
        assert!(err.contains("locked by another program"), "{err}");
        let err = machine.cli(&["user", "disable", "alice"]).failed();
        assert!(err.contains("locked"), "{err}");
    });
}

#[test]
fn cfg_06_readiness_is_denied_while_nothing_can_be_written() {
    let machine = with_database();
    let _server = machine.start();
    let status = |path: &str| machine.anonymous().get(path).status;
    run(async {
        let options = SqliteConnectOptions::new().filename(machine.path("vestibule.db"));
        let mut other = SqliteConnection::connect_with(&options)
            .await
            .expect("a database");
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut other)
            .await
            .expect("a lock");
        wait_for("the service to be not ready", || {
            let answer = machine.anonymous().get("/readyz");
            (answer.status == 503).then(|| assert_eq!(answer.body, "not ready"))
        });
        assert_eq!(status("/healthz"), 200);
        other.close().await.expect("a close");
    });
    wait_for("the service to be ready", || {
        (status("/readyz") == 200).then_some(())
    });
}

#[test]
fn flt_11_a_second_server_on_one_database_refuses_and_names_the_lock() {
    let machine = with_database();
    let server = machine.start();
    let second = Machine::new().set(
        "DATABASE_URL",
        &format!("sqlite:{}", machine.path("vestibule.db").display()),
    );
    let err = second.refuses_to_start();
    assert!(
        err.contains("another Vestibule") && err.contains("vestibule.db.lock"),
        "{err}"
    );
    server.kill();
    second.start();
}

#[test]
fn flt_11_a_second_name_of_the_file_is_no_way_around_the_lock() {
    let machine = with_database();
    let _server = machine.start();
    let second = Machine::new();
    symlink(machine.path("vestibule.db"), second.path("vestibule.db")).expect("a link");
    let err = second.refuses_to_start();
    assert!(err.contains("another Vestibule"), "{err}");
}

#[test]
fn a_server_that_is_stopped_by_its_terminal_keeps_the_lock() {
    let machine = with_database();
    let server = machine.start();
    server.signal(Signal::STOP);
    let err = machine.cli(&["serve"]).failed();
    assert!(err.contains("another Vestibule"), "{err}");
    server.signal(Signal::CONT);
}

#[test]
fn db_check_finds_a_sound_database_sound_also_while_it_is_served() {
    let machine = with_database();
    assert!(
        machine
            .cli(&["db", "check"])
            .done()
            .out
            .contains("is sound")
    );
    let _server = machine.start();
    assert!(
        machine
            .cli(&["db", "check"])
            .done()
            .out
            .contains("is sound")
    );
}

#[test]
fn db_check_of_a_database_that_never_was_says_how_to_make_one() {
    let machine = Machine::new();
    let err = machine.cli(&["db", "check"]).failed();
    assert!(
        err.contains("no database yet") && err.contains("db migrate"),
        "{err}"
    );
    assert!(machine.files().is_empty());
}

#[test]
fn db_check_finds_flipped_bits() {
    let machine = with_database();
    let size = fs::metadata(machine.path("vestibule.db"))
        .expect("a file")
        .len();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(machine.path("vestibule.db"))
        .expect("a file");
    // Every page's header but the first page's.
    for page in 1..size / 4096 {
        file.write_all_at(&[0xa5; 8], page * 4096).expect("a write");
    }
    let ran = machine.cli(&["db", "check"]);
    let err = ran.failed();
    assert!(
        err.contains("damaged") && err.contains("db restore"),
        "{err}"
    );
}

#[test]
fn db_check_finds_rows_that_refer_to_nothing() {
    let machine = with_database();
    machine.execute("PRAGMA foreign_keys = OFF; INSERT INTO memberships VALUES (x'00', 'nobody')");
    let ran = machine.cli(&["db", "check"]);
    assert!(
        ran.out.contains("rows of memberships refer to nothing"),
        "{}",
        ran.out
    );
    assert!(ran.failed().contains("damaged"));
}

#[test]
fn db_check_finds_a_damaged_index_of_parts_of_words() {
    let machine = with_database();
    machine.execute("UPDATE search_users_data SET block = zeroblob(length(block)) WHERE id > 10");
    let ran = machine.cli(&["db", "check"]);
    assert!(ran.out.contains("search_users"), "{}", ran.out);
    assert!(ran.failed().contains("damaged"));
}

#[test]
fn db_status_tells_what_is_there_and_whether_it_is_served() {
    let machine = with_database();
    let status = machine.cli(&["db", "status", "--json"]).done().json();
    assert_eq!(
        (&status["users"], &status["served"]),
        (&1.into(), &false.into())
    );
    assert_eq!(status["pending"].as_array().map(Vec::len), Some(0));
    let mut server = machine.start();
    machine.signed_in("alice");
    let out = machine.cli(&["db", "status"]).done().out;
    for line in [
        "Users          1",
        "Live sessions  1",
        "Server         running",
    ] {
        assert!(out.contains(line), "{out}");
    }
    server.stop();
    wait_for("the lock to be free", || {
        let status = machine.cli(&["db", "status", "--json"]).done().json();
        (status["served"] == false).then_some(())
    });
}

#[test]
fn cfg_07_the_sqlite_that_is_built_in_does_not_corrupt_its_wal() {
    let version = with_database().text("SELECT sqlite_version()");
    let numbers: Vec<u32> = version
        .split('.')
        .map(|part| part.parse().expect("a number"))
        .collect();
    assert!(numbers >= vec![3, 51, 3], "{version}");
}

#[test]
fn a_database_on_a_read_only_disk_is_said_to_be() {
    let machine = with_database();
    let read_only = "mount --bind \"$PWD\" \"$PWD\" && mount -o remount,ro,bind \"$PWD\"";
    if !can_mount(&machine, read_only) {
        return;
    }
    for command in [
        &["serve"][..],
        &["user", "disable", "alice"],
        &["user", "list"],
    ] {
        let err = super::Ran::to_its_end(mounted(&machine, read_only, command), b"").failed();
        assert!(
            err.contains("vestibule.db") && err.contains("writable"),
            "{command:?}: {err}"
        );
    }
}
