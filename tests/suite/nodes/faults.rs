//! What nodes and the database survive.

use std::fs;

use sqlx::Connection as _;
use vestibule::foundation::db::{self, Db, Location};

use super::{Cluster, check};
use crate::process::{Browser, Machine, Server, is_there, run, wait_for};
use crate::support::PASSWORD;
use crate::support::postgres::Database;

/// nginx with the shipped file, in front of these nodes.
fn nginx(cluster: &Cluster, machine: &Machine) -> Server {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/nodes/upstream.conf");
    let mut upstream = fs::read_to_string(shipped).expect("a file");
    for (at, node) in cluster.nodes.iter().enumerate() {
        let shipped = format!("127.0.0.1:{}", 8001 + at);
        upstream = upstream.replace(&shipped, &format!("127.0.0.1:{}", node.machine.port));
    }
    let text = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}
         http {{
             access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u;
             scgi_temp_path s;
             {upstream}
             server {{
                 listen 127.0.0.1:{};
                 location / {{
                     proxy_pass http://vestibule;
                     proxy_set_header Host $http_host;
                     proxy_set_header X-Forwarded-For $remote_addr;
                 }}
             }}
         }}",
        machine.port
    );
    fs::write(machine.path("nginx.conf"), text).expect("a file");
    let mut command = machine.command("nginx");
    command
        .arg("-p")
        .arg(machine.path(""))
        .args(["-c", "nginx.conf", "-e", "stderr"]);
    Server::spawn(command)
}

#[test]
fn who_is_signed_in_stays_so_while_one_node_after_another_is_killed_and_started() {
    if !is_there("nginx", "nginx asks the node that is left") {
        return;
    }
    let front = Machine::new();
    let public_url = format!("http://localhost:{}", front.port);
    let Some(mut cluster) = Cluster::start_with(3, &[("VESTIBULE_PUBLIC_URL", public_url)]) else {
        return;
    };
    let _nginx = nginx(&cluster, &front);
    wait_for("nginx", || {
        std::net::TcpStream::connect(("127.0.0.1", front.port)).ok()
    });
    cluster.nodes[0].machine.add_user("alice", &[]);
    let mut alice: Browser = front.anonymous();
    assert_eq!(alice.sign_in("alice", PASSWORD).status, 303);
    for turn in 0..3 {
        let node = &mut cluster.nodes[turn];
        node.server.signal(rustix::process::Signal::KILL);
        node.server.ended();
        for _ in 0..20 {
            assert_eq!(alice.session().status, 200);
        }
        node.server = node.machine.start();
    }
    assert_eq!(alice.post("/logout", &[]).status, 303);
    for _ in 0..20 {
        assert_eq!(alice.session().status, 401);
    }
}

#[test]
fn a_node_whose_key_file_cannot_be_read_stays_one_of_the_nodes() {
    let Some(database) = run(Database::empty()) else {
        return;
    };
    let machine = Machine::new();
    machine.write_key(b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let key = machine.path("vestibule.key");
    let machine = machine
        .set("DATABASE_URL", &database.url())
        .set("VESTIBULE_SECRETS__KEY_FILE", &key.display().to_string());
    let _server = machine.start();
    fs::remove_file(key).expect("a file");
    let seen_at = || {
        run(async {
            let mut connection = database.connect().await;
            let query = "SELECT max(seen_at) FROM nodes WHERE left_at IS NULL AND key_ids <> ''";
            let seen: Option<i64> = sqlx::query_scalar(query)
                .fetch_one(&mut connection)
                .await
                .expect("a time");
            connection.close().await.expect("a close");
            seen
        })
    };
    // The first may have been under way when the file went.
    for _ in 0..2 {
        let before = seen_at();
        wait_for("a sign of life", || (seen_at() > before).then_some(()));
    }
}

#[test]
fn a_killed_node_loses_nothing_that_it_has_acknowledged() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    cluster.nodes[0].machine.add_user("alice", &[]);
    let sessions = cluster.sessions(20);
    for session in &sessions {
        assert_eq!(
            cluster.nodes[0]
                .browser(session)
                .post("/logout", &[])
                .status,
            303
        );
    }
    cluster.nodes.remove(0).server.kill();
    for session in &sessions {
        assert_eq!(check(&mut cluster.nodes[0].asking(session)), 401);
    }
    let more = cluster.sessions(1).remove(0);
    assert_eq!(
        cluster.nodes[0].browser(&more).post("/logout", &[]).status,
        303
    );
}

#[test]
fn nodes_go_on_when_their_connections_are_ended() {
    let Some(cluster) = Cluster::start(2) else {
        return;
    };
    cluster.nodes[0].machine.add_user("alice", &[]);
    let session = cluster.sessions(1).remove(0);
    cluster.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    for node in &cluster.nodes {
        wait_for("an answer", || {
            (check(&mut node.asking(&session)) == 200).then_some(())
        });
    }
}

#[test]
fn atk_07_a_server_whose_synchronous_standby_confirms_nothing_is_not_believed() {
    let Some(database) = run(Database::alone()) else {
        return;
    };
    let cluster = Cluster::on(database, 1, &[]);
    cluster.nodes[0].machine.add_user("alice", &[]);
    let session = cluster.sessions(1).remove(0);
    let mut asking = cluster.nodes[0].asking(&session);
    assert_eq!(check(&mut asking), 200);
    cluster.execute("ALTER SYSTEM SET synchronous_standby_names = 'gone'");
    cluster.execute("SELECT pg_reload_conf()");
    wait_for("the node to believe nothing", || {
        (check(&mut asking) == 503).then_some(())
    });
    assert_eq!(check(&mut asking), 503);
    cluster.execute("ALTER SYSTEM RESET synchronous_standby_names");
    cluster.execute("SELECT pg_reload_conf()");
    wait_for("the node to believe it again", || {
        (check(&mut asking) == 200).then_some(())
    });
}

/// PostgreSQL answers such a COMMIT with a ROLLBACK, and the driver does not look.
#[rocket::async_test]
async fn nod_02_a_swallowed_error_is_never_a_commit() {
    let Some(database) = Database::migrated().await else {
        return;
    };
    let server = Location::from(db::Server::of(database.options()));
    let db = Db::open(&server, 10).await.expect("a database");
    let mut tx = db.begin().await.expect("a turn");
    for _ in 0..2 {
        let insert = "INSERT INTO groups (name) VALUES ('staff')";
        // The second one fails.
        let _ = tx.query(insert).execute().await;
    }
    assert!(tx.commit().await.is_err());
    let names = db.reader().query("SELECT name FROM groups");
    let names: Vec<String> = names.scalars().await.expect("names");
    assert!(names.is_empty(), "{names:?}");
}
