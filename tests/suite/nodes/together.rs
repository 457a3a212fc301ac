//! What nodes share, and what each does for itself.

use std::thread;

use super::{Cluster, check};
use sqlx::Connection as _;

use crate::process::{run, wait_for};
use crate::support::PASSWORD;

#[test]
fn who_signs_in_at_one_node_is_known_at_all() {
    let Some(cluster) = Cluster::start(3) else {
        return;
    };
    cluster.nodes[0].machine.add_user("alice", &[]);
    let alice = cluster.nodes[1].machine.signed_in("alice");
    for node in &cluster.nodes {
        let mut browser = node.machine.anonymous();
        browser.cookie.clone_from(&alice.cookie);
        assert_eq!(browser.session().status, 200);
    }
}

#[test]
fn two_first_admins_at_once_make_one() {
    let Some(cluster) = Cluster::start(2) else {
        return;
    };
    let code = cluster.nodes[0].server.setup_code();
    assert!(
        cluster.nodes[1]
            .server
            .out()
            .contains("that node-1 printed"),
        "{}",
        cluster.nodes[1].server.out()
    );
    let made: Vec<u16> = thread::scope(|scope| {
        let set_up = |name: &'static str, node: usize| {
            let (cluster, code) = (&cluster, &code);
            scope.spawn(move || {
                let fields = [
                    ("code", code.as_str()),
                    ("username", name),
                    ("password", PASSWORD),
                ];
                let mut browser = cluster.nodes[node].machine.anonymous();
                browser.post("/setup", &fields).status
            })
        };
        let both = [set_up("one", 0), set_up("two", 1)];
        both.map(|thread| thread.join().expect("an answer")).into()
    });
    assert_eq!(cluster.number("SELECT count(*) FROM users WHERE admin"), 1);
    assert_eq!(
        made.iter().filter(|status| **status == 303).count(),
        1,
        "{made:?}"
    );
}

#[test]
fn bru_01_tries_are_counted_over_all_nodes() {
    let Some(cluster) = Cluster::start(3) else {
        return;
    };
    cluster.nodes[0].machine.add_user("alice", &[]);
    let sign_in = |turn: usize| {
        let machine = &cluster.nodes[turn % 3].machine;
        machine.anonymous().sign_in("alice", "wrong").status
    };
    let statuses: Vec<u16> = (0..6).map(sign_in).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
}

#[test]
fn bru_01_tries_at_all_nodes_at_once_do_not_overrun_the_limit() {
    let Some(cluster) = Cluster::start(3) else {
        return;
    };
    cluster.nodes[0].machine.add_user("alice", &[]);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let tries: Vec<_> = (0..12)
            .map(|turn| {
                let machine = &cluster.nodes[turn % 3].machine;
                scope.spawn(|| machine.anonymous().sign_in("alice", "wrong").status)
            })
            .collect();
        tries
            .into_iter()
            .map(|thread| thread.join().expect("an answer"))
            .collect()
    });
    let checked = statuses.iter().filter(|status| **status == 401).count();
    // One may have looked at its clock before the first did, and be told to wait a moment.
    assert!((4..=5).contains(&checked), "{statuses:?}");
}

#[test]
fn of_several_nodes_one_does_the_housekeeping_and_another_when_that_is_gone() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    let nodes = |cluster: &Cluster| {
        let status = cluster.nodes[1]
            .machine
            .cli(&["db", "status", "--json"])
            .done()
            .json();
        status["server"]["nodes"].as_array().expect("nodes").clone()
    };
    let both = nodes(&cluster);
    let leads: Vec<_> = both
        .iter()
        .map(|node| (node["name"].clone(), node["leads"].clone()))
        .collect();
    assert_eq!(
        leads,
        [
            ("node-1".into(), true.into()),
            ("node-2".into(), false.into())
        ]
    );
    cluster.nodes[0].server.stop();
    let left = nodes(&cluster);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["name"], "node-2");
    assert_eq!(left[0]["leads"], true);
}

#[test]
fn a_node_that_was_struck_off_joins_again() {
    let Some(cluster) = Cluster::start(1) else {
        return;
    };
    cluster.nodes[0].machine.add_user("alice", &[]);
    let session = cluster.sessions(1).remove(0);
    let mut asking = cluster.nodes[0].asking(&session);
    assert_eq!(check(&mut asking), 200);
    cluster.execute("UPDATE nodes SET left_at = seen_at");
    assert_eq!(check(&mut asking), 200, "from the database");
    wait_for("the node to join again", || {
        (cluster.number("SELECT count(*) FROM nodes WHERE left_at IS NULL") == 1).then_some(())
    });
}

#[test]
fn the_page_of_nodes_and_the_command_say_which_run_and_what_a_fail_over_loses() {
    let Some(cluster) = Cluster::start(2) else {
        return;
    };
    cluster.nodes[0].machine.add_user("root", &["--admin"]);
    let page = cluster.nodes[1]
        .machine
        .signed_in("root")
        .get("/admin/nodes");
    let status = cluster.nodes[0].machine.cli(&["db", "status"]).done().out;
    for words in ["node-1", "node-2", "all that is in no backup"] {
        assert!(
            page.body.to_lowercase().contains(words),
            "{words}: {}",
            page.body
        );
        assert!(status.contains(words), "{words}: {status}");
    }
}

#[test]
fn a_node_of_the_release_before_runs_on_a_schema_that_only_has_more() {
    let Some(mut cluster) = Cluster::start(1) else {
        return;
    };
    cluster.nodes[0].server.stop();
    cluster.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (30000101000000, 'of a later release', TRUE, '', 0)",
    );
    let node = &mut cluster.nodes[0];
    node.server = node.machine.start();
    node.server.stop();
    cluster.execute("UPDATE compatibility SET oldest = 30000101000000");
    let refused = cluster.nodes[0].machine.refuses_to_start();
    assert!(refused.contains("start the newer vestibule"), "{refused}");
}

#[test]
fn sign_ins_of_different_users_do_not_wait_for_each_other_and_changes_of_admins_do() {
    let Some(cluster) = Cluster::start(1) else {
        return;
    };
    let machine = &cluster.nodes[0].machine;
    machine.add_user("alice", &[]);
    run(async {
        let mut connection = cluster.database.connect().await;
        let mut tx = connection.begin().await.expect("a transaction");
        // As a sign-in of somebody else has it while it goes on.
        let lock = "SELECT pg_advisory_xact_lock_shared(7083165)";
        sqlx::raw_sql(lock).execute(&mut *tx).await.expect("a lock");
        let mut alice = machine.signed_in("alice");
        assert_eq!(alice.post("/logout", &[]).status, 303);
        machine.cli(&["user", "disable", "alice"]).failed();
    });
    machine.cli(&["user", "disable", "alice"]).done();
}
