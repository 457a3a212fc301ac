use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use xtask::run::{Stop, failed};

use super::testbed::Testbed;
use super::{Fault, Findings};
use crate::driver::PASSWORD;

pub const FAULT: Fault = Fault {
    id: "B20",
    what: "SIGSTOP, and SIGCONT when sessions should have ended",
    run,
};

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let stopped = Duration::from_secs(testbed.rounds(4, 30));
    let lifetime = format!("{}s", stopped.as_secs() - 1);
    let instance = testbed
        .instance("stopped")?
        .set("VESTIBULE_SESSIONS__IDLE_TIMEOUT", &lifetime)
        .set("VESTIBULE_SESSIONS__MAX_LIFETIME", &lifetime);
    let server = instance.start()?;
    let short = instance.sign_in("user-01")?;
    let mut client = instance.client().map_err(failed("no connection"))?;
    let remembered = format!(
        "username=user-01&password={}&remember=on",
        PASSWORD.replace(' ', "+")
    );
    client
        .post("/login", &remembered)
        .map_err(failed("POST /login"))?;
    let long = client.cookie.clone();
    // Connections that are open are cut by then.
    let ask = |cookie: &str| {
        let asked = instance
            .client()
            .and_then(|mut client| client.session(cookie));
        asked.map_err(failed("GET /api/session"))
    };
    findings.require(
        ask(&short)? == 200 && ask(&long)? == 200,
        "the sessions did not begin",
    );

    server.signal(Signal::STOP)?;
    let (asked_meanwhile, recovery) = thread::scope(|scope| {
        // On a connection of its own: the system accepts it, the server reads it when it goes on.
        let early = scope.spawn(|| ask(&short));
        thread::sleep(stopped);
        server.signal(Signal::CONT)?;
        let continued = Instant::now();
        let status = early.join().expect("a client")?;
        Ok::<_, Stop>((status, continued.elapsed()))
    })?;
    findings.require(
        asked_meanwhile == 401,
        format!("asked while it stood still, the expired session answers {asked_meanwhile}"),
    );
    findings.require(ask(&short)? == 401, "the expired session is live");
    findings.require(
        ask(&long)? == 200,
        "the session that has not expired is gone",
    );
    findings.figure(format!(
        "stopped for {} s, the first answer {} ms after",
        stopped.as_secs(),
        recovery.as_millis()
    ));
    server.stop().map(|_| findings)
}
