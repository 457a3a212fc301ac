//! The session check, side by side with a bare Rocket and with axum-login.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::json;

use super::client::Client;
use super::contenders;
use super::data::{Folder, LARGE, SITE, SMALL, Seeded, Size};
use super::failed;
use super::goals::{AXUM_LOGIN, CHECK, CHECK_CPU, CHECK_P99, Met};
use super::load::{self, Asked, Load, median};
use super::report::Part;
use super::server::{self, Server};
use crate::run::{Outcome, Stop, say};

/// Measured turns of each contender, and how long one is.
const TURNS: (usize, Duration) = (7, Duration::from_secs(5));
const QUICK_TURNS: (usize, Duration) = (3, Duration::from_secs(2));

/// Whoever it is, and what it did in its turns.
struct Contender {
    name: &'static str,
    server: usize,
    asked: Asked,
    loads: Vec<Load>,
}

pub fn run(quick: bool) -> Result<Part, Stop> {
    load::install()?;
    server::build()?;
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
            let load = Load::measure(
                folder.path(),
                &servers[contender.server],
                &contender.asked,
                time,
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
        Server::start_pinned(&seeded.database, TRUSTED)?,
        contenders::axum_login(&theirs)?,
    ];
    let forward_auth = forward_auth(seeded);
    let bare = Asked {
        path: "/",
        ..forward_auth.clone()
    };
    let session = Asked {
        path: "/api/session",
        headers: vec![format!("Host: localhost:{}", servers[1].address.port())],
        cookies: seeded.cookies.clone(),
    };
    let axum_login = Asked {
        path: "/check",
        cookies: their_cookies,
        ..forward_auth.clone()
    };
    let contender = |name, server, asked| Contender {
        name,
        server,
        asked,
        loads: Vec::new(),
    };
    let contenders = vec![
        contender("bare Rocket: two headers, no database", 0, bare),
        contender("forward-auth check", 1, forward_auth),
        contender("GET /api/session", 1, session),
        contender("axum-login + tower-sessions' SQLite store", 2, axum_login),
    ];
    for contender in &contenders {
        see_that_it_checks(&servers[contender.server], contender)?;
    }
    Ok((servers, contenders))
}

/// The load comes from this machine.
pub const TRUSTED: &[(&str, &str)] = &[("VESTIBULE_TRUSTED_PROXIES", "[\"127.0.0.1\"]")];

/// As a proxy asks, for sessions that have entered the site.
pub fn forward_auth(seeded: &Seeded) -> Asked {
    let headers = [
        "X-Forwarded-Method: GET",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Uri: /reports/2026?page=2",
        "X-Forwarded-For: 203.0.113.7",
    ];
    let mut headers: Vec<String> = headers.map(str::to_owned).to_vec();
    headers.push(format!("X-Forwarded-Host: {SITE}"));
    Asked {
        path: "/api/authz/forward-auth",
        headers,
        cookies: seeded.site_cookies.clone(),
    }
}

/// With a cookie 200, and without one not: what answers all alike checks nothing.
fn see_that_it_checks(server: &Server, contender: &Contender) -> Outcome {
    let asked = &contender.asked;
    let mut headers = String::new();
    for header in asked
        .headers
        .iter()
        .filter(|header| !header.starts_with("Host:"))
    {
        let _ = write!(headers, "{header}\r\n");
    }
    let cookies = std::fs::read_to_string(&asked.cookies).map_err(failed("cookies"))?;
    let cookie = cookies.lines().next().unwrap_or_default();
    let status = |headers: &str| {
        Client::connect(server.address)
            .and_then(|mut client| client.get_with(asked.path, headers))
            .map(|answer| answer.status)
            .map_err(failed(asked.path))
    };
    let (with, without) = (
        status(&format!("{headers}Cookie: {cookie}\r\n"))?,
        status(&headers)?,
    );
    let bare = asked.path == "/";
    if with == 200 && (bare || without != 200) {
        return Ok(());
    }
    Err(Stop::because(format!(
        "{}: {with} with a cookie, {without} without one",
        contender.name
    )))
}

fn part(contenders: &[Contender], size: Size) -> Part {
    let middle = |which: usize, of: fn(&Load) -> f64| median(&contenders[which].loads, of);
    let per_second = |load: &Load| load.per_second;
    let p99 = |load: &Load| load.p99.as_secs_f64() * 1_000.0;
    let mut text = format!(
        "{} sessions of {} users; medians of {} turns; p50 and p99 in milliseconds, processor seconds for 1,000 requests.\n\n\
         | | requests/s | / bare Rocket | p50 | p99 | CPU |\n| --- | --- | --- | --- | --- | --- |\n",
        size.sessions,
        size.users,
        contenders[0].loads.len()
    );
    let mut rows = Vec::new();
    for (which, contender) in contenders.iter().enumerate() {
        let ratio = middle(which, per_second) / middle(0, per_second);
        let p50 = middle(which, |load| load.p50.as_secs_f64() * 1_000.0);
        let _ = writeln!(
            text,
            "| {} | {:.0} | {ratio:.2} | {p50:.2} | {:.2} | {:.4} |",
            contender.name,
            middle(which, per_second),
            middle(which, p99),
            middle(which, |load| load.cpu),
        );
        rows.push(json!({
            "name": contender.name,
            "per_second": middle(which, per_second),
            "p50_ms": p50,
            "p99_ms": middle(which, p99),
            "cpu_s_per_1000": middle(which, |load| load.cpu),
        }));
    }
    let over = |goal, of: fn(&Load) -> f64, other| Met {
        goal,
        figure: middle(1, of) / middle(other, of),
    };
    Part {
        name: "session check",
        text,
        json: json!(rows),
        met: vec![
            over(&CHECK, per_second, 0),
            over(&CHECK_CPU, |load| load.cpu, 0),
            over(&AXUM_LOGIN, per_second, 3),
            over(&CHECK_P99, p99, 0),
        ],
    }
}
