//! Codes and tokens of applications over several nodes: made at one, spent at another, and over at all with their session.

use std::thread;

use super::{Cluster, Session};
use crate::process::application::Application;

const THREADS: usize = 4;

#[test]
fn oid_06_a_token_whose_session_ended_at_a_node_is_inactive_at_every_node() {
    let Some(cluster) = Cluster::start(3) else {
        return;
    };
    let machine = &cluster.nodes[0].machine;
    machine.add_user("alice", &[]);
    let application = Application::add(machine);
    let sessions = cluster.sessions(334);
    let inactive = thread::scope(|scope| {
        let shares = sessions.chunks(sessions.len().div_ceil(THREADS));
        let ending = shares.map(|share| scope.spawn(|| end(&cluster, &application, share)));
        let ending: Vec<_> = ending.collect();
        let inactive = ending.into_iter().map(|share| share.join());
        inactive
            .map(|share| share.expect("no panic"))
            .sum::<usize>()
    });
    assert_eq!(inactive, 1_002);
}

/// Has a code made at one node and spent at the next, ends the session at the third, and asks all about the token: how often
/// it was inactive.
fn end(cluster: &Cluster, application: &Application, sessions: &[Session]) -> usize {
    let mut inactive = 0;
    for (turn, session) in sessions.iter().enumerate() {
        let node = |ahead: usize| &cluster.nodes[(turn + ahead) % cluster.nodes.len()];
        let code = application.code(&mut node(0).browser(session));
        let tokens = application.exchange(&node(1).machine, &code).json();
        let token = tokens["access_token"].as_str().expect("a token");
        for node in &cluster.nodes {
            assert!(application.is_active(&node.machine, token));
        }
        let ended = node(2).browser(session).post("/logout", &[]);
        assert_eq!(ended.status, 303, "{}", ended.body);
        let nodes = cluster.nodes.iter();
        inactive += nodes
            .filter(|node| !application.is_active(&node.machine, token))
            .count();
    }
    inactive
}
