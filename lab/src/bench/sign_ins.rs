//! Sign-ins, against what the machine's cores can hash at all.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use xtask::run::{Stop, failed, say};

use super::databases::{Folder, SMALL};
use super::goals::{Measured, SIGN_INS};
use super::report::Part;
use super::{ADMIN, add_admin};
use crate::driver::{self, Client, Instance, PASSWORD};
use crate::sqlite;
use crate::statistics::median;

/// Measured turns of each, and how long one is.
const TURNS: (usize, Duration) = (5, Duration::from_secs(5));
const QUICK_TURNS: (usize, Duration) = (2, Duration::from_secs(2));

pub fn run(quick: bool) -> Result<Part, Stop> {
    driver::build(driver::Profile::Dist)?;
    let (turns, time) = if quick { QUICK_TURNS } else { TURNS };
    let folder = Folder::create()?;
    let database = folder.database(SMALL)?;
    add_admin(&database)?;
    let users = with_passwords(&database).map_err(failed("no users"))?;
    let server = Instance::on(&database)?.start()?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    say(&format!("measuring sign-ins, {turns} turns of {time:?}"));
    let next = AtomicUsize::new(0);
    let (mut hashes, mut sign_ins) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        hashes.push(rate(cores, time, || {
            hash();
            Ok(())
        })?);
        // Twice as many people as cores: while one is answered, another's password is hashed.
        sign_ins.push(rate(2 * cores, time, || {
            let user = &users[next.fetch_add(1, Ordering::Relaxed) % users.len()];
            Client::signed_in(server.address, user).map(drop)
        })?);
    }
    let (hashes, sign_ins) = (
        median(&hashes, |rate| *rate),
        median(&sign_ins, |rate| *rate),
    );
    Ok(Part {
        name: "sign-ins",
        text: format!(
            "{cores} cores hash {hashes:.0} passwords a second by argon2id (19456 KiB, 2 passes); \
             the server signs in {sign_ins:.0} users a second.\n"
        ),
        json: json!({ "hashes_per_second": hashes, "sign_ins_per_second": sign_ins }),
        measured: vec![Measured {
            goal: &SIGN_INS,
            figure: sign_ins / hashes,
        }],
    })
}

/// Gives everyone the admin's password, and says what their names are.
fn with_passwords(database: &Path) -> Result<Vec<String>, sqlx::Error> {
    sqlite::connected(&sqlite::file(database), async |connection| {
        sqlx::query("UPDATE users SET (password_hash, password_form) = (SELECT password_hash, password_form FROM users WHERE username = $1)")
            .bind(ADMIN)
            .execute(&mut *connection)
            .await?;
        sqlx::query_scalar("SELECT username FROM users")
            .fetch_all(connection)
            .await
    })
}

fn hash() {
    let mut output = [0; 32];
    argon2::Argon2::default()
        .hash_password_into(PASSWORD.as_bytes(), b"a salt of sixteen", &mut output)
        .expect("the default parameters are good");
    std::hint::black_box(output);
}

/// How often so many threads together do this in a second.
fn rate(
    threads: usize,
    time: Duration,
    work: impl Fn() -> Result<(), Stop> + Sync,
) -> Result<f64, Stop> {
    let began = Instant::now();
    let counts = thread::scope(|scope| {
        let one = || {
            let mut done = 0;
            while began.elapsed() < time {
                work()?;
                done += 1;
            }
            Ok(done)
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("it does not panic"));
        joined.sum::<Result<u32, Stop>>()
    })?;
    Ok(f64::from(counts) / began.elapsed().as_secs_f64())
}
