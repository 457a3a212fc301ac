//! How a server's database is named, and which are refused.

use crate::process::{Machine, run};
use crate::support::postgres::Database;

#[test]
fn cfg_an_address_that_is_not_taken_is_refused_with_what_to_write() {
    for (url, word) in [
        ("postgres://db.example.com/vestibule", "names no user"),
        ("postgres://vestibule@db.example.com", "names no database"),
        (
            "postgres:///vestibule?user=vestibule",
            "host=/run/postgresql",
        ),
        ("postgres://vestibule@a,b/vestibule", "one host"),
        (
            "postgres://vestibule@db/vestibule?host=run",
            "absolute path",
        ),
        (
            "postgres://vestibule@db/vestibule?options=-cfoo",
            "options: is not taken",
        ),
        ("mysql://db/vestibule", "mysql:"),
    ] {
        let err = Machine::new()
            .set("DATABASE_URL", url)
            .cli(&["config", "check"])
            .failed();
        assert!(
            err.contains("database_url") && err.contains(word),
            "{url}: {err}"
        );
    }
}

#[test]
fn a_password_has_one_place() {
    let url = "postgres://vestibule:one@127.0.0.1:1/vestibule";
    let machine = Machine::new()
        .set("DATABASE_URL", url)
        .set("VESTIBULE_DATABASE_PASSWORD_FILE", "password");
    std::fs::write(machine.path("password"), "another\n").expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(machine.path("password"), mode).expect("a mode");
    let err = machine.cli(&["config", "check"]).failed();
    assert!(err.contains("database_password_file"), "{err}");
}

#[test]
fn of_psqls_variables_none_changes_anything() {
    let Some(database) = run(Database::empty()) else {
        return;
    };
    let machine = Machine::new()
        .set("DATABASE_URL", &database.url())
        .set("PGHOST", "192.0.2.1")
        .set("PGPORT", "1")
        .set("PGUSER", "nobody")
        .set("PGDATABASE", "elsewhere")
        .set("PGSSLMODE", "verify-full")
        .set("PGAPPNAME", "another");
    machine.cli(&["db", "migrate"]).done();
    for name in ["PGPASSWORD", "PGOPTIONS", "PGSSLROOTCERT"] {
        let stray = Machine::new()
            .set("DATABASE_URL", &database.url())
            .set(name, "x");
        let err = stray.cli(&["config", "check"]).failed();
        assert!(err.contains(name), "{err}");
    }
}

#[test]
fn a_database_that_could_lose_what_was_acknowledged_is_refused() {
    let Some(database) = run(Database::empty()) else {
        return;
    };
    let execute = |sql: &str| {
        let sql = sql.replace("DB", database.name());
        run(async {
            let mut connection = database.connect().await;
            let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut connection)
                .await;
            done.expect("a statement");
        });
    };
    let machine = Machine::new().set("DATABASE_URL", &database.url());
    execute("ALTER DATABASE DB SET synchronous_commit = off");
    let err = machine.refuses_to_start();
    assert!(err.contains("synchronous_commit"), "{err}");
    execute("ALTER DATABASE DB RESET synchronous_commit; CREATE TABLE somebody_elses (id INT)");
    let err = machine.refuses_to_start();
    assert!(err.contains("not a database of Vestibule's"), "{err}");
    execute("DROP TABLE somebody_elses");
    machine.start().stop();
}

#[test]
fn a_server_that_does_not_answer_is_said_so() {
    let machine = Machine::new().set("DATABASE_URL", "postgres://vestibule@127.0.0.1:1/vestibule");
    let err = machine.refuses_to_start();
    assert!(err.contains("is the server running"), "{err}");
}
