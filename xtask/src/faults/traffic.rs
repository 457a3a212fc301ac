//! Clients that sign in, out, guess, revoke, change a password and bar a user, each with a ledger.

use std::fs;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use vestibule::testing::seeding;

use super::ledger::{DONE, Ledger, Request, Writer};
use super::machine::{Machine, PASSWORD, SITE, enter, sign_in};
use crate::bench::client::{Answer, Client};
use crate::bench::failed;
use crate::run::{Outcome, Stop};

const USERS: usize = 32;

/// One for each user.
pub const ALL: Range<usize> = 0..USERS;

/// Two clients have parts of their own.
const FICKLE: usize = 0;
const ADMIN: usize = 1;

const OTHER_PASSWORD: &str = "staple battery horse";

pub fn add_users(machine: &Machine) -> Outcome {
    machine.add_user("boss", &["--admin"])?;
    machine.cli(&["site", "add", SITE])?.done()?;
    ALL.into_iter()
        .try_for_each(|number| machine.add_user(&name(number), &[]))
}

/// Whose sessions a client begins and ends.
fn name(number: usize) -> String {
    format!("user-{number:02}")
}

/// Uses the service while `meanwhile` runs, and until it has returned; what was promised.
pub fn run<T>(
    machine: &Machine,
    clients: Range<usize>,
    seed: u64,
    meanwhile: impl FnOnce() -> Result<T, Stop>,
) -> Result<(Ledger, T), Stop> {
    let folder = machine.path("ledger");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).map_err(failed("the ledger"))?;
    // Left barred by an earlier round, perhaps; if this fails, the client goes without sessions.
    let _ = machine.cli(&["user", "enable", &name(ADMIN)]);
    let over = AtomicBool::new(false);
    let came = thread::scope(|scope| {
        for number in clients {
            let (over, folder) = (&over, &folder);
            let rng = StdRng::seed_from_u64(seed * 1_000 + number as u64);
            scope.spawn(move || {
                let ledger = Writer::create(folder, number).expect("a ledger of its own");
                Visitor::new(machine, number, ledger, rng).visit(over);
            });
        }
        let came = meanwhile();
        over.store(true, Ordering::Relaxed);
        came
    })?;
    let ledger = Ledger::read(&folder).map_err(failed("the ledger"))?;
    Ok((ledger, came))
}

struct Visitor<'m> {
    machine: &'m Machine,
    number: usize,
    user: String,
    /// What the user's password is known to be.
    password: Option<&'static str>,
    /// Of the sessions that were begun and not knowingly ended.
    cookies: Vec<String>,
    ended: Vec<String>,
    connection: Option<Client>,
    ledger: Writer,
    rng: StdRng,
}

impl<'m> Visitor<'m> {
    fn new(machine: &'m Machine, number: usize, ledger: Writer, rng: StdRng) -> Self {
        Self {
            machine,
            number,
            user: name(number),
            password: (number != FICKLE).then_some(PASSWORD),
            cookies: Vec::new(),
            ended: Vec::new(),
            connection: None,
            ledger,
            rng,
        }
    }

    /// An error is no answer: the connection is given up, and the next turn has another.
    fn visit(mut self, over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) {
            if self.turn().is_err() {
                self.connection = None;
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        match self.rng.random_range(0..22) {
            _ if self.password.is_none() => self.find_password()?,
            0..=8 => self.sign_in()?,
            9..=10 => self.sign_in_again()?,
            11..=14 => self.sign_out()?,
            15..=16 => self.revoke()?,
            17 => self.guess()?,
            18..=19 => self.enter()?,
            _ => match self.number {
                FICKLE => self.change_password()?,
                ADMIN => self.bar()?,
                _ => self.sign_in()?,
            },
        }
        self.look()
    }

    fn sign_in(&mut self) -> io::Result<()> {
        let password = self.password.unwrap_or(PASSWORD);
        let user = self.user.clone();
        self.ask(Request::SignIn, Vec::new(), "", |client| {
            sign_in(client, &user, password)
        })?;
        Ok(())
    }

    /// In the browser of a session, which ends with it.
    fn sign_in_again(&mut self) -> io::Result<()> {
        let Some(cookie) = self.any_cookie() else {
            return self.sign_in();
        };
        let (user, password) = (self.user.clone(), self.password.unwrap_or(PASSWORD));
        let ends = vec![cookie.clone()];
        self.ask(Request::SignIn, ends, &cookie, |client| {
            sign_in(client, &user, password)
        })?;
        Ok(())
    }

    fn sign_out(&mut self) -> io::Result<()> {
        let Some(cookie) = self.any_cookie() else {
            return self.sign_in();
        };
        let ends = vec![cookie.clone()];
        self.ask(Request::End, ends, &cookie, |client| {
            client.post("/logout", "")
        })?;
        Ok(())
    }

    /// One session from another of the user's.
    fn revoke(&mut self) -> io::Result<()> {
        let (Some(from), Some(cookie)) = (self.any_cookie(), self.any_cookie()) else {
            return self.sign_in();
        };
        if from == cookie {
            return Ok(());
        }
        let Some(id) = self.of_session(&cookie, "session")? else {
            return Ok(());
        };
        let path = format!("/account/sessions/{id}/revoke");
        self.ask(Request::End, vec![cookie], &from, |client| {
            client.post(&path, "")
        })?;
        Ok(())
    }

    fn guess(&mut self) -> io::Result<()> {
        let user = self.user.clone();
        let guess = |client: &mut Client| sign_in(client, &user, "a wrong pass phrase");
        self.ask(Request::Guess, Vec::new(), "", guess)?;
        Ok(())
    }

    /// To a protected site, which nobody can follow with the same ticket.
    fn enter(&mut self) -> io::Result<()> {
        let Some(cookie) = self.any_cookie() else {
            return self.sign_in();
        };
        let mut secret = [0; 32];
        self.rng.fill_bytes(&mut secret);
        let (flow, hash) = seeding::token(secret);
        let hash = <[u8; 32]>::try_from(hash).map(|hash| seeding::token(hash).0);
        let flow = format!("vestibule-flow={flow}");
        let way = format!(
            "/login?rd=http%3A%2F%2F{SITE}%2F&flow={}",
            hash.unwrap_or_default()
        );
        let location = self.client(&cookie)?.get(&way)?.location;
        let Some((_, ticket)) = location.split_once("ticket=") else {
            return Ok(());
        };
        let ticket = ticket.to_owned();
        let asks = Request::Enter {
            ticket: ticket.clone(),
            flow: flow.clone(),
        };
        self.ask(asks, Vec::new(), &flow, |client| enter(client, &ticket))?;
        Ok(())
    }

    /// Ends all sessions of the user, and goes on with a new secret.
    fn change_password(&mut self) -> io::Result<()> {
        let (Some(old), Some(cookie)) = (self.password, self.any_cookie()) else {
            return self.sign_in();
        };
        let new = if old == PASSWORD {
            OTHER_PASSWORD
        } else {
            PASSWORD
        };
        let asks = Request::ChangePassword {
            user: self.user.clone(),
            old: old.to_owned(),
            new: new.to_owned(),
        };
        let fields = format!("current_password={old}&new_password={new}").replace(' ', "+");
        self.password = None;
        let change = |client: &mut Client| client.post("/account/password", &fields);
        let status = self.ask(asks, self.cookies.clone(), &cookie, change)?;
        self.password = match status {
            DONE => Some(new),
            // Not this one's fault: it was refused before anything was done.
            401 | 403 => Some(old),
            _ => None,
        };
        Ok(())
    }

    /// After a change in doubt, here or in an earlier round.
    fn find_password(&mut self) -> io::Result<()> {
        for password in [PASSWORD, OTHER_PASSWORD] {
            self.password = Some(password);
            let before = self.cookies.len();
            self.sign_in()?;
            if self.cookies.len() > before {
                return Ok(());
            }
        }
        self.password = None;
        Ok(())
    }

    /// An admin bars the user, which ends all of the user's sessions, and lets the user in again.
    fn bar(&mut self) -> io::Result<()> {
        let Some(cookie) = self.any_cookie() else {
            return self.sign_in();
        };
        let Some(id) = self.of_session(&cookie, "user")? else {
            return Ok(());
        };
        let mut boss = self.machine.client()?;
        if sign_in(&mut boss, "boss", PASSWORD)?.status != DONE {
            return Ok(());
        }
        let boss = boss.cookie;
        let ends = self.cookies.clone();
        let path = format!("/admin/users/{id}/disable");
        self.ask(Request::End, ends, &boss, |client| client.post(&path, ""))?;
        let path = format!("/admin/users/{id}/enable");
        self.ask(Request::End, Vec::new(), &boss, |client| {
            client.post(&path, "")
        })?;
        Ok(())
    }

    /// Asks whether a session is live, or one that is over.
    fn look(&mut self) -> io::Result<()> {
        let known = self.cookies.len() + self.ended.len();
        if known == 0 {
            return Ok(());
        }
        let at = self.rng.random_range(0..known);
        let cookie = self
            .cookies
            .iter()
            .chain(&self.ended)
            .nth(at)
            .cloned()
            .unwrap_or_default();
        let status = self.client(&cookie)?.get("/api/session")?.status;
        self.ledger.saw(cookie, status)
    }

    /// Sends one request, with its intent and its answer in the ledger; the answer's status.
    fn ask(
        &mut self,
        asks: Request,
        ends: Vec<String>,
        cookie: &str,
        send: impl FnOnce(&mut Client) -> io::Result<Answer>,
    ) -> io::Result<u16> {
        let begins = !matches!(asks, Request::End | Request::Enter { .. });
        self.client(cookie)?;
        self.ledger.intent(asks, ends.clone())?;
        let client = self.client(cookie)?;
        let status = send(client)?.status;
        let given = Some(client.cookie.clone()).filter(|given| begins && given != cookie);
        self.ledger.answer(status, given.clone())?;
        if status == DONE {
            self.cookies.retain(|cookie| !ends.contains(cookie));
            self.ended.extend(ends);
            self.cookies.extend(given);
        }
        Ok(status)
    }

    /// The id of a session, or of its user.
    fn of_session(&mut self, cookie: &str, what: &str) -> io::Result<Option<String>> {
        let answer = self.client(cookie)?.get("/api/session")?;
        self.ledger.saw(cookie.to_owned(), answer.status)?;
        let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        Ok(told[what]["id"].as_str().map(str::to_owned))
    }

    fn any_cookie(&mut self) -> Option<String> {
        let count = self.cookies.len();
        (count > 0).then(|| self.cookies[self.rng.random_range(0..count)].clone())
    }

    /// The connection, as the browser that has this cookie.
    fn client(&mut self, cookie: &str) -> io::Result<&mut Client> {
        if self.connection.is_none() {
            self.connection = Some(self.machine.client()?);
        }
        let client = self.connection.as_mut().expect("it was just made");
        cookie.clone_into(&mut client.cookie);
        Ok(client)
    }
}
