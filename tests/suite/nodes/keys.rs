//! The key of the secrets, changed over several nodes without a pause.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use vestibule::Clock;

use crate::process::{Machine, run, wait_for};
use crate::support::postgres::Database;
use crate::support::{Authenticator, PASSWORD};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

/// A node with a key file of its own.
fn node(database: &Database, name: &str) -> Machine {
    let machine = Machine::new()
        .set("DATABASE_URL", &database.url())
        .set("VESTIBULE_SECRETS__KEY_FILE", "vestibule.key")
        .set("VESTIBULE_NODES__NAME", name);
    machine.write_key(KEY.as_bytes());
    machine
}

fn copy_key(from: &Machine, to: &Machine) {
    // As a person copies it: in one piece, and for the owner alone.
    let new = to.path("vestibule.key.new");
    fs::copy(from.path("vestibule.key"), &new).expect("a copy");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("a mode");
    fs::rename(new, to.path("vestibule.key")).expect("a file");
}

fn now() -> i64 {
    Clock::system().now().unix_micros() / 1_000_000
}

#[test]
fn key_03_a_key_is_changed_over_two_nodes_while_both_serve() {
    let Some(database) = run(Database::empty()) else {
        return;
    };
    let [one, two] = ["node-1", "node-2"].map(|name| node(&database, name));
    let _servers = [one.start(), two.start()];
    one.add_user("alice", &[]);
    let mut alice = one.signed_in("alice");
    let app = Authenticator::of_page(&alice.get("/account/totp"));
    let set_up = alice.post("/account/totp", &[("code", &app.code_at(now() - 30))]);
    assert_eq!(set_up.status, 200, "{}", set_up.body);

    let lacking = one.cli(&["key", "rotate"]).failed();
    assert!(lacking.contains("node-2"), "{lacking}");
    assert_eq!(keys_used(&database), 1, "nothing is sealed anew yet");

    copy_key(&one, &two);
    // Nodes say each few seconds which keys they have.
    let rotated = wait_for("node-2 to read its file", || {
        let ran = one.cli(&["key", "rotate"]);
        (ran.code == 0).then_some(ran)
    });
    assert!(rotated.err.contains("key forget"), "{}", rotated.err);
    assert_eq!(keys_used(&database), 2);
    for (machine, ahead) in [(&one, 0), (&two, 30)] {
        let mut browser = machine.anonymous();
        let step = browser.sign_in("alice", PASSWORD);
        assert_eq!(step.header("location"), "/login/code");
        let code = app.code_at(now() + ahead);
        let answer = browser.post("/login/code", &[("code", &code)]);
        assert_eq!(answer.status, 303, "{}", answer.body);
    }
}

/// The keys that secrets are, or once were, sealed with.
fn keys_used(database: &Database) -> i64 {
    run(async {
        let mut connection = database.connect().await;
        let query = "SELECT count(*) FROM secret_keys";
        let count = sqlx::query_scalar(query).fetch_one(&mut connection).await;
        count.expect("a number")
    })
}
