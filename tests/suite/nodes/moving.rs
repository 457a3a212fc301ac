//! A database moves from one engine to the other, with everything in it.

use vestibule::foundation::db::copy::{LEFT_OUT, TABLES};

use crate::process::{Machine, run};
use crate::support::engine::Engine;
use crate::support::postgres::Database;

fn with_server() -> Option<(Machine, Database, String)> {
    let database = run(Database::empty())?;
    let url = database.url();
    Some((Machine::new(), database, url))
}

#[test]
fn who_is_signed_in_stays_so_when_the_database_moves_to_postgresql_and_back() {
    let Some((machine, _database, url)) = with_server() else {
        return;
    };
    machine.add_user("alice", &["--group", "staff", "--admin"]);
    let mut server = machine.start();
    let mut alice = machine.signed_in("alice");
    server.stop();

    let copied = machine
        .cli(&["db", "copy", "sqlite:vestibule.db", &url])
        .done();
    assert!(copied.out.contains("compared them"), "{}", copied.out);
    let refused = machine.refuses_to_start();
    assert!(refused.contains("has moved to postgres:"), "{refused}");

    // The key goes along: secrets are sealed with it.
    let key = machine.path("vestibule.key");
    let moved = Machine::new()
        .set("DATABASE_URL", &url)
        .set("VESTIBULE_SECRETS__KEY_FILE", &key.display().to_string());
    let mut server = moved.start();
    alice.port = moved.port;
    alice.host = format!("localhost:{}", moved.port);
    let session = alice.session();
    assert_eq!(session.status, 200, "{}", session.body);
    assert_eq!(session.json()["user"]["groups"][0], "staff");
    let refused = machine
        .cli(&["db", "copy", &url, "sqlite:back.db"])
        .failed();
    assert!(refused.contains("nodes run on it"), "{refused}");
    server.stop();

    machine.cli(&["db", "copy", &url, "sqlite:back.db"]).done();
    let refused = moved.refuses_to_start();
    assert!(refused.contains("has moved to back.db"), "{refused}");
    let back = machine.set("DATABASE_URL", "sqlite:back.db");
    let _server = back.start();
    alice.port = back.port;
    alice.host = format!("localhost:{}", back.port);
    assert_eq!(alice.session().status, 200);
}

#[test]
fn what_is_there_is_not_overwritten() {
    let Some((machine, _database, url)) = with_server() else {
        return;
    };
    machine.add_user("alice", &[]);
    Machine::new().on_server(&url).add_user("bob", &[]);
    let refused = machine
        .cli(&["db", "copy", "sqlite:vestibule.db", &url])
        .failed();
    assert!(refused.contains("is not empty"), "{refused}");
    machine.start().stop();
}

#[test]
fn a_server_that_runs_is_stopped_first() {
    let Some((machine, _database, url)) = with_server() else {
        return;
    };
    let _server = machine.start();
    let refused = machine
        .cli(&["db", "copy", "sqlite:vestibule.db", &url])
        .failed();
    assert!(refused.contains("stop it first"), "{refused}");
}

#[rocket::async_test]
async fn every_table_is_copied_or_left_out_on_purpose() {
    for mut engine in Engine::each().await {
        for table in engine.tables().await {
            let is_known = TABLES.contains(&table.as_str()) || LEFT_OUT.contains(&table.as_str());
            let is_made = table.starts_with("search_") || table.starts_with("sqlite_");
            assert!(is_known || is_made, "{}: {table}", engine.name());
        }
    }
}
