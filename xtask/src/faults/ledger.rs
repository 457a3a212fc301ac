//! What clients asked for and what they were answered, kept in files of their own.
//!
//! A client writes what it is about to ask before it sends it, and the answer once it has read all
//! of it. So whatever happens to the server, the file tells what was promised.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use vestibule::Clock;

/// A line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    /// About to be asked, at this time (Unix microseconds). If it works, the sessions of these
    /// cookies are over.
    Intent {
        asks: Request,
        ends: Vec<String>,
        at: i64,
    },
    /// What came back for the intent before, and the cookie that came with it.
    Answer { status: u16, cookie: Option<String> },
    /// What a session check said.
    Saw { cookie: String, status: u16 },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    SignIn,
    /// With a wrong password.
    Guess,
    /// Signing out, revoking, barring.
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
pub struct Writer(File);

impl Writer {
    pub fn create(folder: &Path, client: usize) -> io::Result<Self> {
        let path = folder.join(format!("{client:02}.jsonl"));
        let file = OpenOptions::new().append(true).create_new(true).open(path);
        Ok(Self(file?))
    }

    pub fn intent(&mut self, asks: Request, ends: Vec<String>) -> io::Result<()> {
        let at = Clock::system().now().unix_micros();
        self.write(&Line::Intent { asks, ends, at })
    }

    pub fn answer(&mut self, status: u16, cookie: Option<String>) -> io::Result<()> {
        self.write(&Line::Answer { status, cookie })
    }

    pub fn saw(&mut self, cookie: String, status: u16) -> io::Result<()> {
        self.write(&Line::Saw { cookie, status })
    }

    /// In one piece: a line is there or it is not.
    fn write(&mut self, line: &Line) -> io::Result<()> {
        self.0
            .write_all(format!("{}\n", serde_json::to_string(line)?).as_bytes())
    }
}

/// The lines of all clients, each client's in its order.
#[derive(Clone, Debug, Default)]
pub struct Ledger(pub Vec<Vec<Line>>);

impl Ledger {
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

    /// This ledger, and what was asked between it and a later one of the same clients: that may be done
    /// or not.
    pub fn in_doubt_until(&self, later: &Self) -> Self {
        let no_lines = Vec::new();
        let clients = later.0.iter().enumerate().map(|(client, later)| {
            let before = self.0.get(client).unwrap_or(&no_lines);
            let since = later.iter().skip(before.len());
            let asked = since.filter(|line| matches!(line, Line::Intent { .. }));
            before.iter().chain(asked).cloned().collect()
        });
        Self(clients.collect())
    }

    /// What was asked for and answered with a yes.
    pub fn acknowledged(&self) -> usize {
        let done = |line: &&Line| matches!(line, Line::Answer { status: DONE, .. });
        self.0.iter().flatten().filter(done).count()
    }

    /// Requests that were answered with this status.
    pub fn answered(&self, wanted: u16) -> usize {
        let is = |line: &&Line| match line {
            Line::Answer { status, .. } | Line::Saw { status, .. } => *status == wanted,
            Line::Intent { .. } => false,
        };
        self.0.iter().flatten().filter(is).count()
    }
}

/// Up to the last whole line, for a client may be writing the next.
fn read(path: &Path) -> io::Result<Vec<Line>> {
    let text = fs::read_to_string(path)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}
