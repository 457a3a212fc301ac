use std::net::TcpStream;
use std::time::Instant;

use rustix::process::Signal;

use super::*;

/// How many damaged databases are tried.
const VARIANTS: u64 = 60;

/// A database as a power cut leaves it: most of what was answered is in the file, the rest in the WAL.
struct Original {
    database: Vec<u8>,
    wal: Vec<u8>,
    key: Vec<u8>,
    /// Of sessions that are live, or were ended, in the file already.
    live: Vec<Browser>,
    ended: Vec<Browser>,
}

impl Original {
    fn make() -> Self {
        let machine = with_alice();
        let mut server = machine.start();
        let live: Vec<Browser> = (0..6).map(|_| machine.signed_in("alice")).collect();
        let ended: Vec<Browser> = (0..3).map(|_| signed_out(&machine)).collect();
        server.stop();
        let server = machine.start();
        machine.signed_in("alice");
        signed_out(&machine);
        server.kill();
        let read = |name| fs::read(machine.path(name)).expect("a file");
        Self {
            database: read("vestibule.db"),
            wal: read("vestibule.db-wal"),
            key: read("vestibule.key"),
            live,
            ended,
        }
    }
}

/// A browser that still has the cookie of the session that it ended.
fn signed_out(machine: &Machine) -> Browser {
    let browser = machine.signed_in("alice");
    assert_eq!(browser.clone().post("/logout", &[]).status, 303);
    browser
}

/// Numbers that are the same in each run: SplitMix64, by Sebastiano Vigna.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % limit
    }
}

/// Damages a database or its WAL in one of many ways, and says how.
fn damage(variant: u64, database: &mut Vec<u8>, wal: &mut Vec<u8>, foreign: &[u8]) -> String {
    let mut numbers = Numbers(variant);
    let page = |numbers: &mut Numbers, file: &[u8]| numbers.below(file.len() / 4096) * 4096;
    let at = numbers.below(database.len());
    let in_wal = numbers.below(wal.len());
    match variant % 12 {
        0 | 1 => {
            database[at] ^= 1 << numbers.below(8);
            format!("a bit flipped at {at}")
        }
        2 => {
            // Where a b-tree's page has its shape.
            let at = page(&mut numbers, database) + numbers.below(16);
            database[at] ^= 1 << numbers.below(8);
            format!("a bit flipped at {at}")
        }
        3 => {
            let end = (at + 200).min(database.len());
            database[at..end].fill_with(|| numbers.below(256) as u8);
            format!("noise at {at}")
        }
        4 => {
            let at = page(&mut numbers, database);
            database[at..at + 4096].fill(0);
            format!("zeroes for the page at {at}")
        }
        5 => {
            database.truncate(at);
            format!("cut at {at}")
        }
        6 => {
            let (one, other) = (page(&mut numbers, database), page(&mut numbers, database));
            database.copy_within(one..one + 4096, other);
            format!("the page at {one} in place of that at {other}")
        }
        7 => {
            let at = numbers.below(100);
            database[at] ^= 1 << numbers.below(8);
            format!("a bit flipped in the header at {at}")
        }
        8 => {
            wal[in_wal] ^= 1 << numbers.below(8);
            format!("a bit flipped in the WAL at {in_wal}")
        }
        9 => {
            wal.truncate(in_wal);
            format!("the WAL cut at {in_wal}")
        }
        10 => {
            wal.clear();
            wal.extend_from_slice(foreign);
            "another database's WAL".to_owned()
        }
        _ => {
            wal.clear();
            "the WAL emptied".to_owned()
        }
    }
}

#[test]
fn flt_05_a_damaged_database_is_refused_with_what_to_do_or_holds_what_was_promised() {
    let original = Original::make();
    let foreign = Original::make().wal;
    let (mut refused, mut served) = (0, 0);
    for variant in 0..VARIANTS {
        let (mut database, mut wal) = (original.database.clone(), original.wal.clone());
        let how = damage(variant, &mut database, &mut wal, &foreign);
        let machine = Machine::new();
        fs::write(machine.path("vestibule.db"), &database).expect("a file");
        machine.write_key(&original.key);
        fs::write(machine.path("vestibule.db-wal"), &wal).expect("a file");
        fs::write(machine.path("vestibule.db.lock"), "There was one.").expect("a file");
        fs::write(machine.path("older.db"), &original.database).expect("a file");
        let mut server = Server::spawn(machine.command(program()));
        let serves = wait_for("a start or a refusal", || {
            let listens = || TcpStream::connect(("127.0.0.1", machine.port)).is_ok();
            (server.has_ended() || listens()).then(|| !server.has_ended())
        });
        if serves {
            served += 1;
            let status = |browser: &Browser| {
                let mut browser = browser.clone();
                browser.port = machine.port;
                browser.host = format!("localhost:{}", machine.port);
                browser.session().status
            };
            for browser in &original.live {
                assert!(
                    [200, 503].contains(&status(browser)),
                    "variant {variant}, {how}: {}",
                    server.err()
                );
            }
            for browser in &original.ended {
                assert!(
                    [401, 503].contains(&status(browser)),
                    "variant {variant}, {how}: {}",
                    server.err()
                );
            }
            let mut stranger = original.live[0].clone();
            stranger.cookie = format!("vestibule={}", "A".repeat(43));
            assert!(
                [401, 503].contains(&status(&stranger)),
                "variant {variant}, {how}"
            );
            server.signal(Signal::KILL);
            server.ended();
        } else {
            refused += 1;
            assert_eq!(server.ended().code(), Some(1));
            let err = server.err();
            assert!(
                err.contains("db restore") && err.contains("older.db"),
                "variant {variant}, {how}: {err}"
            );
            assert!(
                fs::read(machine.path("vestibule.db")).expect("a file") == database,
                "{how}: it was changed"
            );
            assert!(
                fs::read(machine.path("vestibule.db-wal")).expect("a file") == wal,
                "{how}: its WAL was"
            );
        }
        let err = server.err();
        assert!(!err.contains("panicked"), "variant {variant}, {how}: {err}");
    }
    assert!(
        refused >= 15 && served >= 15,
        "{refused} refused, {served} served"
    );
}

#[test]
fn flt_05_damage_that_shows_while_serving_stops_writes_and_says_what_to_do() {
    let machine = with_alice();
    machine.start().stop();
    let mut server = machine.start();
    let mut alice = machine.signed_in("alice");
    server.stop();
    let mut server = machine.start();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(machine.path("vestibule.db"))
        .expect("a file");
    let pages = file.metadata().expect("a file").len() / 4096;
    for page in 1..pages {
        file.write_all_at(&[0xa5; 8], page * 4096).expect("a write");
    }
    for _ in 0..3 {
        assert_eq!(alice.session().status, 503);
        assert_eq!(try_to_sign_in(&machine).0, 503);
    }
    assert_eq!(readiness(&machine), 503);
    assert_eq!(machine.anonymous().get("/healthz").status, 200);
    let err = server.err();
    assert_eq!(err.matches("db restore").count(), 1, "{err}");
    server.stop();
    assert!(machine.refuses_to_start().contains("db restore"));
    assert!(!err.contains("panicked"), "{err}");
}

/// With a database that is too large to be checked before the start.
fn with_a_large_database() -> Machine {
    let machine = with_alice();
    machine.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
         INSERT INTO audit (id, at, event, result, source, detail)
         SELECT randomblob(16), i, 'sign_in', 'ok', 'web', hex(randomblob(200)) FROM n;
         PRAGMA wal_checkpoint(TRUNCATE);",
    );
    machine
}

#[test]
fn flt_05_a_large_database_is_read_as_a_whole_while_it_is_served() {
    let machine = with_a_large_database();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(machine.path("vestibule.db"))
        .expect("a file");
    let size = file.metadata().expect("a file").len();
    assert!(size > 9 * 1024 * 1024, "{size}");
    file.write_all_at(&[0xa5; 8], size / 2 / 4096 * 4096)
        .expect("a write");
    let server = Server::spawn(machine.command(program()));
    wait_for("a word about it", || {
        server.err().contains("db restore").then_some(())
    });
    assert_eq!(readiness(&machine), 503);
    assert_eq!(try_to_sign_in(&machine).0, 503);
}

#[test]
fn flt_05_a_large_database_is_checked_after_a_kill_and_left_alone_after_a_clean_stop() {
    let machine = with_a_large_database();
    let says = |server: &Server, what: &str| {
        wait_for(what, || server.err().contains(what).then_some(()));
    };
    let mut server = machine.start();
    says(&server, "integrity check done");
    server.stop();
    let server = machine.start();
    says(&server, "no integrity check");
    server.kill();
    let server = machine.start();
    says(&server, "the last stop was not clean");
    says(&server, "integrity check done");
}

#[test]
fn flt_05_the_check_of_a_large_database_takes_about_a_tenth_of_a_core() {
    let machine = with_a_large_database();
    machine.execute(
        "INSERT INTO audit (id, at, event, result, source, detail)
         SELECT randomblob(16), at, event, result, source, detail FROM audit",
    );
    let server = machine.start();
    let (used, begun) = (server.cpu_ticks(), Instant::now());
    wait_for("the check to end", || {
        server.err().contains("integrity check done").then_some(())
    });
    let (ticks, took) = (server.cpu_ticks() - used, begun.elapsed());
    assert!(ticks >= 5, "it did something: {ticks} ticks");
    let most = took.as_millis() as u64 / 10 / 5;
    assert!(ticks <= most, "{ticks} ticks in {took:?}");
}
