//! Migrations go up and down over rows that are there, with foreign keys on, as sqlx-cli runs them.

use std::path::Path;
use std::process::Command;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use super::{Machine, Ran, run};

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

/// A row in each table that a signed-in visitor of a protected site leaves one in.
async fn fill_forward_auth(connection: &mut SqliteConnection) {
    for statement in [
        "INSERT INTO sites VALUES (randomblob(16), 'app.example.net', 'signed-in', '')",
        "INSERT INTO rules SELECT randomblob(16), id, 1, '/*', '', '', 'anyone', 'allow' FROM sites",
        "INSERT INTO site_secrets SELECT randomblob(32), token_hash, 'app.example.net', 1 FROM sessions LIMIT 1",
        "INSERT INTO tickets SELECT randomblob(32), token_hash, randomblob(32), 'app.example.net', '/', 1 FROM sessions LIMIT 1",
    ] {
        sqlx::query(statement)
            .execute(&mut *connection)
            .await
            .expect("a row");
    }
}

/// Each table with its number of rows.
async fn rows(connection: &mut SqliteConnection) -> Vec<(String, i64)> {
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations' ORDER BY name")
        .fetch_all(&mut *connection)
        .await
        .expect("a schema");
    let mut counted = Vec::new();
    for table in tables {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count = sqlx::query_scalar(count)
            .fetch_one(&mut *connection)
            .await
            .expect("a count");
        counted.push((table, count));
    }
    counted
}

#[test]
fn each_migration_goes_down_and_up_over_filled_tables_without_losing_rows_of_others() {
    let machine = used();
    run(async {
        let migrator = Migrator::new(Path::new(FOLDER)).await.expect("migrations");
        let mut connection = connect(&machine).await;
        fill_forward_auth(&mut connection).await;
        let filled = rows(&mut connection).await;
        assert!(
            filled.len() >= 6 && filled.iter().all(|(_, count)| *count > 0),
            "{filled:?}"
        );
        let mut versions: Vec<i64> = migrator.iter().map(|migration| migration.version).collect();
        versions.dedup();
        for version in versions.iter().rev() {
            let before = rows(&mut connection).await;
            let earlier = versions
                .iter()
                .rev()
                .find(|earlier| *earlier < version)
                .copied()
                .unwrap_or(0);
            migrator
                .undo(&mut connection, earlier)
                .await
                .expect("a way down");
            for (table, count) in rows(&mut connection).await {
                assert!(
                    before.contains(&(table.clone(), count)),
                    "{table} lost rows in {version}"
                );
            }
        }
        assert_eq!(
            rows(&mut connection).await,
            [],
            "the first one takes all tables along"
        );
        migrator.run(&mut connection).await.expect("a way up");
        let anew = rows(&mut connection).await;
        let names = |rows: &[(String, i64)]| {
            rows.iter()
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&anew), names(&filled));
        let orphans: Vec<String> =
            sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check")
                .fetch_all(&mut connection)
                .await
                .expect("a check");
        assert!(orphans.is_empty(), "{orphans:?}");
    });
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
fn sqlx(machine: &Machine, arguments: &[&str]) -> Option<Ran> {
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
    command.env(
        "DATABASE_URL",
        format!("sqlite:{}", machine.path("vestibule.db").display()),
    );
    command
        .args(arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    Some(Ran::to_its_end(command, b"").done())
}

#[test]
fn sqlx_cli_makes_a_database_that_the_server_starts_on() {
    let machine = Machine::new();
    if sqlx(&machine, &["database", "create"]).is_none() {
        return;
    }
    sqlx(&machine, &["migrate", "run"]);
    let info = sqlx(&machine, &["migrate", "info"]).expect("sqlx").out;
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
    let Some(info) = sqlx(&machine, &["migrate", "info"]) else {
        return;
    };
    assert!(info.out.contains("installed foundation"), "{}", info.out);
    sqlx(&machine, &["migrate", "revert", "--target-version", "0"]);
    let info = sqlx(&machine, &["migrate", "info"]).expect("sqlx").out;
    assert!(info.contains("pending foundation"), "{info}");
    machine.start().setup_code();
}
