//! What must not make the database's files grow, or others wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::super::keep_alive::Connection;
use super::super::{Browser, Machine, run, wait_for};
use super::{each, measured, median, metric};
use crate::support::PASSWORD;

const WAL: &str = "vestibule_database_wal_bytes";

/// What the WAL shrinks back to.
const LIMIT: f64 = 67_108_864.0;

fn sign_in(machine: &Machine) -> Browser {
    let mut browser = machine.anonymous();
    let answer = browser.sign_in("alice", PASSWORD);
    assert_eq!(answer.status, 303, "{}", answer.body);
    browser
}

#[test]
fn lod_07_a_reader_that_never_ends_is_told_by_the_size_of_the_wal_which_shrinks_once_it_does() {
    let machine = measured();
    let _server = machine.start();
    machine.add_user("alice", &[]);
    let reader = reading(&machine);
    let before = metric(&machine, WAL);
    for _ in 0..20 {
        sign_in(&machine);
    }
    assert!(
        metric(&machine, WAL) > before,
        "sign-ins are written, and told"
    );
    // As much as sign-ins would write in hours.
    machine.execute(
        "CREATE TABLE ballast (bytes BLOB) STRICT;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80)
         INSERT INTO ballast SELECT zeroblob(1048576) FROM n",
    );
    let mut browser = sign_in(&machine);
    assert_eq!(browser.session().status, 200);
    let size = metric(&machine, WAL);
    assert!(size > LIMIT, "{size}");
    run(reader.close()).expect("a close");
    wait_for("the WAL to shrink", || {
        sign_in(&machine);
        (metric(&machine, WAL) <= LIMIT).then_some(())
    });
    let file = std::fs::metadata(machine.path("vestibule.db-wal")).expect("a WAL");
    assert!(file.len() as f64 <= LIMIT, "{} bytes", file.len());
}

/// Another program's connection, in a read transaction that it does not end.
fn reading(machine: &Machine) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(machine.path("vestibule.db"));
    run(async {
        let mut reader = SqliteConnection::connect_with(&options)
            .await
            .expect("a database");
        sqlx::raw_sql("BEGIN; SELECT count(*) FROM users")
            .execute(&mut reader)
            .await
            .expect("a read");
        reader
    })
}

const EXPIRED: &str = "SELECT count(*) FROM sessions WHERE address = '203.0.113.9'";

/// 100,000 sessions that nobody used for a hundred days.
fn insert_expired(machine: &Machine) {
    machine.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at,
                               last_seen_at, idle_expires_at, expires_at, address, user_agent, device)
         SELECT randomblob(32), randomblob(16), (SELECT id FROM users LIMIT 1), 'password', 0, at, at,
                at, at + 43200000000, at + 604800000000, '203.0.113.9', 'a browser', 'A browser'
         FROM (SELECT i, (unixepoch() - 8640000) * 1000000 + i AS at FROM n)",
    );
}

/// How long checks took, one each 5 ms, until `over` says so.
fn checks(machine: &Machine, cookie: &str, mut over: impl FnMut() -> bool) -> Vec<Duration> {
    let mut connection = Connection::open(machine).with(cookie);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let checks = scope.spawn(|| {
            each(Duration::from_millis(5), &stop, || {
                assert_eq!(connection.send("GET", "/api/session", ""), 200);
            })
        });
        while !over() {
            thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
        checks.join().expect("no check fails")
    })
}

/// The requirement's two times at the 99th percentile are held at the median.
#[test]
fn ses_15_a_hundred_thousand_expired_sessions_are_removed_while_checks_go_on() {
    let machine = measured();
    machine.add_user("alice", &[]);
    let mut server = machine.start();
    let mut live: Vec<Browser> = (0..5).map(|_| sign_in(&machine)).collect();
    let cookie = live[0].cookie.clone();
    let mut turns = 0;
    let before = checks(&machine, &cookie, || {
        turns += 1;
        turns > 40
    });
    server.stop();
    insert_expired(&machine);
    assert_eq!(machine.number(EXPIRED), 100_000);
    let _server = machine.start();
    let during = checks(&machine, &cookie, || machine.number(EXPIRED) == 0);
    println!(
        "{} checks at {:?} before, {} at {:?} during",
        before.len(),
        median(&before),
        during.len(),
        median(&during)
    );
    assert!(during.len() > 100, "it was seen while it went on");
    assert!(median(&during) <= 2 * median(&before).max(Duration::from_millis(1)));
    assert!(
        live.iter_mut()
            .all(|browser| browser.session().status == 200)
    );
}
