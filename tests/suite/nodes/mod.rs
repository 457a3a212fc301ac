//! Several nodes on one database of PostgreSQL's.

mod address;
mod fail_over;
mod faults;
mod freshness;
mod grants;
mod import;
mod keys;
mod moving;
mod operations;
mod races;
mod relay;
mod together;
mod tokens;

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;
use vestibule::foundation::token::Token;

use crate::process::keep_alive::Connection;
use crate::process::{Browser, Machine, Server, run};
use crate::support::postgres::Database;
use relay::Relay;

/// Nodes, each on a machine of its own, and what they share.
pub struct Cluster {
    database: Database,
    nodes: Vec<Node>,
    settings: Vec<(&'static str, String)>,
}

pub struct Node {
    machine: Machine,
    server: Server,
    /// What stands between it and the database.
    relay: Relay,
}

/// A session that was put into the database, with the cookie that opens it.
#[derive(Clone)]
pub struct Session {
    id: Uuid,
    user_id: Uuid,
    cookie: String,
}

impl Cluster {
    /// `None` where there is no PostgreSQL to be had.
    pub fn start(nodes: usize) -> Option<Self> {
        Self::start_with(nodes, &[])
    }

    /// With settings of all nodes.
    pub fn start_with(nodes: usize, settings: &[(&'static str, String)]) -> Option<Self> {
        Some(Self::on(run(Database::empty())?, nodes, settings))
    }

    pub fn on(database: Database, nodes: usize, settings: &[(&'static str, String)]) -> Self {
        let mut cluster = Self {
            database,
            nodes: Vec::new(),
            settings: settings.to_vec(),
        };
        for _ in 0..nodes {
            cluster.add();
        }
        cluster
    }

    pub fn add(&mut self) -> &Node {
        let number = self.nodes.len() + 1;
        let relay = Relay::start(self.database.socket());
        let url = self.database.url_by(relay.port());
        let machine = Machine::new()
            .on_server(&url)
            .set("VESTIBULE_NODES__NAME", &format!("node-{number}"));
        let settings = self.settings.iter();
        let machine = settings.fold(machine, |machine, (name, value)| machine.set(name, value));
        let server = machine.start();
        self.nodes.push(Node {
            machine,
            server,
            relay,
        });
        self.nodes.last().expect("a node")
    }

    pub fn execute(&self, statements: &'static str) {
        run(async {
            let mut connection = self.database.connect().await;
            let done = sqlx::raw_sql(statements).execute(&mut connection).await;
            done.expect("statements");
            connection.close().await.expect("a close");
        });
    }

    pub fn number(&self, query: &'static str) -> i64 {
        run(async {
            let mut connection = self.database.connect().await;
            let number = sqlx::query_scalar(query).fetch_one(&mut connection).await;
            connection.close().await.expect("a close");
            number.expect("a number")
        })
    }

    /// Users like alice, who is there, with a session each.
    pub fn sessions(&self, count: usize) -> Vec<Session> {
        run(async {
            let mut connection = self.database.connect().await;
            let mut sessions = Vec::new();
            for _ in 0..count {
                sessions.push(Session::insert(&mut connection).await);
            }
            connection.close().await.expect("a close");
            sessions
        })
    }
}

impl Session {
    async fn insert(connection: &mut PgConnection) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let token = Token::generate();
        let username = format!("user-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let (id, user_id) = (Uuid::now_v7(), Uuid::now_v7());
        let user = sqlx::query(
            "INSERT INTO users (id, username, display_name, admin, password_hash, password_changed_at, created_at)
             SELECT $1, $2, $2, FALSE, password_hash, password_changed_at, created_at FROM users WHERE username = 'alice'",
        );
        let user = user
            .bind(user_id)
            .bind(&username)
            .execute(&mut *connection)
            .await;
        assert_eq!(user.expect("a user").rows_affected(), 1, "alice is there");
        let session = sqlx::query(
            "INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                                   idle_expires_at, expires_at, address, user_agent, device, data)
             SELECT $1, $2, $3, 'password', FALSE, now, now, now, now + 3600000000, now + 7200000000, '192.0.2.1', '', '', '{}'
             FROM (SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) AS now) t",
        );
        let hash = Sha256::digest(URL_SAFE_NO_PAD.decode(token.reveal()).expect("a token"));
        let session = session.bind(hash.as_slice()).bind(id).bind(user_id);
        session.execute(connection).await.expect("a session");
        Self {
            id,
            user_id,
            cookie: format!("vestibule={}", token.reveal()),
        }
    }
}

impl Node {
    /// A connection on which a session asks who it is.
    pub fn asking(&self, session: &Session) -> Connection {
        Connection::open(&self.machine).with(&session.cookie)
    }

    pub fn browser(&self, session: &Session) -> Browser {
        Browser {
            cookie: session.cookie.clone(),
            ..self.machine.anonymous()
        }
    }
}

/// What a check of a session is answered.
pub fn check(connection: &mut Connection) -> u16 {
    connection.send("GET", "/api/session", "")
}
