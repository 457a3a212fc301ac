//! Codes and tokens of applications over several nodes: made at one, spent at another, and over at all with their session.

use std::thread;

use serde_json::Value;

use super::{Cluster, Node, Session};
use crate::oidc::{VERIFIER, challenge, parameter, query};
use crate::process::Machine;

const THREADS: usize = 4;

const CALLBACK: &str = "https://app.example.com/callback";

/// An application, as an admin has added it.
struct Application {
    id: String,
    secret: String,
}

impl Application {
    fn add(machine: &Machine) -> Self {
        let add = ["client", "add", "app", "--redirect-uri", CALLBACK, "--json"];
        let added = machine.cli(&add).done().json();
        let text = |name: &str| added[name].as_str().expect("a text").to_owned();
        Self {
            id: text("client_id"),
            secret: text("client_secret"),
        }
    }

    /// A code for a session's user, made at this node.
    fn code(&self, node: &Node, session: &Session) -> String {
        let challenge = challenge(VERIFIER);
        let parameters = [
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let way = format!("/oauth/authorize?{}", query(&parameters));
        let answer = node.browser(session).get(&way);
        assert_eq!(answer.status, 303, "{}", answer.body);
        parameter(answer.header("location"), "code").expect("a code")
    }

    fn ask(&self, node: &Node, path: &str, fields: &[(&str, &str)]) -> Value {
        let own = [
            ("client_id", self.id.as_str()),
            ("client_secret", self.secret.as_str()),
        ];
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain(own).collect();
        node.machine.anonymous().post(path, &fields).json()
    }

    fn is_active(&self, node: &Node, token: &str) -> bool {
        let told = self.ask(node, "/oauth/introspect", &[("token", token)]);
        told["active"].as_bool().expect("active")
    }
}

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
        let code = application.code(node(0), session);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let tokens = application.ask(node(1), "/oauth/token", &fields);
        let token = tokens["access_token"].as_str().expect("a token");
        for node in &cluster.nodes {
            assert!(application.is_active(node, token));
        }
        let ended = node(2).browser(session).post("/logout", &[]);
        assert_eq!(ended.status, 303, "{}", ended.body);
        let nodes = cluster.nodes.iter();
        inactive += nodes
            .filter(|node| !application.is_active(node, token))
            .count();
    }
    inactive
}
