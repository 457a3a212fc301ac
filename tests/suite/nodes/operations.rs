//! Copies, checks and rights of a database on a server.

use crate::process::{Machine, run};
use crate::support::postgres::Database;

fn on_server() -> Option<(Machine, Database)> {
    let database = run(Database::empty())?;
    let machine = Machine::new().on_server(&database.url());
    Some((machine, database))
}

#[test]
fn a_copy_is_put_into_an_empty_database_with_everything_in_it() {
    let Some((machine, _database)) = on_server() else {
        return;
    };
    machine.add_user("alice", &["--group", "staff"]);
    let wrote = machine.cli(&["db", "backup", "copy.dump"]).done();
    assert!(wrote.out.contains("copy.dump"), "{}", wrote.out);
    assert_eq!(machine.files(), ["copy.dump"]);
    let again = machine.cli(&["db", "backup", "copy.dump"]).failed();
    assert!(again.contains("is there already"), "{again}");
    let over = machine.cli(&["db", "restore", "copy.dump"]).failed();
    assert!(over.contains("create a new one"), "{over}");

    let empty = run(Database::empty()).expect("PostgreSQL");
    let restored = machine.on_server(&empty.url());
    restored.cli(&["db", "restore", "copy.dump"]).done();
    let alice = restored
        .cli(&["user", "show", "alice", "--json"])
        .done()
        .json();
    assert_eq!(alice["groups"][0], "staff");
    let _server = restored.start();
    restored.signed_in("alice");
}

#[test]
fn a_database_is_read_as_a_whole() {
    let Some((machine, _database)) = on_server() else {
        return;
    };
    machine.add_user("alice", &[]);
    let checked = machine.cli(&["db", "check"]).done();
    assert!(checked.out.contains("is sound"), "{}", checked.out);
}

#[test]
fn a_role_that_serves_cannot_change_tables_or_what_was_recorded() {
    let Some((machine, database)) = on_server() else {
        return;
    };
    machine.add_user("alice", &[]);
    let role = format!("app_{}", std::process::id());
    let grants = machine
        .cli(&["db", "grants", "--owner", "postgres", "--app", &role])
        .done()
        .out;
    let made = format!("CREATE ROLE {role} LOGIN; {grants}");
    run(async {
        let mut connection = database.connect().await;
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(made))
            .execute(&mut connection)
            .await;
        done.expect("grants");
    });
    let url = database.url().replace("postgres@", &format!("{role}@"));
    let serving = Machine::new().on_server(&url);
    let _server = serving.start();
    let mut alice = serving.signed_in("alice");
    assert_eq!(alice.post("/logout", &[]).status, 303);
    run(async {
        let options = database.options().username(&role);
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect_with(&options)
            .await
            .expect("a role");
        for forbidden in [
            "DROP TABLE users",
            "UPDATE audit SET at = 0",
            "DELETE FROM audit",
        ] {
            let refused = sqlx::raw_sql(forbidden).execute(&mut connection).await;
            assert!(refused.is_err(), "{forbidden}");
        }
    });
}

#[test]
fn a_revoke_of_everyone_may_take_longer_than_other_statements() {
    let Some((machine, database)) = on_server() else {
        return;
    };
    machine.add_user("alice", &[]);
    run(async {
        // As if there were millions of sessions.
        let slow = "CREATE FUNCTION slow() RETURNS TRIGGER LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_sleep(5.5); RETURN NULL; END $$;
             CREATE TRIGGER slow BEFORE UPDATE ON sessions EXECUTE FUNCTION slow()";
        let mut connection = database.connect().await;
        let made = sqlx::raw_sql(slow).execute(&mut connection).await;
        made.expect("a trigger");
    });
    machine.cli(&["session", "revoke", "--everyone"]).done();
}
