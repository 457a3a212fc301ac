//! The session check while the database is written to: 2,000 last uses and 100 sign-outs a second.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::json;
use xtask::run::{Outcome, Stop, failed, say};

use super::check::{TRUSTED, forward_auth};
use super::databases::{Folder, LARGE, SMALL, Seeded};
use super::goals::{Measured, WRITES};
use super::pinned;
use super::report::Part;
use crate::driver::load::{Load, Target};
use crate::driver::{self, Client, Server};
use crate::library::seeding;
use crate::markdown;
use crate::statistics::median;

/// A use is written when the last one is a tenth of the idle timeout ago: so many sessions, each used
/// all the time, are 2,000 writes a second.
const ACTIVE: usize = 6_000;
const IDLE: (&str, &str) = ("VESTIBULE_SESSIONS__IDLE_TIMEOUT", "30s");
const REMEMBERED: (&str, &str) = ("VESTIBULE_SESSIONS__REMEMBER_IDLE_TIMEOUT", "30s");

const SIGN_OUT_EVERY: Duration = Duration::from_millis(10);

/// Measured turns of each, and how long one is: some times as long as it takes for a use to be written.
const TURNS: (usize, Duration) = (7, Duration::from_secs(6));
const QUICK_TURNS: (usize, Duration) = (3, Duration::from_secs(3));

pub fn run(quick: bool) -> Result<Part, Stop> {
    pinned::install()?;
    driver::build(driver::Profile::Dist)?;
    let (turns, time) = if quick { QUICK_TURNS } else { TURNS };
    let folder = Folder::create()?;
    let seeded = folder.with_cookies(if quick { SMALL } else { LARGE })?;
    let (active, leaving) = cookies(&folder, &seeded)?;
    let target = Target {
        cookies: active,
        ..forward_auth(&seeded)
    };
    let quiet_database = copy(&folder, &seeded.database)?;
    let quiet = pinned::start(&quiet_database, TRUSTED)?;
    let settings = [TRUSTED, &[IDLE, REMEMBERED]].concat();
    let busy = pinned::start(&seeded.database, &settings)?;
    say(&format!(
        "measuring the session check beside writes, {turns} turns of {time:?}"
    ));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let mut leaving = leaving.into_iter();
    let signed_out = AtomicU64::new(0);
    let wrk = pinned::wrk(time);
    for turn in 0..=turns {
        let calm = wrk.measure(folder.path(), &quiet, &target)?;
        let beside = while_signing_out(&busy, &mut leaving, &signed_out, || {
            wrk.measure(folder.path(), &busy, &target)
        })?;
        if turn > 0 {
            without.push(calm);
            with.push(beside);
        }
    }
    let measured = time.as_secs_f64() * (turns + 1) as f64;
    Ok(part(
        &without,
        &with,
        signed_out.into_inner() as f64 / measured,
    ))
}

/// The first of those at the site stay, and of those at the sign-in host the ones leave that are none
/// of them: the site's belong to the least hashes.
fn cookies(folder: &Folder, seeded: &Seeded) -> Result<(PathBuf, Vec<String>), Stop> {
    let read = |path: &Path| fs::read_to_string(path).map_err(failed("cookies"));
    let at_site = read(&seeded.site_cookies)?;
    let active: Vec<&str> = at_site.lines().take(ACTIVE).collect();
    let path = folder.path().join("active.cookies");
    fs::write(&path, active.join("\n") + "\n").map_err(failed("active.cookies"))?;
    let mut leaving: Vec<(Vec<u8>, String)> = read(&seeded.cookies)?
        .lines()
        .filter_map(|cookie| {
            let (_, value) = cookie.split_once('=')?;
            Some((seeding::hash(value)?, cookie.to_owned()))
        })
        .collect();
    // The greatest hashes first.
    leaving.sort_by(|(a, _), (b, _)| b.cmp(a));
    Ok((
        path,
        leaving.into_iter().map(|(_, cookie)| cookie).collect(),
    ))
}

fn copy(folder: &Folder, database: &Path) -> Result<PathBuf, Stop> {
    let copy = folder.path().join("quiet.db");
    fs::copy(database, &copy).map_err(failed("quiet.db"))?;
    Ok(copy)
}

/// One after the other signs out, 100 a second, until the work is done.
fn while_signing_out<T>(
    server: &Server,
    leaving: &mut (impl Iterator<Item = String> + Send),
    signed_out: &AtomicU64,
    work: impl FnOnce() -> Result<T, Stop>,
) -> Result<T, Stop> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let signing_out = scope.spawn(|| -> Outcome {
            let mut client = Client::connect(server.address).map_err(failed("sign-out"))?;
            let mut next = Instant::now();
            while !done.load(Ordering::Relaxed) {
                let Some(cookie) = leaving.next() else {
                    return Err(Stop::because("there is nobody left to sign out"));
                };
                let client = client.with_cookie(&cookie);
                let answer = client.post("/logout", "").map_err(failed("POST /logout"))?;
                if answer.status != 303 {
                    return Err(Stop::because(format!("POST /logout: {}", answer.status)));
                }
                signed_out.fetch_add(1, Ordering::Relaxed);
                next += SIGN_OUT_EVERY;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            Ok(())
        });
        let outcome = work();
        done.store(true, Ordering::Relaxed);
        signing_out.join().expect("it does not panic")?;
        outcome
    })
}

fn part(without: &[Load], with: &[Load], signed_out: f64) -> Part {
    let rate = |loads: &[Load]| median(loads, |load| load.per_second);
    let cpu = |loads: &[Load]| median(loads, |load| load.cpu);
    let (calm, beside) = (rate(without), rate(with));
    let row = |name: &str, rate: f64, loads| {
        vec![
            name.to_owned(),
            format!("{rate:.0}"),
            format!("{:.4}", cpu(loads)),
        ]
    };
    let rows = [
        row("without writes", calm, without),
        row("with", beside, with),
    ];
    let table = markdown::table(&["", "checks/s", "CPU s for 1,000"], 0, rows);
    Part {
        name: "writes",
        text: format!(
            "{ACTIVE} sessions in use; with 2,000 last uses and {signed_out:.0} sign-outs written a second.\n\n{table}"
        ),
        json: json!({ "without_per_second": calm, "with_per_second": beside, "sign_outs_per_second": signed_out }),
        measured: vec![Measured {
            goal: &WRITES,
            figure: beside / calm,
        }],
    }
}
