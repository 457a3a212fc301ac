//! Clients that sign in, out, guess, revoke, change a password and disable a user, and record what they do.

mod actions;

use std::fs;
use std::io;
use std::ops::Range;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use xtask::run::{Outcome, Stop, failed};

use super::history::{DONE, History, Recorder, Request};
use super::service::SITE;
use crate::driver::{Answer, Client, Instance, PASSWORD};

const USERS: usize = 32;

/// One for each user.
pub const ALL: Range<usize> = 0..USERS;

/// The clients that change their password and that have their user disabled.
const CHANGES_PASSWORD: usize = 0;
const DISABLES: usize = 1;

const ADMIN: &str = "admin";

pub fn add_users(instance: &Instance) -> Outcome {
    instance.add_user(ADMIN, &["--admin"])?;
    instance.cli(&["site", "add", SITE])?.success()?;
    ALL.into_iter()
        .try_for_each(|number| instance.add_user(&name(number), &[]))
}

/// Whose sessions a client begins and ends.
fn name(number: usize) -> String {
    format!("user-{number:02}")
}

/// Uses the service while `meanwhile` runs, and until it has returned; the history of both.
pub fn run<T>(
    instance: &Instance,
    clients: Range<usize>,
    seed: u64,
    meanwhile: impl FnOnce() -> Result<T, Stop>,
) -> Result<(History, T), Stop> {
    run_at(slice::from_ref(instance), clients, seed, meanwhile)
}

/// The same at several nodes: a client goes from one to another.
pub fn run_at<T>(
    nodes: &[Instance],
    clients: Range<usize>,
    seed: u64,
    meanwhile: impl FnOnce() -> Result<T, Stop>,
) -> Result<(History, T), Stop> {
    let folder = nodes[0].path("history");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).map_err(failed("the history"))?;
    // Left disabled by an earlier round, perhaps; if this fails, the client goes without sessions.
    let _ = nodes[0].cli(&["user", "enable", &name(DISABLES)]);
    let over = AtomicBool::new(false);
    let result = thread::scope(|scope| {
        for number in clients {
            let (over, folder) = (&over, &folder);
            let rng = StdRng::seed_from_u64(seed * 1_000 + number as u64);
            scope.spawn(move || {
                let recorder = Recorder::create(folder, number).expect("a file of its own");
                User::new(nodes, number, recorder, rng).work(over);
            });
        }
        let result = meanwhile();
        over.store(true, Ordering::Relaxed);
        result
    })?;
    let history = History::read(&folder).map_err(failed("the history"))?;
    Ok((history, result))
}

struct User<'i> {
    nodes: &'i [Instance],
    /// Which of them it asks now.
    at: usize,
    number: usize,
    user: String,
    /// What the user's password is known to be.
    password: Option<&'static str>,
    /// Of the sessions that were begun and not knowingly ended.
    cookies: Vec<String>,
    ended: Vec<String>,
    /// To each node.
    connections: Vec<Option<Client>>,
    recorder: Recorder,
    rng: StdRng,
}

impl<'i> User<'i> {
    fn new(nodes: &'i [Instance], number: usize, recorder: Recorder, rng: StdRng) -> Self {
        Self {
            nodes,
            at: 0,
            number,
            user: name(number),
            password: (number != CHANGES_PASSWORD).then_some(PASSWORD),
            cookies: Vec::new(),
            ended: Vec::new(),
            connections: nodes.iter().map(|_| None).collect(),
            recorder,
            rng,
        }
    }

    /// An error is no answer: the connection is given up, and the next turn has another.
    fn work(mut self, over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) {
            if self.turn().is_err() {
                self.connections[self.at] = None;
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        self.go_elsewhere();
        match self.rng.random_range(0..22) {
            _ if self.password.is_none() => self.find_password()?,
            0..=8 => self.sign_in()?,
            9..=10 => self.sign_in_again()?,
            11..=14 => self.sign_out()?,
            15..=16 => self.revoke()?,
            17 => self.guess()?,
            18..=19 => self.enter()?,
            _ => match self.number {
                CHANGES_PASSWORD => self.change_password()?,
                DISABLES => self.disable()?,
                _ => self.sign_in()?,
            },
        }
        self.go_elsewhere();
        self.check_session()
    }

    fn go_elsewhere(&mut self) {
        self.at = self.rng.random_range(0..self.nodes.len());
    }

    /// Checks one of the sessions, live or ended; every other time the one that ended last.
    fn check_session(&mut self) -> io::Result<()> {
        let known = self.cookies.len() + self.ended.len();
        if known == 0 {
            return Ok(());
        }
        let at = match self.rng.random() {
            true => known - 1,
            false => self.rng.random_range(0..known),
        };
        let cookie = self
            .cookies
            .iter()
            .chain(&self.ended)
            .nth(at)
            .cloned()
            .unwrap_or_default();
        let status = self.client(&cookie)?.get("/api/session")?.status;
        self.recorder.check(cookie, status)
    }

    /// Sends one request, with its intent and its answer in the history; the answer's status.
    fn send(
        &mut self,
        request: Request,
        ends: Vec<String>,
        cookie: &str,
        post: impl FnOnce(&mut Client) -> io::Result<Answer>,
    ) -> io::Result<u16> {
        let begins = !matches!(request, Request::End | Request::Enter { .. });
        self.client(cookie)?;
        self.recorder.invoke(request, ends.clone())?;
        let client = self.client(cookie)?;
        let status = post(client)?.status;
        let given = Some(client.cookie.clone()).filter(|given| begins && given != cookie);
        self.recorder.answer(status, given.clone())?;
        if status == DONE {
            self.cookies.retain(|cookie| !ends.contains(cookie));
            self.ended.extend(ends);
            self.cookies.extend(given);
        }
        Ok(status)
    }

    /// The id of a session, or of its user.
    fn id_of(&mut self, cookie: &str, what: &str) -> io::Result<Option<String>> {
        let answer = self.client(cookie)?.get("/api/session")?;
        self.recorder.check(cookie.to_owned(), answer.status)?;
        let session: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        Ok(session[what]["id"].as_str().map(str::to_owned))
    }

    fn any_cookie(&mut self) -> Option<String> {
        let count = self.cookies.len();
        (count > 0).then(|| self.cookies[self.rng.random_range(0..count)].clone())
    }

    /// The connection, as the browser that has this cookie.
    fn client(&mut self, cookie: &str) -> io::Result<&mut Client> {
        let connection = &mut self.connections[self.at];
        if connection.is_none() {
            *connection = Some(self.nodes[self.at].client()?);
        }
        let client = connection.as_mut().expect("it was just made");
        Ok(client.with_cookie(cookie))
    }
}
