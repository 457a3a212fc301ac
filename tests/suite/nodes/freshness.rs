//! What was ended at one node is over at every node, from the moment on at which its end was acknowledged.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::Connection as _;

use super::relay::Way;
use super::{Cluster, Node, Session, check};
use crate::process::keep_alive::Connection;
use crate::process::{run, wait_for};
use crate::support::PASSWORD;

const THREADS: usize = 4;

/// A node each, and a connection to it that was answered before.
fn asked(cluster: &Cluster, session: &Session) -> Vec<Connection> {
    let open = |node: &Node| {
        let mut connection = node.asking(session);
        assert_eq!(check(&mut connection), 200, "the session is live");
        // From memory, by now.
        assert_eq!(check(&mut connection), 200);
        connection
    };
    cluster.nodes.iter().map(open).collect()
}

/// Ends sessions at each node in turn, and asks all nodes at once about each: how many said that it is over, and how
/// many that it is not.
fn ended(
    cluster: &Cluster,
    sessions: &[Session],
    end: impl Fn(&Node, &Session) + Sync,
) -> (usize, usize) {
    let (over, live) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for share in sessions.chunks(sessions.len().div_ceil(THREADS)) {
            scope.spawn(|| {
                for (turn, session) in share.iter().enumerate() {
                    let mut asking = asked(cluster, session);
                    end(&cluster.nodes[turn % cluster.nodes.len()], session);
                    for connection in &mut asking {
                        match check(connection) {
                            401 => over.fetch_add(1, Ordering::Relaxed),
                            200 => live.fetch_add(1, Ordering::Relaxed),
                            other => panic!("{other}"),
                        };
                    }
                }
            });
        }
    });
    (over.into_inner(), live.into_inner())
}

/// Three nodes, with alice and an admin, whose session is the second value.
fn three() -> Option<(Cluster, Session)> {
    let cluster = Cluster::start(3)?;
    cluster.nodes[0].machine.add_user("alice", &[]);
    let admin = cluster.sessions(1).remove(0);
    cluster.execute("UPDATE users SET admin = TRUE WHERE username <> 'alice'");
    Some((cluster, admin))
}

fn sign_out(node: &Node, session: &Session) {
    assert_eq!(node.browser(session).post("/logout", &[]).status, 303);
}

#[test]
fn ses_04_after_its_sign_out_at_a_node_a_session_is_over_at_every_node() {
    let Some((cluster, _)) = three() else { return };
    let sessions = cluster.sessions(334);
    assert_eq!(ended(&cluster, &sessions, sign_out), (1_002, 0));
}

#[test]
fn adm_02_after_its_revoke_at_a_node_a_session_is_over_at_every_node() {
    let Some((cluster, admin)) = three() else {
        return;
    };
    let sessions = cluster.sessions(334);
    let revoke = |node: &Node, session: &Session| {
        let path = format!("/admin/sessions/{}/revoke", session.id);
        assert_eq!(node.browser(&admin).post(&path, &[]).status, 303);
    };
    assert_eq!(ended(&cluster, &sessions, revoke), (1_002, 0));
}

#[test]
fn ses_08_after_its_user_is_disabled_at_a_node_a_session_is_over_at_every_node() {
    let Some((cluster, admin)) = three() else {
        return;
    };
    let sessions = cluster.sessions(100);
    let disable = |node: &Node, session: &Session| {
        let path = format!("/admin/users/{}/disable", session.user_id);
        let answer = node.browser(&admin).post(&path, &[]);
        assert_eq!(answer.status, 303, "{}", answer.body);
    };
    assert_eq!(ended(&cluster, &sessions, disable), (300, 0));
}

#[test]
fn ses_09_after_a_change_of_password_at_a_node_the_old_secret_is_nothing_at_every_node() {
    let Some((cluster, _)) = three() else { return };
    let sessions = cluster.sessions(60);
    let change = |node: &Node, session: &Session| {
        let fields = [
            ("current_password", PASSWORD),
            ("new_password", "a much better secret"),
        ];
        let answer = node.browser(session).post("/account/password", &fields);
        assert_eq!(answer.status, 303, "{}", answer.body);
    };
    assert_eq!(ended(&cluster, &sessions, change), (180, 0));
}

#[test]
fn adm_02_after_a_revoke_by_the_command_line_a_session_is_over_at_every_node() {
    let Some((cluster, _)) = three() else { return };
    let sessions = cluster.sessions(60);
    let revoke = |node: &Node, session: &Session| {
        let id = session.id.to_string();
        node.machine.cli(&["session", "revoke", &id]).done();
    };
    assert_eq!(ended(&cluster, &sessions, revoke), (180, 0));
}

#[test]
fn atk_05_without_the_trigger_that_tells_of_it_an_end_is_missed() {
    let Some((cluster, _)) = three() else { return };
    cluster.execute("DROP TRIGGER sessions_changed ON sessions");
    let sessions = cluster.sessions(20);
    let (_, live) = ended(&cluster, &sessions, sign_out);
    assert!(
        live > 0,
        "the tests above would not see a lost invalidation"
    );
}

#[test]
fn atk_04_a_node_that_was_stopped_lets_nobody_pass_whose_session_was_ended_meanwhile() {
    let Some((cluster, _)) = three() else { return };
    for session in cluster.sessions(30) {
        let mut asking = asked(&cluster, &session);
        let sleeper = &cluster.nodes[2].server;
        sleeper.signal(Signal::STOP);
        sign_out(&cluster.nodes[0], &session);
        sleeper.signal(Signal::CONT);
        let answers: Vec<u16> = asking.iter_mut().rev().map(check).collect();
        assert_eq!(answers, [401; 3]);
    }
}

#[test]
fn a_node_that_the_database_does_not_answer_lets_nobody_pass() {
    let Some((cluster, _)) = three() else { return };
    for way in [Way::Held, Way::Cut, Way::Slow(Duration::from_millis(200))] {
        let session = cluster.sessions(1).remove(0);
        let mut asking = asked(&cluster, &session);
        cluster.nodes[2].relay.set(way);
        sign_out(&cluster.nodes[0], &session);
        let status = check(&mut asking[2]);
        assert!([401, 503].contains(&status), "{way:?}: {status}");
        cluster.nodes[2].relay.set(Way::Open);
        wait_for("the node to answer again", || {
            let mut connection = cluster.nodes[2].asking(&session);
            (check(&mut connection) == 401).then_some(())
        });
    }
}

#[test]
fn a_change_by_hand_is_seen_by_every_node() {
    let Some((cluster, _)) = three() else { return };
    let session = cluster.sessions(1).remove(0);
    let mut asking = asked(&cluster, &session);
    cluster.execute("UPDATE sessions SET ended_at = 1, end_reason = 'revoked', ended_by = 'psql'");
    for connection in &mut asking {
        wait_for("the end", || (check(connection) == 401).then_some(()));
    }
}

#[test]
fn a_change_that_commits_after_later_ones_is_not_missed() {
    let Some((cluster, _)) = three() else { return };
    let [early, late] = cluster
        .sessions(2)
        .try_into()
        .unwrap_or_else(|_| unreachable!());
    let mut asking_early = asked(&cluster, &early);
    let mut asking_late = asked(&cluster, &late);
    let end =
        "UPDATE sessions SET ended_at = 1, end_reason = 'revoked', ended_by = 'psql' WHERE id = $1";
    run(async {
        let mut first = cluster.database.connect().await;
        let mut tx = first.begin().await.expect("a transaction");
        let done = sqlx::query(end).bind(early.id).execute(&mut *tx).await;
        done.expect("an end that is not committed");
        let mut second = cluster.database.connect().await;
        let done = sqlx::query(end).bind(late.id).execute(&mut second).await;
        done.expect("an end");
        for connection in &mut asking_late {
            wait_for("the later end", || (check(connection) == 401).then_some(()));
        }
        assert_eq!(check(&mut asking_early[0]), 200, "it has not ended yet");
        tx.commit().await.expect("a commit");
    });
    for connection in &mut asking_early {
        wait_for("the earlier end", || {
            (check(connection) == 401).then_some(())
        });
    }
}
