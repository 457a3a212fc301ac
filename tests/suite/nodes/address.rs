//! How a server's database is named, and which are refused.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, chown};

use crate::nginx::certificate::Certificate;
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
    fs::write(machine.path("password"), "another\n").expect("a file");
    let mode = PermissionsExt::from_mode(0o600);
    fs::set_permissions(machine.path("password"), mode).expect("a mode");
    let err = machine.cli(&["config", "check"]).failed();
    assert!(err.contains("database_password_file"), "{err}");
}

#[test]
fn of_psqls_variables_none_changes_anything() {
    let Some(database) = run(Database::empty()) else {
        return;
    };
    let machine = Machine::new()
        .on_server(&database.url())
        .set("PGHOST", "192.0.2.1")
        .set("PGPORT", "1")
        .set("PGUSER", "nobody")
        .set("PGDATABASE", "elsewhere")
        .set("PGSSLMODE", "verify-full")
        .set("PGAPPNAME", "another");
    machine.cli(&["db", "migrate"]).done();
    for name in ["PGPASSWORD", "PGOPTIONS", "PGSSLROOTCERT"] {
        let stray = Machine::new().on_server(&database.url()).set(name, "x");
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
    let machine = Machine::new().on_server(&database.url());
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

#[test]
fn a_server_elsewhere_is_believed_by_its_certificate_and_given_the_password_of_the_file() {
    let port = crate::process::free_port();
    let Some(database) = run(Database::on_port(port)) else {
        return;
    };
    let folder = database.folder();
    Certificate::write(folder, &["localhost"]);
    let key = folder.join("key.pem");
    let owner = fs::metadata(folder).expect("a folder").uid();
    chown(&key, Some(owner), None).expect("an owner");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).expect("a mode");
    let folder = folder.display();
    let set_up = format!(
        "CREATE ROLE vestibule LOGIN PASSWORD 'between us: \\ both';
         ALTER DATABASE {} OWNER TO vestibule;
         COPY (VALUES ('local all all trust'), ('hostssl all all 127.0.0.1/32 scram-sha-256')) TO '{folder}/data/pg_hba.conf'",
        database.name()
    );
    let certificate = [
        format!("ALTER SYSTEM SET ssl_cert_file = '{folder}/certificate.pem'"),
        format!("ALTER SYSTEM SET ssl_key_file = '{folder}/key.pem'"),
        "ALTER SYSTEM SET ssl = on".to_owned(),
        "SELECT pg_reload_conf()".to_owned(),
    ];
    run(async {
        let mut connection = database.connect().await;
        for statement in [set_up].into_iter().chain(certificate) {
            let statement = sqlx::AssertSqlSafe(statement);
            let done = sqlx::raw_sql(statement).execute(&mut connection).await;
            done.expect("a statement");
        }
        let is_on = "SELECT current_setting('ssl') = 'on'";
        while !sqlx::query_scalar::<_, bool>(is_on)
            .fetch_one(&mut database.connect().await)
            .await
            .expect("a setting")
        {}
    });
    let machine = |host: &str, ca: &str| {
        let name = database.name();
        let url = format!(
            "postgres://vestibule@{host}:{port}/{name}?sslmode=verify-full&sslrootcert={ca}"
        );
        Machine::new().on_server(&url)
    };
    let ca = format!("{folder}/ca.pem");
    let with_password = |machine: Machine| {
        let file = machine.path("password");
        fs::write(&file, "between us: \\ both\n").expect("a file");
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("a mode");
        machine.set("VESTIBULE_DATABASE_PASSWORD_FILE", "password")
    };
    let asked = machine("localhost", &ca).refuses_to_start();
    assert!(asked.contains("database_password_file"), "{asked}");
    let other_name = with_password(machine("127.0.0.1", &ca)).refuses_to_start();
    assert!(other_name.contains("certificate"), "{other_name}");
    let stranger = tempfile::tempdir().expect("a folder");
    Certificate::write(stranger.path(), &["localhost"]);
    let other_ca = stranger.path().join("ca.pem").display().to_string();
    let unknown = with_password(machine("localhost", &other_ca)).refuses_to_start();
    assert!(unknown.contains("sslrootcert"), "{unknown}");

    let machine = with_password(machine("localhost", &ca));
    machine.add_user("alice", &[]);
    let server = machine.start();
    machine.signed_in("alice");
    assert!(!server.err().contains("WARN"), "{}", server.err());
    machine.cli(&["db", "backup", "copy.dump"]).done();
    assert_eq!(machine.files(), ["copy.dump", "password"]);
}
