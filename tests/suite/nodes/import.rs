//! Users of another program, brought to a database that serves several nodes.

use std::fs;

use crate::process::{Machine, run};
use crate::support::PASSWORD;
use crate::support::postgres::Database;

const BCRYPT: &str = "$2y$05$YkehZCN1s3MTlwZrhMi5uuQJkouOEkYV0WOQY8kF18vrFUCA/Ua9S";

#[test]
fn users_are_imported_while_a_node_serves_and_sign_in_there() {
    let Some(database) = run(Database::empty()) else {
        return;
    };
    let machine = Machine::new().on_server(&database.url());
    let _server = machine.start();
    let users: String = (0..300).map(|n| format!("user-{n}:{BCRYPT}\n")).collect();
    fs::write(machine.path("users"), users + "user-7:broken").expect("a file");
    let refused = machine.cli(&["import", "htpasswd", "users"]).failed();
    assert!(refused.contains("301"), "{refused}");
    let nobody = machine.anonymous().sign_in("user-7", PASSWORD);
    assert_eq!(nobody.status, 401, "all or none");

    let users: String = (0..300).map(|n| format!("user-{n}:{BCRYPT}\n")).collect();
    fs::write(machine.path("users"), users).expect("a file");
    let ran = machine.cli(&["import", "htpasswd", "users"]).done();
    assert!(ran.out.contains("Added 300 users."), "{}", ran.out);
    for name in ["user-0", "user-299"] {
        assert_eq!(machine.anonymous().sign_in(name, PASSWORD).status, 303);
    }
}
