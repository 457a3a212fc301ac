//! An app token that was revoked at one node opens nothing at any, from the moment on at which the revoke was acknowledged.

use std::thread;

use sha2::{Digest as _, Sha256};
use sqlx::Connection as _;
use uuid::Uuid;
use vestibule::people::app_tokens::Secret;

use super::{Cluster, Node, Session};
use crate::process::keep_alive::Connection;
use crate::process::run;

const THREADS: usize = 4;

const ASKED: &str = "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: dav.example.com\r\n\
                     X-Forwarded-Uri: /\r\n";

/// A token with its id.
struct Token {
    id: Uuid,
    secret: Secret,
}

/// So many tokens of a session's user, for all sites.
fn tokens(cluster: &Cluster, owner: &Session, count: usize) -> Vec<Token> {
    run(async {
        let mut connection = cluster.database.connect().await;
        let mut tokens = Vec::new();
        for _ in 0..count {
            let token = Token {
                id: Uuid::now_v7(),
                secret: Secret::generate(),
            };
            let hash = Sha256::digest(token.secret.reveal());
            let inserted = sqlx::query(
                "INSERT INTO app_tokens (hash, id, user_id, name, networks, two_factor, created_at, created_by)
                 VALUES ($1, $2, $3, 'calendar', '', FALSE, 1, '')",
            );
            let inserted = inserted
                .bind(hash.as_slice())
                .bind(token.id)
                .bind(owner.user_id)
                .execute(&mut connection)
                .await;
            inserted.expect("a token");
            tokens.push(token);
        }
        connection.close().await.expect("a close");
        tokens
    })
}

fn check(connection: &mut Connection, token: &Token) -> u16 {
    let authorization = format!("Authorization: Bearer {}\r\n", token.secret.reveal());
    let headers = format!("{ASKED}{authorization}");
    connection.send("GET", "/api/authz/forward-auth", &headers)
}

#[test]
fn tok_03_a_token_that_was_revoked_at_a_node_opens_nothing_at_every_node() {
    let settings = [("VESTIBULE_TRUSTED_PROXIES", "[\"127.0.0.1\"]".to_owned())];
    let Some(cluster) = Cluster::start_with(3, &settings) else {
        return;
    };
    let machine = &cluster.nodes[0].machine;
    machine.add_user("alice", &[]);
    let site = ["site", "add", "dav.example.com", "--tokens", "on"];
    machine.cli(&site).done();
    let owner = cluster.sessions(1).remove(0);
    let tokens = tokens(&cluster, &owner, 334);
    let refused = thread::scope(|scope| {
        let shares = tokens.chunks(tokens.len().div_ceil(THREADS));
        let revoking = shares.map(|share| scope.spawn(|| revoke(&cluster, &owner, share)));
        let revoking: Vec<_> = revoking.collect();
        let refused = revoking.into_iter().map(|share| share.join());
        refused.map(|share| share.expect("no panic")).sum::<usize>()
    });
    assert_eq!(refused, 1_002);
}

/// Revokes tokens at each node in turn, and asks all nodes about each: how often one was refused.
fn revoke(cluster: &Cluster, owner: &Session, tokens: &[Token]) -> usize {
    let nodes = cluster.nodes.iter();
    let open = |node: &Node| Connection::open(&node.machine);
    let mut asking: Vec<Connection> = nodes.map(open).collect();
    let mut refused = 0;
    for (turn, token) in tokens.iter().enumerate() {
        for connection in &mut asking {
            assert_eq!(check(connection, token), 200);
            // From memory, by now.
            assert_eq!(check(connection, token), 200);
        }
        let revoke = format!("/account/tokens/{}/revoke", token.id);
        let node = &cluster.nodes[turn % cluster.nodes.len()];
        let answer = node.browser(owner).post(&revoke, &[]);
        assert_eq!(answer.status, 303, "{}", answer.body);
        let answers = asking.iter_mut().map(|connection| check(connection, token));
        refused += answers.filter(|status| *status == 401).count();
    }
    refused
}
