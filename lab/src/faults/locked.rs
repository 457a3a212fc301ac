use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection;
use xtask::run::{Outcome, Stop, failed};

use super::testbed::Testbed;
use super::{Fault, Findings, workload};
use crate::driver::{Instance, PASSWORD};
use crate::sqlite;
use crate::statistics::quantile;

pub const FAULT: Fault = Fault {
    id: "B4",
    what: "BEGIN EXCLUSIVE held by another process, which is stopped",
    run,
};

/// A second for the connection, a second for the lock, and what a busy machine takes to hash.
const BOUND: Duration = Duration::from_secs(4);

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let instance = testbed.instance("locked")?;
    let _server = instance.start()?;
    let times: &[u64] = if testbed.quick { &[1, 5] } else { &[1, 5, 30] };
    for seconds in times.iter().map(|seconds| Duration::from_secs(*seconds)) {
        let (history, waited) = workload::run(&instance, 0..8, seconds.as_secs(), || {
            thread::sleep(Duration::from_millis(500));
            let session = instance.sign_in("user-09")?;
            let holder = LockHolder::start(&instance.database)?;
            // Stopped, it cannot even let go.
            holder.signal(Signal::STOP)?;
            let waited = ask_for(&instance, &session, seconds)?;
            drop(holder);
            Ok((waited, instance.recovery("user-09")?))
        })?;
        let (waited, recovery) = waited;
        waited.require(&mut findings, seconds);
        findings.check(&instance, &history)?;
        findings.figure(format!(
            "held {} s: session checks p99 {} ms, longest wait for a sign-in {} ms, recovery {} ms",
            seconds.as_secs(),
            quantile(&waited.checks, 0.99).as_millis(),
            waited
                .sign_ins
                .iter()
                .max()
                .unwrap_or(&Duration::ZERO)
                .as_millis(),
            recovery.as_millis()
        ));
    }
    Ok(findings)
}

#[derive(Default)]
struct Waited {
    checks: Vec<Duration>,
    sign_ins: Vec<Duration>,
    statuses: Vec<u16>,
}

impl Waited {
    fn require(&self, findings: &mut Findings, held: Duration) {
        let all = |wanted: u16| self.statuses.iter().all(|status| *status == wanted);
        if held > BOUND {
            let statuses = &self.statuses;
            findings.require(all(503), format!("sign-ins were answered {statuses:?}"));
        }
        let longest = self.sign_ins.iter().max().copied().unwrap_or_default();
        findings.require(longest < BOUND, format!("a sign-in waited for {longest:?}"));
        let check = quantile(&self.checks, 0.99);
        findings.require(
            check < Duration::from_millis(500),
            format!("session checks took {check:?}"),
        );
    }
}

/// Asks while the lock is held: a sign-in that ends before it is let go, and a hundred checks with each.
fn ask_for(instance: &Instance, session: &str, held: Duration) -> Result<Waited, Stop> {
    let mut waited = Waited::default();
    let mut client = instance.client().map_err(failed("no connection"))?;
    let began = Instant::now();
    while began.elapsed() + BOUND.min(held / 2) < held || waited.checks.is_empty() {
        for _ in 0..100 {
            let asked = Instant::now();
            let status = client
                .session(session)
                .map_err(failed("GET /api/session"))?;
            if status != 200 {
                return Err(Stop::because(format!(
                    "a session check was answered {status}"
                )));
            }
            waited.checks.push(asked.elapsed());
        }
        let asked = Instant::now();
        let answer = client.without_cookie().sign_in("user-09", PASSWORD);
        let status = answer.map_err(failed("POST /login"))?.status;
        waited.statuses.push(status);
        waited.sign_ins.push(asked.elapsed());
    }
    thread::sleep(held.saturating_sub(began.elapsed()));
    Ok(waited)
}

/// Another process that has the database to itself.
struct LockHolder(Child);

impl LockHolder {
    fn start(database: &Path) -> Result<Self, Stop> {
        let program = std::env::current_exe().map_err(failed("this program"))?;
        let mut hold = Command::new(program);
        hold.arg("hold-lock").arg(database);
        hold.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = hold.spawn().map_err(failed("hold-lock"))?;
        let mut told = String::new();
        let stdout = process.stdout.take().expect("it was piped");
        BufReader::new(stdout)
            .read_line(&mut told)
            .map_err(failed("hold-lock"))?;
        match told.trim() {
            "held" => Ok(Self(process)),
            _ => Err(Stop::because("the lock could not be taken")),
        }
    }

    fn signal(&self, signal: Signal) -> Outcome {
        kill_process(Pid::from_child(&self.0), signal).map_err(failed("a signal"))
    }
}

impl Drop for LockHolder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the holder runs.
#[derive(Args)]
pub struct HoldLock {
    database: PathBuf,
}

impl HoldLock {
    pub fn run(&self) -> Outcome {
        let options = sqlite::file(&self.database).busy_timeout(Duration::from_secs(10));
        sqlite::connected(&options, async |connection| {
            let _held = connection.begin_with("BEGIN EXCLUSIVE").await?;
            println!("held");
            // Until it is killed, or whoever started it is.
            let _ = std::io::stdin().read_line(&mut String::new());
            Ok(())
        })
        .map_err(failed::<sqlx::Error>("hold-lock"))
    }
}
