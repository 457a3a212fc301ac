//! More checks of sessions than people make.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::Machine;
use super::super::keep_alive::Connection;
use super::{each, measured, median, metric};

const WRITES: &str = "vestibule_database_seconds_count{operation=\"write\"}";

fn wal_bytes(machine: &Machine) -> u64 {
    std::fs::metadata(machine.path("vestibule.db-wal"))
        .expect("a WAL")
        .len()
}

#[test]
fn lod_06_five_thousand_checks_of_a_session_in_five_seconds_write_once() {
    let machine = measured();
    let _server = machine.start();
    machine.add_user("alice", &[]);
    let mut alice = machine.signed_in("alice");
    // So long ago that the next use is worth a write.
    machine.execute("UPDATE sessions SET last_seen_at = last_seen_at - 120000000");
    let (writes, wal) = (metric(&machine, WRITES), wal_bytes(&machine));
    let mut connection = Connection::open(&machine).with(&alice.cookie);
    let began = Instant::now();
    for number in 0..5_000 {
        assert_eq!(connection.send("GET", "/api/session", ""), 200);
        // No faster than that: the uses are to fall into several seconds.
        let due = began + Duration::from_millis(1) * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    assert!(began.elapsed() > Duration::from_secs(4));
    let written = metric(&machine, WRITES) - writes;
    // The session's use, and the sweep of each minute.
    assert!((1.0..=2.0).contains(&written), "{written} writes");
    let grown = wal_bytes(&machine).saturating_sub(wal);
    assert!(grown < 1024 * 1024, "{grown} bytes");
    assert_eq!(alice.session().status, 200);
}

/// Asks with each of `cookies` in turn, over four connections without a pause, while `valid` is asked
/// with now and then; gives how many were asked, and how long the valid one took each time.
fn asked_beside(
    machine: &Machine,
    valid: &str,
    cookie: impl Fn() -> String + Sync,
    status: u16,
) -> (u64, Vec<Duration>) {
    let over = AtomicBool::new(false);
    let mut connection = Connection::open(machine).with(valid);
    thread::scope(|scope| {
        let askers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::open(machine);
                    let asked = each(Duration::ZERO, &over, || {
                        let header = format!("Cookie: {}\r\n", cookie());
                        assert_eq!(connection.send("GET", "/api/session", &header), status);
                    });
                    asked.len() as u64
                })
            })
            .collect();
        let until = Instant::now() + Duration::from_secs(3);
        let mut took = Vec::new();
        while Instant::now() < until {
            let began = Instant::now();
            assert_eq!(connection.send("GET", "/api/session", ""), 200);
            took.push(began.elapsed());
            thread::sleep(Duration::from_millis(2));
        }
        over.store(true, Ordering::Relaxed);
        let asked = askers
            .into_iter()
            .map(|asker| asker.join().expect("an asker"));
        (asked.sum(), took)
    })
}

fn guess() -> String {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).expect("random bytes");
    format!("vestibule={}", URL_SAFE_NO_PAD.encode(secret))
}

/// What guesses do to others is compared to what as many right cookies do.
#[test]
fn bru_10_guessing_a_session_s_secret_is_denied_unwritten_and_hinders_nobody_else() {
    let machine = measured();
    let server = machine.start();
    machine.add_user("alice", &[]);
    machine.add_user("bob", &[]);
    let (alice, bob) = (machine.signed_in("alice"), machine.signed_in("bob"));
    let (_, beside_right) = asked_beside(&machine, &alice.cookie, || bob.cookie.clone(), 200);
    let (writes, wal, logged) = (
        metric(&machine, WRITES),
        wal_bytes(&machine),
        server.err().lines().count(),
    );
    let (guesses, beside_guesses) = asked_beside(&machine, &alice.cookie, guess, 401);
    println!(
        "{guesses} guesses; a valid session's median: {:?}, beside right cookies {:?}",
        median(&beside_guesses),
        median(&beside_right)
    );
    assert!(guesses > 1_000, "{guesses}");
    let written = metric(&machine, WRITES) - writes;
    assert!(
        written <= 1.0,
        "{written} writes; one is the sweep of each minute"
    );
    assert!(wal_bytes(&machine) - wal < 64 * 1024);
    let lines = server.err().lines().count() - logged;
    assert!(lines <= 200, "{lines} lines in three seconds");
    assert!(median(&beside_guesses) <= 2 * median(&beside_right));
}
