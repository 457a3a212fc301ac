//! The pages that list: they must answer alike whether there are ten thousand sessions or a million.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::client::Client;
use super::data::{Folder, LARGE, SMALL, Size};
use super::failed;
use super::figures::{Figure, Limits, Table};
use super::server::{self, Server};
use crate::run::{Stop, say};

const PAGE: Limits = Limits {
    floor: Duration::from_millis(50),
    goal: Duration::from_millis(5),
};
const START: Limits = Limits {
    floor: Duration::from_millis(500),
    goal: Duration::from_millis(100),
};

/// Measured requests of each kind, and starts.
const ROUNDS: (usize, usize) = (300, 20);
const QUICK_ROUNDS: (usize, usize) = (20, 3);

/// What a row of each page has once.
const SESSION_ROW: &str = "data-label=\"Device\"";
const OWN_ROW: &str = "class=\"device\"";
const USER_ROW: &str = "data-label=\"Email\"";

pub fn run(quick: bool) -> Result<Table, Stop> {
    let (rounds, starts) = if quick { QUICK_ROUNDS } else { ROUNDS };
    server::build()?;
    let folder = Folder::create()?;
    let (small, large) = (database(&folder, SMALL)?, database(&folder, LARGE)?);
    let mut figures = vec![start_to_ready(&small, &large, starts)?];
    let servers = (Server::start(&small)?, Server::start(&large)?);
    let small = Pages::of(&servers.0, &small, rounds)?;
    let large = Pages::of(&servers.1, &large, rounds)?;
    figures.extend(measure(small, large, rounds)?);
    Ok(Table(figures))
}

fn database(folder: &Folder, size: Size) -> Result<PathBuf, Stop> {
    let database = folder.database(size)?;
    server::add_admin(&database)?;
    Ok(database)
}

fn start_to_ready(small: &Path, large: &Path, starts: usize) -> Result<Figure, Stop> {
    let mut figure = Figure {
        name: "start to ready".to_owned(),
        small: Vec::new(),
        large: Vec::new(),
        limits: START,
    };
    for _ in 0..starts {
        figure.small.push(Server::start(small)?.ready_after);
        figure.large.push(Server::start(large)?.ready_after);
    }
    Ok(figure)
}

/// Each kind of request in turn, on one server and then on the other, so that whatever else the
/// machine does hits all alike.
fn measure(mut small: Pages, mut large: Pages, rounds: usize) -> Result<Vec<Figure>, Stop> {
    say(&format!("measuring, {rounds} requests of each kind"));
    let mut figures: Vec<Figure> = small
        .cases
        .iter()
        .map(|case| Figure {
            name: case.name.to_owned(),
            small: Vec::new(),
            large: Vec::new(),
            limits: PAGE,
        })
        .collect();
    let bar = ProgressBar::new(rounds as u64);
    // The first round fills caches and statements.
    for round in 0..=rounds {
        for figure in &mut figures {
            let name = &figure.name;
            let (small, large) = (small.measure(name, round)?, large.measure(name, round)?);
            if round > 0 {
                figure.small.push(small);
                figure.large.push(large);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(figures)
}

/// What is asked of a server, and the admin who asks.
pub struct Pages {
    cases: Vec<Case>,
    client: Client,
}

struct Case {
    name: &'static str,
    /// One for all rounds, or one for each.
    paths: Vec<String>,
    expect: Expect,
}

enum Expect {
    /// A page with at least so many of these.
    Rows(usize, &'static str),
    /// A page with none of these.
    NoRow(&'static str),
    /// A form is sent, and taken.
    Done,
}

impl Pages {
    /// Of a server whose database has the admin of [`server::add_admin`]. A page whose request changes
    /// something can be measured in so many rounds.
    pub fn of(server: &Server, database: &Path, rounds: usize) -> Result<Self, Stop> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(failed("no runtime"))?;
        let cases = runtime
            .block_on(cases(database, rounds))
            .map_err(failed(&database.to_string_lossy()))?;
        let client = server.signed_in()?;
        Ok(Self { cases, client })
    }

    /// How long the page of this name takes. It must be the one that is expected.
    pub fn measure(&mut self, name: &str, round: usize) -> Result<Duration, Stop> {
        let case = self.cases.iter().find(|case| case.name == name);
        let case = case.ok_or_else(|| Stop::because(format!("{name}: there is no such page")))?;
        let path = &case.paths[round % case.paths.len()];
        let answer = match case.expect {
            Expect::Done => self.client.post(path, ""),
            _ => self.client.get(path),
        };
        let answer = answer.map_err(failed(path))?;
        let rows = |mark| answer.body.matches(mark).count();
        let good = match case.expect {
            Expect::Rows(least, mark) => answer.status == 200 && rows(mark) >= least,
            Expect::NoRow(mark) => answer.status == 200 && rows(mark) == 0,
            Expect::Done => answer.status == 303,
        };
        if good {
            Ok(answer.took)
        } else {
            Err(Stop::because(format!(
                "{}: not the answer that was expected: {path} gave {} and {} bytes",
                case.name,
                answer.status,
                answer.body.len()
            )))
        }
    }
}

/// What is there to be found in this database.
struct Known {
    username: String,
    address: String,
    last_seen: String,
    started: String,
    user: String,
    users: Vec<Uuid>,
}

async fn cases(database: &Path, rounds: usize) -> Result<Vec<Case>, sqlx::Error> {
    let known = Known::read(database, rounds).await?;
    let page = |name, parameters: String, least| Case {
        name,
        paths: vec![format!("/admin/sessions?{parameters}")],
        expect: Expect::Rows(least, SESSION_ROW),
    };
    let search = |name, q: &str, least| page(name, format!("q={q}"), least);
    let site = known.address.rsplit_once('.').map_or("", |(net, _)| net);
    Ok(vec![
        page("first page", String::new(), 50),
        page(
            "far end, by last seen",
            format!("after={}", known.last_seen),
            50,
        ),
        page(
            "far end, by start",
            format!("sort=started&after={}", known.started),
            50,
        ),
        page(
            "far end, by user",
            format!("sort=user&after={}", known.user),
            50,
        ),
        page("by start", "sort=started".to_owned(), 50),
        page("by user", "sort=user".to_owned(), 50),
        page("200 rows", "limit=200".to_owned(), 200),
        page("ended", "state=ended".to_owned(), 50),
        page("ended, by start", "state=ended&sort=started".to_owned(), 50),
        page("ended, by user", "state=ended&sort=user".to_owned(), 50),
        page("all", "state=all".to_owned(), 50),
        page("all, by start", "state=all&sort=started".to_owned(), 50),
        page("all, by user", "state=all&sort=user".to_owned(), 50),
        search("search: one user", &known.username, 1),
        search("search: how a user's name begins", "anna.b", 1),
        search("search: 250 of 100,000 users", "rosa.s", 0),
        search("search: 2,000 of 100,000 users", "garcia", 1),
        search("search: all users", "example.com", 50),
        search("search: an address", &known.address, 1),
        search("search: a rare network", &format!("{site}."), 1),
        search("search: a fifth of all addresses", "192.168.", 50),
        search("search: a common device", "Firefox", 50),
        search("search: a rare device", "Safari+on+Linux", 1),
        page(
            "search: a rare device, by user",
            "q=Safari+on+Linux&sort=user".to_owned(),
            1,
        ),
        page(
            "search: 250 of 100,000 users, ended",
            "q=rosa.s&state=ended".to_owned(),
            0,
        ),
        page(
            "search: 2,000 of 100,000 users, by user",
            "q=garcia&sort=user".to_owned(),
            1,
        ),
        page(
            "search: a common device, by user",
            "q=Firefox&sort=user".to_owned(),
            50,
        ),
        Case {
            expect: Expect::NoRow(SESSION_ROW),
            ..search("search: nothing", "zzyzx", 0)
        },
        Case {
            name: "own devices",
            paths: vec!["/account/sessions".to_owned()],
            expect: Expect::Rows(1, OWN_ROW),
        },
        Case {
            name: "users, first page",
            paths: vec!["/admin/users".to_owned()],
            expect: Expect::Rows(50, USER_ROW),
        },
        Case {
            name: "users, search: one",
            paths: vec![format!("/admin/users?q={}", known.username)],
            expect: Expect::Rows(1, USER_ROW),
        },
        Case {
            name: "users, search: nobody",
            paths: vec!["/admin/users?q=zzyzx".to_owned()],
            expect: Expect::NoRow(USER_ROW),
        },
        Case {
            name: "revoke all of a user",
            paths: known
                .users
                .iter()
                .map(|id| format!("/admin/users/{id}/revoke-sessions"))
                .collect(),
            expect: Expect::Done,
        },
    ])
}

impl Known {
    async fn read(database: &Path, rounds: usize) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(database);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        // The places that pages at the far end begin after leave room for what is revoked meanwhile.
        // The longest name: no other one has it within.
        let username = sqlx::query_scalar(
            "SELECT username FROM users ORDER BY length(username) DESC, username LIMIT 1",
        )
        .fetch_one(&mut connection)
        .await?;
        let address = sqlx::query_scalar("SELECT address FROM sessions WHERE ended_at IS NULL AND address LIKE '198.%' ORDER BY id LIMIT 1")
            .fetch_one(&mut connection)
            .await?;
        let (at, id): (i64, Uuid) = sqlx::query_as("SELECT last_seen_at, id FROM sessions WHERE ended_at IS NULL ORDER BY last_seen_at, id LIMIT 1 OFFSET 99")
            .fetch_one(&mut connection)
            .await?;
        let started: Uuid = sqlx::query_scalar(
            "SELECT id FROM sessions WHERE ended_at IS NULL ORDER BY id LIMIT 1 OFFSET 99",
        )
        .fetch_one(&mut connection)
        .await?;
        let (name, of_user): (String, Uuid) = sqlx::query_as(
            "SELECT u.username, s.id FROM users u CROSS JOIN sessions s WHERE s.user_id = u.id AND s.ended_at IS NULL
             ORDER BY u.username DESC, s.id DESC LIMIT 1 OFFSET 99",
        )
        .fetch_one(&mut connection)
        .await?;
        let users = sqlx::query_scalar("SELECT id FROM users WHERE username <> $1 AND username NOT LIKE 'anna.%' AND username NOT LIKE '%.garcia%' AND username < $2 ORDER BY id LIMIT $3")
            .bind(&username)
            .bind(&name)
            .bind(i64::try_from(rounds + 1).unwrap_or(i64::MAX))
            .fetch_all(&mut connection)
            .await?;
        connection.close().await?;
        Ok(Self {
            username,
            address,
            last_seen: format!("last_seen~{at}~{id}"),
            started: format!("started~{started}"),
            user: format!("user~{name}~{of_user}"),
            users,
        })
    }
}
