//! The session check, side by side with a bare Rocket, a bare hyper and axum-login.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::{Value, json};
use xtask::run::{Outcome, Stop, failed, say};

use super::databases::{Folder, LARGE, SMALL, Seeded, Size};
use super::goals::{AXUM_LOGIN, CHECK, CHECK_CPU, CHECK_P99, HYPER, Measured, TOKEN_CPU, USERINFO};
use super::report::Part;
use super::{contenders, pinned};
use crate::driver::load::{Load, Target};
use crate::driver::{self, Client, Server};
use crate::markdown;
use crate::seed::SITE;
use crate::statistics::{median, millis};

/// Measured turns of each contender, and how long one is.
const TURNS: (usize, Duration) = (7, Duration::from_secs(5));
const QUICK_TURNS: (usize, Duration) = (3, Duration::from_secs(2));

/// A server, what is requested of it, and how it did in its turns.
struct Contender {
    name: &'static str,
    server: usize,
    target: Target,
    loads: Vec<Load>,
}

pub fn run(quick: bool) -> Result<Part, Stop> {
    pinned::install()?;
    driver::build(driver::Profile::Dist)?;
    contenders::build()?;
    let folder = Folder::create()?;
    let size = if quick { SMALL } else { LARGE };
    let seeded = folder.with_cookies(size)?;
    let (servers, mut contenders) = start(&folder, size, &seeded)?;
    let (turns, time) = if quick { QUICK_TURNS } else { TURNS };
    say(&format!(
        "measuring the session check, {turns} turns of {time:?} for each contender"
    ));
    let bar = ProgressBar::new((turns + 1) as u64);
    // In turn, so that whatever else the machine does hits all alike. The first turn warms up.
    for turn in 0..=turns {
        for contender in &mut contenders {
            let load = pinned::wrk(time).measure(
                folder.path(),
                &servers[contender.server],
                &contender.target,
            )?;
            if turn > 0 {
                contender.loads.push(load);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(part(&contenders, size))
}

fn start(
    folder: &Folder,
    size: Size,
    seeded: &Seeded,
) -> Result<(Vec<Server>, Vec<Contender>), Stop> {
    let theirs = folder.path().join("axum-login.db");
    let their_cookies = folder.path().join("axum-login.cookies");
    contenders::seed_axum_login(&theirs, size, &their_cookies)?;
    let servers = vec![
        contenders::rocket_hello()?,
        pinned::start(&seeded.database, TRUSTED)?,
        contenders::axum_login(&theirs)?,
        contenders::hyper_hello()?,
    ];
    let forward_auth = forward_auth(seeded);
    let bare = Target {
        path: "/",
        ..forward_auth.clone()
    };
    let token = by_token(seeded);
    let userinfo = Target {
        path: "/oauth/userinfo",
        headers: vec![format!("Host: localhost:{}", servers[1].address.port())],
        cookies: seeded.access_tokens.clone(),
    };
    let session = Target {
        path: "/api/session",
        headers: vec![format!("Host: localhost:{}", servers[1].address.port())],
        cookies: seeded.cookies.clone(),
    };
    let axum_login = Target {
        path: "/check",
        cookies: their_cookies,
        ..forward_auth.clone()
    };
    let contender = |name, server, target| Contender {
        name,
        server,
        target,
        loads: Vec::new(),
    };
    let contenders = vec![
        contender("bare Rocket: two headers, no database", 0, bare.clone()),
        contender("forward-auth check", 1, forward_auth),
        contender("GET /api/session", 1, session),
        contender("axum-login + tower-sessions' SQLite store", 2, axum_login),
        contender("bare hyper: the headers of a check, no database", 3, bare),
        contender("forward-auth check by an app token", 1, token),
        contender("userinfo of OpenID Connect", 1, userinfo),
    ];
    for contender in &contenders {
        refuse_a_dummy(&servers[contender.server], contender)?;
    }
    Ok((servers, contenders))
}

/// The load comes from this machine.
pub const TRUSTED: &[(&str, &str)] = &[("VESTIBULE_TRUSTED_PROXIES", "[\"127.0.0.1\"]")];

/// As a proxy asks, for sessions that have entered the site.
pub fn forward_auth(seeded: &Seeded) -> Target {
    let headers = [
        "X-Forwarded-Method: GET",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Uri: /reports/2026?page=2",
        "X-Forwarded-For: 203.0.113.7",
    ];
    let mut headers: Vec<String> = headers.map(str::to_owned).to_vec();
    headers.push(format!("X-Forwarded-Host: {SITE}"));
    Target {
        path: "/api/authz/forward-auth",
        headers,
        cookies: seeded.site_cookies.clone(),
    }
}

/// The same for programs.
pub fn by_token(seeded: &Seeded) -> Target {
    Target {
        cookies: seeded.tokens.clone(),
        ..forward_auth(seeded)
    }
}

/// With a cookie 200, and without one not: what answers all alike checks nothing.
fn refuse_a_dummy(server: &Server, contender: &Contender) -> Outcome {
    let target = &contender.target;
    let mut headers = String::new();
    for header in target
        .headers
        .iter()
        .filter(|header| !header.starts_with("Host:"))
    {
        let _ = write!(headers, "{header}\r\n");
    }
    let cookies = std::fs::read_to_string(&target.cookies).map_err(failed("cookies"))?;
    let first = cookies.lines().next().unwrap_or_default();
    let presented = match first.starts_with("Authorization: ") {
        true => first.to_owned(),
        false => format!("Cookie: {first}"),
    };
    let status = |headers: &str| {
        Client::connect(server.address)
            .and_then(|mut client| client.get_with(target.path, headers))
            .map(|answer| answer.status)
            .map_err(failed(target.path))
    };
    let (with, without) = (
        status(&format!("{headers}{presented}\r\n"))?,
        status(&headers)?,
    );
    let bare = target.path == "/";
    if with == 200 && (bare || without != 200) {
        return Ok(());
    }
    Err(Stop::because(format!(
        "{}: {with} with a cookie, {without} without one",
        contender.name
    )))
}

fn part(contenders: &[Contender], size: Size) -> Part {
    let over = |goal, of: fn(&Load) -> f64, other: usize| Measured {
        goal,
        figure: contenders[1].median(of) / contenders[other].median(of),
    };
    Part {
        name: "session check",
        text: format!(
            "{} sessions of {} users; medians of {} turns; p50 and p99 in milliseconds, processor seconds for 1,000 requests.\n\n{}",
            size.sessions,
            size.users,
            contenders[0].loads.len(),
            table(contenders)
        ),
        json: contenders.iter().map(Contender::json).collect(),
        measured: vec![
            over(&CHECK, PER_SECOND, 0),
            over(&CHECK_CPU, CPU, 0),
            over(&HYPER, PER_SECOND, 4),
            over(&AXUM_LOGIN, PER_SECOND, 3),
            over(&CHECK_P99, P99, 0),
            Measured {
                goal: &TOKEN_CPU,
                figure: contenders[5].median(CPU) / contenders[1].median(CPU),
            },
            Measured {
                goal: &USERINFO,
                figure: contenders[6].median(PER_SECOND) / contenders[1].median(PER_SECOND),
            },
        ],
    }
}

const PER_SECOND: fn(&Load) -> f64 = |load| load.per_second;
const P50: fn(&Load) -> f64 = |load| millis(load.p50);
const P99: fn(&Load) -> f64 = |load| millis(load.p99);
const CPU: fn(&Load) -> f64 = |load| load.cpu;

fn table(contenders: &[Contender]) -> String {
    let rows = contenders.iter().map(|contender| {
        let per_second = contender.median(PER_SECOND);
        vec![
            contender.name.to_owned(),
            format!("{per_second:.0}"),
            format!("{:.2}", per_second / contenders[0].median(PER_SECOND)),
            format!("{:.2}", contender.median(P50)),
            format!("{:.2}", contender.median(P99)),
            format!("{:.4}", contender.median(CPU)),
        ]
    });
    let head = ["", "requests/s", "/ bare Rocket", "p50", "p99", "CPU"];
    markdown::table(&head, 0, rows)
}

impl Contender {
    fn median(&self, of: fn(&Load) -> f64) -> f64 {
        median(&self.loads, of)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "per_second": self.median(PER_SECOND),
            "p50_ms": self.median(P50),
            "p99_ms": self.median(P99),
            "cpu_s_per_1000": self.median(CPU),
        })
    }
}
