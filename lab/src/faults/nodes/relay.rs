//! Stands between a node and the database: passes on what comes, late, not at all, or cut off; to another server if it is
//! told so.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use xtask::run::{Stop, failed};

/// What the way does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Everything takes this much longer.
    Slow(Duration),
    /// What is sent arrives when the way is open again.
    Held,
    /// The same for what the server answers; it hears everything.
    AnswersHeld,
    /// Connections are closed, and none is taken.
    Cut,
}

pub struct Relay {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    way: Way,
    server: PathBuf,
    open: Vec<(TcpStream, UnixStream)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    Back,
}

impl Relay {
    /// To the server whose socket is in this folder. It listens as long as this program runs.
    pub fn start(server: &Path) -> Result<Self, Stop> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed("a relay"))?;
        let address = listener.local_addr().map_err(failed("a relay"))?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                way: Way::Open,
                server: socket(server),
                open: Vec::new(),
            }),
            changed: Condvar::new(),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Otherwise it is closed: there is nobody to talk to.
                let _ = accepting.join(client);
            }
        });
        Ok(Self {
            port: address.port(),
            shared,
        })
    }

    pub fn set(&self, way: Way) {
        let mut state = self.shared.lock();
        state.way = way;
        if way == Way::Cut {
            state.close();
        }
        self.shared.changed.notify_all();
    }

    /// From now on to this server.
    pub fn lead_to(&self, server: &Path) {
        let mut state = self.shared.lock();
        state.server = socket(server);
        state.close();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join(".s.PGSQL.5432")
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    fn join(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let mut state = self.lock();
        if state.way == Way::Cut {
            return Ok(());
        }
        client.set_nodelay(true)?;
        let server = UnixStream::connect(&state.server)?;
        state.open.push((client.try_clone()?, server.try_clone()?));
        let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
        let (there, back) = (self.clone(), self.clone());
        thread::spawn(move || {
            there.pass(from_client, &to_server, Direction::ToServer);
            let _ = to_server.shutdown(Shutdown::Both);
        });
        thread::spawn(move || {
            back.pass(server, &client, Direction::Back);
            let _ = client.shutdown(Shutdown::Both);
        });
        Ok(())
    }

    fn pass(&self, mut from: impl Read, mut to: impl Write, direction: Direction) {
        let mut part = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut part) {
            self.wait(direction);
            if to.write_all(&part[..read]).is_err() {
                return;
            }
        }
    }

    /// Until what has come may go on.
    fn wait(&self, direction: Direction) {
        let is_held = |state: &mut State| {
            state.way == Way::Held
                || (state.way == Way::AnswersHeld && direction == Direction::Back)
        };
        let state = self.changed.wait_while(self.lock(), is_held);
        let way = state.expect("no panic").way;
        if let Way::Slow(by) = way {
            thread::sleep(by);
        }
    }
}

impl State {
    fn close(&mut self) {
        for (client, server) in self.open.drain(..) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }
}
