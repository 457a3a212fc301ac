use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use xtask::run::{Outcome, Stop, failed};

use super::history::{DONE, History, Recorder, Request};
use super::testbed::Testbed;
use super::{Fault, Findings, strace};
use crate::driver::{Instance, METRICS, PASSWORD, Server};
use crate::statistics::{millis, quantile};

pub const FAULT: Fault = Fault {
    id: "B21",
    what: "strace: each fsync takes 200 ms while people sign in and last uses are written",
    run,
};

const SLOW: &str = "fsync,fdatasync:delay_exit=200000";

/// A use is written when the last one is a tenth of it ago. Who signs in meanwhile is remembered, and stays.
const IDLE_TIMEOUT: (&str, &str) = ("VESTIBULE_SESSIONS__IDLE_TIMEOUT", "20s");

/// Sessions that are checked, by a client each.
const CHECKED: usize = 4;
const PAUSE: Duration = Duration::from_millis(2);

/// The most that may miss the cache.
const MISSES: f64 = 0.05;
const NO_CACHE: (&str, &str) = ("VESTIBULE_CACHE__ENTRIES", "0");

/// Below this a p99 tells of the hashing beside it, and far below an fsync.
const FLOOR: Duration = Duration::from_millis(10);

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let instance = testbed.instance("slow-disk")?;
    let trace = instance.path("trace");
    let slow = instance.clone().under(strace::injects(SLOW, &trace));
    let slow = slow.set_all(&[METRICS]);
    let length = Duration::from_secs(testbed.rounds(6, 60));

    let server = slow.start()?;
    let users = (0..CHECKED).map(|user| slow.sign_in(&format!("user-{user:02}")));
    let sessions: Vec<String> = users.collect::<Result<_, _>>()?;
    let calm = Checks::run(&slow, &server, &sessions, length)?;
    server.stop()?;

    let server = slow.set_all(&[IDLE_TIMEOUT]).start()?;
    let (history, busy) = while_signing_in(&instance, || {
        Checks::run(&instance, &server, &sessions, length)
    })?;
    server.kill()?;
    let trace = fs::read_to_string(&trace).map_err(failed("the trace"))?;
    findings.require(
        trace.contains("(DELAYED)"),
        "no fsync was delayed: nothing was tried",
    );
    let instance = instance.set_all(&[METRICS, NO_CACHE]);
    let server = instance.start()?;
    findings.check(&instance, &history)?;
    let control = Checks::run(&instance, &server, &sessions, Duration::from_secs(1))?;
    findings.control(control.misses() > MISSES, "no cache");
    busy.require(&calm, &mut findings);
    findings.figure(format!(
        "{} sign-ins; {} checks, {:.2} % asked the database, p99 {:.1} ms, without writes {:.1} ms",
        history.acknowledged(),
        busy.times.len(),
        busy.misses() * 100.0,
        millis(busy.p99()),
        millis(calm.p99()),
    ));
    server.stop().map(|_| findings)
}

/// One sign-in after the other, until the work is done.
fn while_signing_in<T>(
    instance: &Instance,
    work: impl FnOnce() -> Result<T, Stop>,
) -> Result<(History, T), Stop> {
    let folder = instance.path("history");
    fs::create_dir(&folder).map_err(failed("the history"))?;
    let done = AtomicBool::new(false);
    let worked = thread::scope(|scope| {
        let signing_in = scope.spawn(|| -> io::Result<()> {
            let mut recorder = Recorder::create(&folder, 0)?;
            let mut client = instance.client()?;
            let password = PASSWORD.replace(' ', "+");
            let form = format!("username=user-09&password={password}&remember=on");
            while !done.load(Ordering::Relaxed) {
                recorder.invoke(Request::SignIn, Vec::new())?;
                let answer = client.without_cookie().post("/login", &form)?;
                let cookie = (answer.status == DONE).then(|| client.cookie.clone());
                recorder.answer(answer.status, cookie)?;
            }
            Ok(())
        });
        let worked = work();
        done.store(true, Ordering::Relaxed);
        let signed_in = signing_in.join().expect("a client");
        signed_in.map_err(failed("POST /login"))?;
        worked
    })?;
    let history = History::read(&folder).map_err(failed("the history"))?;
    Ok((history, worked))
}

/// Session checks over connections that stay open, for a while.
struct Checks {
    times: Vec<Duration>,
    errors: usize,
    look_ups: f64,
}

impl Checks {
    fn run(
        instance: &Instance,
        server: &Server,
        sessions: &[String],
        length: Duration,
    ) -> Result<Self, Stop> {
        let before = server.look_ups()?;
        let mut checks = Self {
            times: Vec::new(),
            errors: 0,
            look_ups: 0.0,
        };
        thread::scope(|scope| -> Outcome {
            let clients = sessions.iter();
            let clients =
                clients.map(|session| scope.spawn(|| one_by_one(instance, session, length)));
            for client in clients.collect::<Vec<_>>() {
                let (times, errors) = client
                    .join()
                    .expect("a client")
                    .map_err(failed("GET /api/session"))?;
                checks.times.extend(times);
                checks.errors += errors;
            }
            Ok(())
        })?;
        checks.look_ups = server.look_ups()? - before;
        Ok(checks)
    }

    fn require(&self, calm: &Self, findings: &mut Findings) {
        let (p99, bound) = (self.p99(), (calm.p99() * 3).max(FLOOR));
        let errors = self.errors + calm.errors;
        findings.require(errors == 0, format!("{errors} session checks failed"));
        findings.require(
            p99 <= bound,
            format!("session checks took {p99:?} at the 99th percentile, {bound:?} at most"),
        );
        findings.require(
            self.misses() <= MISSES,
            format!(
                "{} of {} checks asked the database",
                self.look_ups,
                self.times.len()
            ),
        );
    }

    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    fn misses(&self) -> f64 {
        self.look_ups / self.times.len() as f64
    }

    fn p99(&self) -> Duration {
        quantile(&self.times, 0.99)
    }
}

fn one_by_one(
    instance: &Instance,
    session: &str,
    length: Duration,
) -> io::Result<(Vec<Duration>, usize)> {
    let mut client = instance.client()?;
    let (mut times, mut errors) = (Vec::new(), 0);
    let began = Instant::now();
    while began.elapsed() < length {
        let answer = client.with_cookie(session).get("/api/session")?;
        errors += usize::from(answer.status != 200);
        times.push(answer.took);
        thread::sleep(PAUSE);
    }
    Ok((times, errors))
}
