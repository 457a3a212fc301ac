//! What clients requested and what they were answered, each client's in a file of its own.
//!
//! A client writes what it is about to ask before it sends it, and the answer once it has read all
//! of it. So whatever happens to the server, the file says what was promised.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::library;

/// A line of a client's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// About to be sent, at this time (Unix microseconds). If it works, the sessions of these
    /// cookies have ended.
    Invoke {
        request: Request,
        ends: Vec<String>,
        at: i64,
    },
    /// The answer to the request before, and the cookie that came with it.
    Answer { status: u16, cookie: Option<String> },
    /// The answer to a session check.
    Check { cookie: String, status: u16 },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    SignIn,
    /// With a wrong password.
    Guess,
    /// Signing out, revoking, disabling.
    End,
    /// Going to a protected site with a ticket that works once, in the browser of this cookie.
    Enter {
        ticket: String,
        flow: String,
    },
    ChangePassword {
        user: String,
        old: String,
        new: String,
    },
}

/// Every form that works is answered with a redirect.
pub const DONE: u16 = 303;

/// One client's file.
pub struct Recorder(File);

impl Recorder {
    pub fn create(folder: &Path, client: usize) -> io::Result<Self> {
        let path = folder.join(format!("{client:02}.jsonl"));
        let file = OpenOptions::new().append(true).create_new(true).open(path);
        Ok(Self(file?))
    }

    pub fn invoke(&mut self, request: Request, ends: Vec<String>) -> io::Result<()> {
        let at = library::now().unix_micros();
        self.write(&Event::Invoke { request, ends, at })
    }

    pub fn answer(&mut self, status: u16, cookie: Option<String>) -> io::Result<()> {
        self.write(&Event::Answer { status, cookie })
    }

    pub fn check(&mut self, cookie: String, status: u16) -> io::Result<()> {
        self.write(&Event::Check { cookie, status })
    }

    /// In one piece: a line is there or it is not.
    fn write(&mut self, line: &Event) -> io::Result<()> {
        self.0
            .write_all(format!("{}\n", serde_json::to_string(line)?).as_bytes())
    }
}

/// The lines of all clients, each client's in its order.
#[derive(Clone, Debug, Default)]
pub struct History(pub Vec<Vec<Event>>);

impl History {
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut paths: Vec<_> = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        paths.sort();
        paths
            .iter()
            .map(|path| read(path))
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// This history, and what was requested between it and a later one of the same clients, which may be
    /// done or not.
    pub fn in_doubt_until(&self, later: &Self) -> Self {
        let no_lines = Vec::new();
        let clients = later.0.iter().enumerate().map(|(client, later)| {
            let before = self.0.get(client).unwrap_or(&no_lines);
            let since = later.iter().skip(before.len());
            let asked = since.filter(|line| matches!(line, Event::Invoke { .. }));
            before.iter().chain(asked).cloned().collect()
        });
        Self(clients.collect())
    }

    /// What was asked for and answered with a yes.
    pub fn acknowledged(&self) -> usize {
        let done = |line: &&Event| matches!(line, Event::Answer { status: DONE, .. });
        self.0.iter().flatten().filter(done).count()
    }

    /// Requests that were answered with this status.
    pub fn answered(&self, wanted: u16) -> usize {
        let is = |line: &&Event| match line {
            Event::Answer { status, .. } | Event::Check { status, .. } => *status == wanted,
            Event::Invoke { .. } => false,
        };
        self.0.iter().flatten().filter(is).count()
    }
}

/// Up to the last whole line, for a client may be writing the next.
fn read(path: &Path) -> io::Result<Vec<Event>> {
    let text = fs::read_to_string(path)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}
