//! What visitors do: each scenario runs in a thread of its own, again and again, over a new connection
//! each time.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use uuid::Uuid;
use xtask::run::{Stop, failed};

use crate::driver::{Client, Instance, PASSWORD};
use crate::library::COOKIE;
use crate::sqlite;

const ADMIN: &str = "soak-admin";

/// Each keeps 50 sessions at most: what is left open ends, and the listing has what it has each day.
const VISITORS: u64 = 10;

/// Who visits.
pub struct Visitors {
    cookies: Vec<String>,
    ids: Vec<Uuid>,
}

/// How often something was done, and how often the answer was 503: busy, which is no fault.
pub struct Count {
    pub what: &'static str,
    pub times: u64,
    pub busy: u64,
}

struct Scenario {
    what: &'static str,
    pause: Duration,
    run: fn(&Visitors, &mut Visit, u64) -> io::Result<()>,
}

const SCENARIOS: [Scenario; 6] = [
    Scenario {
        what: "100 checks of sessions",
        pause: Duration::from_millis(300),
        run: check,
    },
    Scenario {
        what: "sign-in, account page, sign-out",
        pause: Duration::from_millis(400),
        run: sign_in_and_out,
    },
    Scenario {
        what: "sign-in that is left open",
        pause: Duration::from_millis(900),
        run: sign_in,
    },
    Scenario {
        what: "admin's pages, a revoke of all of a user's",
        pause: Duration::from_secs(2),
        run: administer,
    },
    Scenario {
        what: "5 bad requests",
        pause: Duration::from_secs(1),
        run: misbehave,
    },
    Scenario {
        what: "3 connections dropped",
        pause: Duration::from_millis(300),
        run: drop_out,
    },
];

impl Visitors {
    pub fn prepare(instance: &Instance, cookies: &Path) -> Result<Self, Stop> {
        instance.add_user(ADMIN, &["--admin"])?;
        for number in 0..VISITORS {
            instance.add_user(&visitor(number), &[])?;
        }
        let cookies = fs::read_to_string(cookies).map_err(failed("the cookies"))?;
        Ok(Self {
            cookies: cookies.lines().map(str::to_owned).collect(),
            ids: ids_of_visitors(&instance.database).map_err(failed("the visitors"))?,
        })
    }

    /// Until it is over, or an answer is not as it should be.
    pub fn load(&self, address: SocketAddr, over: &AtomicBool) -> Result<Vec<Count>, Stop> {
        thread::scope(|scope| {
            let running: Vec<_> = SCENARIOS
                .iter()
                .map(|scenario| scope.spawn(move || self.repeat(scenario, address, over)))
                .collect();
            running
                .into_iter()
                .map(|scenario| scenario.join().expect("no panic"))
                .collect()
        })
    }

    fn repeat(
        &self,
        scenario: &Scenario,
        address: SocketAddr,
        over: &AtomicBool,
    ) -> Result<Count, Stop> {
        let mut count = Count {
            what: scenario.what,
            times: 0,
            busy: 0,
        };
        while !over.load(Ordering::Relaxed) {
            let visit = Visit::begin(address);
            let mut visit = visit.map_err(failed(scenario.what))?;
            (scenario.run)(self, &mut visit, count.times).map_err(failed(scenario.what))?;
            count.times += 1;
            count.busy += visit.busy;
            thread::sleep(scenario.pause);
        }
        Ok(count)
    }
}

/// One connection, and what is expected of it.
struct Visit {
    address: SocketAddr,
    client: Client,
    busy: u64,
}

impl Visit {
    fn begin(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            address,
            client: Client::connect(address)?,
            busy: 0,
        })
    }

    fn get(&mut self, path: &str, expected: u16) -> io::Result<()> {
        let status = self.client.get(path)?.status;
        self.expect(path, status, expected)
    }

    fn post(&mut self, path: &str, form: &str, expected: u16) -> io::Result<()> {
        let status = self.client.post(path, form)?.status;
        self.expect(path, status, expected)
    }

    fn expect(&mut self, path: &str, status: u16, expected: u16) -> io::Result<()> {
        match status {
            503 => self.busy += 1,
            status if status == expected => {}
            status => {
                return Err(io::Error::other(format!(
                    "{path}: {status}, not {expected}"
                )));
            }
        }
        Ok(())
    }

    /// Whether it worked: where it did not, the scenario ends.
    fn sign_in(&mut self, name: &str) -> io::Result<bool> {
        let busy = self.busy;
        let status = self.client.sign_in(name, PASSWORD)?.status;
        self.expect("/login", status, 303)?;
        Ok(self.busy == busy)
    }
}

fn visitor(number: u64) -> String {
    format!("soak-{}", number % VISITORS)
}

fn check(visitors: &Visitors, visit: &mut Visit, turn: u64) -> io::Result<()> {
    for number in turn * 100..(turn + 1) * 100 {
        let place = number % visitors.cookies.len() as u64;
        visit.client.with_cookie(&visitors.cookies[place as usize]);
        visit.get("/api/session", 200)?;
    }
    Ok(())
}

fn sign_in_and_out(_: &Visitors, visit: &mut Visit, turn: u64) -> io::Result<()> {
    visit.get("/login", 200)?;
    // Of a visitor whom nobody revokes meanwhile.
    if visit.sign_in(&visitor(turn % 2))? {
        visit.get("/account", 200)?;
        visit.post("/logout", "", 303)?;
    }
    Ok(())
}

fn sign_in(_: &Visitors, visit: &mut Visit, turn: u64) -> io::Result<()> {
    visit.sign_in(&visitor(2 + turn % (VISITORS - 2)))?;
    Ok(())
}

fn administer(visitors: &Visitors, visit: &mut Visit, turn: u64) -> io::Result<()> {
    if !visit.sign_in(ADMIN)? {
        return Ok(());
    }
    for page in [
        "/admin",
        "/admin/sessions",
        "/admin/sessions?state=ended&sort=user",
        "/admin/sessions?q=soak",
        "/admin/users",
        "/admin/audit",
    ] {
        visit.get(page, 200)?;
    }
    let place = 2 + turn % (VISITORS - 2);
    let path = format!(
        "/admin/users/{}/revoke-sessions",
        visitors.ids[place as usize]
    );
    visit.post(&path, "", 303)?;
    visit.post("/logout", "", 303)
}

fn misbehave(_: &Visitors, visit: &mut Visit, turn: u64) -> io::Result<()> {
    visit.get("/nothing/is/here", 404)?;
    visit.get("/account", 303)?;
    visit.client.with_cookie(&format!("{COOKIE}={turn:043}"));
    visit.get("/api/session", 401)?;
    visit.client.without_cookie();
    visit.post("/login", "username=no+such+form", 422)?;
    let form = format!("username=nobody-{turn}&password=not+a+password");
    visit.post("/login", &form, 401)
}

/// Without a word, in the middle of a head, and before an answer is read.
fn drop_out(_: &Visitors, visit: &mut Visit, _: u64) -> io::Result<()> {
    for sent in [
        "",
        "GET /login HTTP/1.1\r\nHost: local",
        "GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        TcpStream::connect(visit.address)?.write_all(sent.as_bytes())?;
    }
    Ok(())
}

fn ids_of_visitors(database: &Path) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlite::connected(&sqlite::file(database), async |connection| {
        sqlx::query_scalar(
            "SELECT id FROM users WHERE username GLOB 'soak-[0-9]*' ORDER BY username",
        )
        .fetch_all(connection)
        .await
    })
}
