//! The migrations as sqlx-cli runs them, and over rows that the program has left.

use std::path::Path;
use std::process::Command;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::{Machine, Ran, run};
use crate::support::postgres::Database;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");

/// A database that people have used: a row or more in every table.
fn used() -> Machine {
    let machine = Machine::new();
    machine.add_user("alice", &["--group", "family"]);
    let mut server = machine.start();
    machine.signed_in("alice");
    machine.anonymous().sign_in("alice", "not the password");
    machine.add_user("bob", &[]);
    machine.signed_in("bob");
    machine.cli(&["user", "delete", "bob", "--yes"]).done();
    server.stop();
    machine
}

async fn connect(machine: &Machine) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(machine.path("vestibule.db"))
        .foreign_keys(true);
    SqliteConnection::connect_with(&options)
        .await
        .expect("a database")
}

#[test]
fn users_who_were_deleted_before_names_were_kept_are_found_in_the_audit_trail() {
    let machine = used();
    run(async {
        let migrator = Migrator::new(Path::new(FOLDER)).await.expect("migrations");
        let mut connection = connect(&machine).await;
        let before = 20_261_125_000_000;
        migrator
            .undo(&mut connection, before)
            .await
            .expect("a way down");
        migrator.run(&mut connection).await.expect("a way up");
    });
    assert_eq!(machine.text("SELECT username FROM former_users"), "bob");
    let kept =
        "SELECT deleted_at = (SELECT at FROM audit WHERE event = 'user_delete') FROM former_users";
    assert_eq!(machine.number(kept), 1);
}

/// The real sqlx-cli, from the project's root, with nothing but `DATABASE_URL`; `None` without it.
fn sqlx(url: &str, arguments: &[&str]) -> Option<Ran> {
    let Some(program) = std::env::var_os("TEST_SQLX") else {
        assert!(
            std::env::var_os("TEST_REQUIRE_COMPONENTS").is_none(),
            "sqlx-cli is missing"
        );
        println!(
            "sqlx-cli is not here, so it is not tested that it runs the migrations; `cargo xtask test` installs it"
        );
        return None;
    };
    let mut command = Command::new(program);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command
        .env("DATABASE_URL", url)
        .args(arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    Some(Ran::to_its_end(command, b"").done())
}

fn url(machine: &Machine) -> String {
    format!("sqlite:{}", machine.path("vestibule.db").display())
}

#[test]
fn sqlx_cli_makes_a_database_that_the_server_starts_on() {
    let machine = Machine::new();
    let url = url(&machine);
    if sqlx(&url, &["database", "create"]).is_none() {
        return;
    }
    sqlx(&url, &["migrate", "run"]);
    let info = sqlx(&url, &["migrate", "info"]).expect("sqlx").out;
    assert!(
        info.contains("installed foundation") && !info.contains("pending"),
        "{info}"
    );
    let server = machine.start();
    server.setup_code();
    machine.add_user("alice", &[]);
    machine.signed_in("alice");
}

#[test]
fn sqlx_cli_reverts_what_the_server_applied_and_the_server_applies_it_again() {
    let machine = used();
    let url = url(&machine);
    let Some(info) = sqlx(&url, &["migrate", "info"]) else {
        return;
    };
    assert!(info.out.contains("installed foundation"), "{}", info.out);
    sqlx(&url, &["migrate", "revert", "--target-version", "0"]);
    let info = sqlx(&url, &["migrate", "info"]).expect("sqlx").out;
    assert!(info.contains("pending foundation"), "{info}");
    machine.start().setup_code();
}

#[test]
fn sqlx_cli_migrates_postgresql_from_the_folder_that_it_is_told() {
    let Some(database) = run(Database::empty()) else {
        return;
    };
    let migrate = |arguments: &[&str]| {
        let source = ["--source", "migrations/postgres"];
        sqlx(
            &database.url(),
            &[&["migrate"], arguments, &source].concat(),
        )
    };
    if migrate(&["run"]).is_none() {
        return;
    }
    let info = migrate(&["info"]).expect("sqlx").out;
    assert!(
        info.contains("installed foundation") && !info.contains("pending"),
        "{info}"
    );
    migrate(&["revert", "--target-version", "0"]);
    let info = migrate(&["info"]).expect("sqlx").out;
    assert!(
        info.contains("pending foundation") && !info.contains("installed"),
        "{info}"
    );
}
