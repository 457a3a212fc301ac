//! What visitors do, each kind in a thread of its own: a little story again and again, over a new
//! connection each time.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use crate::bench::client::Client;
use crate::bench::failed;
use crate::bench::server::{self, PASSWORD};
use crate::run::Stop;

const ADMIN: &str = "soak-admin";

/// Each keeps 50 sessions at most: what is left open ends, and the listing has what it has each day.
const VISITORS: u64 = 10;

/// Who visits, and with what.
pub struct Site {
    cookies: Vec<String>,
    visitors: Vec<Uuid>,
}

/// How often something was done, and how often the answer was 503: busy, which is no fault.
pub struct Done {
    pub what: &'static str,
    pub times: u64,
    pub busy: u64,
}

struct Kind {
    what: &'static str,
    pause: Duration,
    story: fn(&Site, &mut Visit, u64) -> io::Result<()>,
}

const KINDS: [Kind; 6] = [
    Kind {
        what: "100 checks of sessions",
        pause: Duration::from_millis(300),
        story: check,
    },
    Kind {
        what: "sign-in, account page, sign-out",
        pause: Duration::from_millis(400),
        story: sign_in_and_out,
    },
    Kind {
        what: "sign-in that is left open",
        pause: Duration::from_millis(900),
        story: sign_in,
    },
    Kind {
        what: "admin's pages, a revoke of all of a user's",
        pause: Duration::from_secs(2),
        story: administer,
    },
    Kind {
        what: "5 bad requests",
        pause: Duration::from_secs(1),
        story: misbehave,
    },
    Kind {
        what: "3 connections dropped",
        pause: Duration::from_millis(300),
        story: drop_out,
    },
];

impl Site {
    pub fn prepare(database: &Path, cookies: &Path) -> Result<Self, Stop> {
        server::add_user(database, ADMIN, &["--admin"])?;
        for number in 0..VISITORS {
            server::add_user(database, &visitor(number), &[])?;
        }
        let cookies = fs::read_to_string(cookies).map_err(failed("the cookies"))?;
        Ok(Self {
            cookies: cookies.lines().map(str::to_owned).collect(),
            visitors: ids_of_visitors(database).map_err(failed("the visitors"))?,
        })
    }

    /// Until it is over, or an answer is not as it should be.
    pub fn load(&self, address: SocketAddr, over: &AtomicBool) -> Result<Vec<Done>, Stop> {
        thread::scope(|scope| {
            let running: Vec<_> = KINDS
                .iter()
                .map(|kind| scope.spawn(move || self.repeat(kind, address, over)))
                .collect();
            running
                .into_iter()
                .map(|kind| kind.join().expect("no panic"))
                .collect()
        })
    }

    fn repeat(&self, kind: &Kind, address: SocketAddr, over: &AtomicBool) -> Result<Done, Stop> {
        let mut done = Done {
            what: kind.what,
            times: 0,
            busy: 0,
        };
        while !over.load(Ordering::Relaxed) {
            let visit = Visit::begin(address);
            let mut visit = visit.map_err(failed(kind.what))?;
            (kind.story)(self, &mut visit, done.times).map_err(failed(kind.what))?;
            done.times += 1;
            done.busy += visit.busy;
            thread::sleep(kind.pause);
        }
        Ok(done)
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
        self.judge(path, status, expected)
    }

    fn post(&mut self, path: &str, form: &str, expected: u16) -> io::Result<()> {
        let status = self.client.post(path, form)?.status;
        self.judge(path, status, expected)
    }

    fn judge(&mut self, path: &str, status: u16, expected: u16) -> io::Result<()> {
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

    /// Whether it worked: where it did not, the story goes no further.
    fn sign_in(&mut self, name: &str, password: &str) -> io::Result<bool> {
        let busy = self.busy;
        let form = format!("username={name}&password={}", password.replace(' ', "+"));
        self.post("/login", &form, 303)?;
        Ok(self.busy == busy)
    }
}

fn visitor(number: u64) -> String {
    format!("soak-{}", number % VISITORS)
}

fn check(site: &Site, visit: &mut Visit, turn: u64) -> io::Result<()> {
    for number in turn * 100..(turn + 1) * 100 {
        let place = number % site.cookies.len() as u64;
        visit.client.cookie = site.cookies[place as usize].clone();
        visit.get("/api/session", 200)?;
    }
    Ok(())
}

fn sign_in_and_out(_: &Site, visit: &mut Visit, turn: u64) -> io::Result<()> {
    visit.get("/login", 200)?;
    // Of a visitor whom nobody revokes meanwhile.
    if visit.sign_in(&visitor(turn % 2), PASSWORD)? {
        visit.get("/account", 200)?;
        visit.post("/logout", "", 303)?;
    }
    Ok(())
}

fn sign_in(_: &Site, visit: &mut Visit, turn: u64) -> io::Result<()> {
    visit.sign_in(&visitor(2 + turn % (VISITORS - 2)), PASSWORD)?;
    Ok(())
}

fn administer(site: &Site, visit: &mut Visit, turn: u64) -> io::Result<()> {
    if !visit.sign_in(ADMIN, PASSWORD)? {
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
        site.visitors[place as usize]
    );
    visit.post(&path, "", 303)?;
    visit.post("/logout", "", 303)
}

fn misbehave(_: &Site, visit: &mut Visit, turn: u64) -> io::Result<()> {
    visit.get("/nothing/is/here", 404)?;
    visit.get("/account", 303)?;
    visit.client.cookie = format!("vestibule={turn:043}");
    visit.get("/api/session", 401)?;
    visit.client.cookie.clear();
    visit.post("/login", "username=no+such+form", 422)?;
    let form = format!("username=nobody-{turn}&password=not+a+password");
    visit.post("/login", &form, 401)
}

/// Without a word, in the middle of a head, and before an answer is read.
fn drop_out(_: &Site, visit: &mut Visit, _: u64) -> io::Result<()> {
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
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(database);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let ids = sqlx::query_scalar(
            "SELECT id FROM users WHERE username GLOB 'soak-[0-9]*' ORDER BY username",
        )
        .fetch_all(&mut connection)
        .await?;
        connection.close().await?;
        Ok(ids)
    })
}
