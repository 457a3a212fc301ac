//! The standby is promoted while clients ask, and one node still reaches the old primary alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{Cluster, Node, Session, check};
use crate::process::{Browser, Machine, run, wait_for};
use crate::support::PASSWORD;
use crate::support::postgres::Database;

/// Signs in until told to stop, and gives the browsers whose sign-in was acknowledged.
fn sign_in_until(over: &AtomicBool, machine: &Machine) -> Vec<Browser> {
    let mut signed_in = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let mut browser = machine.anonymous();
        if browser.sign_in("alice", PASSWORD).status == 303 {
            signed_in.push(browser);
        }
    }
    signed_in
}

/// Signs these out, each until it is acknowledged.
fn sign_out(node: &Node, sessions: &[Session]) {
    for session in sessions {
        wait_for("a sign-out", || {
            let answer = node.browser(session).post("/logout", &[]);
            (answer.status == 303).then_some(())
        });
    }
}

#[test]
fn nod_03_a_fail_over_to_a_synchronous_standby_loses_nothing_and_the_old_primary_lets_nobody_pass()
{
    let Some(database) = run(Database::alone()) else {
        return;
    };
    let standby = database.standby();
    let settings = [("VESTIBULE_SESSIONS__MAX_PER_USER", "10000".to_owned())];
    let cluster = Cluster::on(database, 3, &settings);
    cluster.nodes[0].machine.add_user("alice", &[]);
    let (kept, before, after) = (
        cluster.sessions(20),
        cluster.sessions(20),
        cluster.sessions(20),
    );
    cluster.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    cluster.execute("SELECT pg_reload_conf()");
    wait_for("a synchronous standby", || {
        let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        (cluster.number(synchronous) == 1).then_some(())
    });

    let [one, two, left] = &cluster.nodes[..] else {
        panic!("three nodes");
    };
    let over = AtomicBool::new(false);
    let signed_in = thread::scope(|scope| {
        let signing_in = scope.spawn(|| sign_in_until(&over, &one.machine));
        sign_out(two, &before);
        run(standby.promote());
        for node in [one, two] {
            node.relay.lead_to(standby.socket());
        }
        sign_out(two, &after);
        over.store(true, Ordering::Relaxed);
        signing_in.join().expect("no panic")
    });

    for node in [one, two] {
        wait_for("the node at the new primary", || {
            (check(&mut node.asking(&kept[0])) == 200).then_some(())
        });
        for session in &kept {
            assert_eq!(check(&mut node.asking(session)), 200);
        }
        for session in before.iter().chain(&after) {
            assert_eq!(check(&mut node.asking(session)), 401, "it was ended");
        }
    }
    assert!(!signed_in.is_empty());
    for mut browser in signed_in {
        assert_eq!(
            browser.session().status,
            200,
            "its sign-in was acknowledged"
        );
    }
    for session in before.iter().chain(&after) {
        assert_ne!(check(&mut left.asking(session)), 200, "at the old primary");
    }
}
