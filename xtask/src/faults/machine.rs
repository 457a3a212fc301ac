//! The release binary on a folder, a port and an environment of its own, as a user without rights.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::judge::Witness;
use super::lab::Lab;
use super::ledger::DONE;
use crate::bench::client::{Answer, Client};
use crate::bench::{failed, server};
use crate::run::{Outcome, Stop};

/// What the session cookie is called over plain http.
pub const COOKIE: &str = "vestibule";

/// Everybody's, to begin with.
pub const PASSWORD: &str = "correct horse battery";

/// How soon a try comes back: far later than any fault is over, so that none is forgotten rightly.
pub const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// A protected host.
pub const SITE: &str = "app.localhost";

const SETTINGS: [(&str, &str); 8] = [
    ("VESTIBULE_LOG_LEVEL", "warn"),
    ("VESTIBULE_TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
    ("VESTIBULE_SESSIONS__MAX_PER_USER", "1000000"),
    ("VESTIBULE_PASSWORDS__HASHING_THREADS", "4"),
    ("VESTIBULE_THROTTLE__ACCOUNT_TRIES", "10000"),
    ("VESTIBULE_THROTTLE__ACCOUNT_INTERVAL", "1h"),
    ("VESTIBULE_THROTTLE__ADDRESS_TRIES", "10000"),
    ("VESTIBULE_THROTTLE__ADDRESS_INTERVAL", "1h"),
];

/// Whom root runs the server as: root itself may write what it may not.
const UNPRIVILEGED: [&str; 5] = [
    "setpriv",
    "--reuid=nobody",
    "--regid=nogroup",
    "--clear-groups",
    // Nothing is left running when this program is interrupted.
    "--pdeathsig=KILL",
];

/// Far above what anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Machine {
    pub folder: PathBuf,
    pub address: SocketAddr,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    /// What the program is started with, such as strace.
    wrapper: Vec<String>,
    /// A library that the program is given before its own; `setpriv` is not.
    preloaded: Option<String>,
    unprivileged: bool,
}

impl Machine {
    /// On a folder that is there.
    pub fn new(lab: &Lab, folder: PathBuf) -> Result<Self, Stop> {
        let environment = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self {
            folder,
            address: free_address()?,
            binary: lab.binary(),
            environment: environment.to_vec(),
            wrapper: Vec::new(),
            preloaded: None,
            unprivileged: lab.is_root,
        })
    }

    pub fn database(&self) -> PathBuf {
        self.data().join("vestibule.db")
    }

    /// What the server may write, and all of it; ledgers and logs lie outside.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What browsers call it.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("server.log")).unwrap_or_default()
    }

    /// With a variable in the environment of all that runs here.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// With a library that stands between the program and the system.
    pub fn preload(mut self, library: &Path) -> Self {
        self.preloaded = Some(format!("LD_PRELOAD={}", library.display()));
        self
    }

    /// With the program started by another one, as its arguments.
    pub fn under<S: Into<String>>(mut self, wrapper: impl IntoIterator<Item = S>) -> Self {
        self.wrapper = wrapper.into_iter().map(Into::into).collect();
        self
    }

    /// The program, without rights.
    fn command(&self) -> Command {
        let unprivileged = UNPRIVILEGED.iter().filter(|_| self.unprivileged);
        let wrapper = self.wrapper.iter().map(String::as_str);
        let preloaded = self.preloaded.iter().flat_map(|variable| ["env", variable]);
        let mut line = wrapper.chain(unprivileged.copied()).chain(preloaded);
        let mut command = match line.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(line).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        server::clear_settings(&mut command);
        command
            .current_dir(self.data())
            .env(
                "VESTIBULE_DATABASE_URL",
                format!("sqlite:{}", self.database().display()),
            )
            .env("ROCKET_ADDRESS", self.address.ip().to_string())
            .env("ROCKET_PORT", self.address.port().to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command of vestibule's to its end.
    pub fn cli(&self, arguments: &[&str]) -> Result<Ran, Stop> {
        self.cli_given(arguments, "")
    }

    /// The same with something on its standard input.
    pub fn cli_given(&self, arguments: &[&str], input: &str) -> Result<Ran, Stop> {
        let what = format!("vestibule {}", arguments.join(" "));
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(failed(&what))?;
        // A command that refuses does not read; the pipe is broken then.
        let _ = process
            .stdin
            .take()
            .expect("it was piped")
            .write_all(input.as_bytes());
        let output = process.wait_with_output().map_err(failed(&what))?;
        Ok(Ran {
            what,
            status: output.status,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    pub fn add_user(&self, name: &str, options: &[&str]) -> Outcome {
        let arguments = [&["user", "add", name, "--password-stdin"], options].concat();
        self.cli_given(&arguments, PASSWORD)?.done().map(drop)
    }

    /// Starts a server, ready or not; what it says goes to server.log.
    pub fn spawn(&self) -> Result<Server, Stop> {
        self.spawn_with(Stdio::null())
    }

    /// The same with something on its standard input.
    pub fn spawn_with(&self, input: Stdio) -> Result<Server, Stop> {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.path("server.log"));
        let log = log.map_err(failed("server.log"))?;
        let mut command = self.command();
        command.arg("serve").stdin(input);
        command.stdout(Stdio::null()).stderr(log);
        Ok(Server {
            process: command.spawn().map_err(failed("vestibule serve"))?,
            ready_after: Duration::ZERO,
        })
    }

    /// Starts a server and waits until it is ready.
    pub fn start(&self) -> Result<Server, Stop> {
        self.try_start()?.map_err(|status| {
            let log = self.log();
            let words = log.lines().last().unwrap_or_default();
            Stop::because(format!("vestibule serve: {status}: {words}"))
        })
    }

    /// The same, or how it ended without being ready.
    pub fn try_start(&self) -> Result<Result<Server, ExitStatus>, Stop> {
        let began = Instant::now();
        let mut server = self.spawn()?;
        let ended = wait_for("the server to be ready", || match server.has_ended() {
            Some(status) => Some(Some(status)),
            None => self.is_ready().then_some(None),
        })?;
        server.ready_after = began.elapsed();
        Ok(ended.map_or(Ok(server), Err))
    }

    pub fn is_ready(&self) -> bool {
        self.status("/readyz") == Some(200)
    }

    /// The answer's status to whoever asks; `None` without one.
    pub fn status(&self, path: &str) -> Option<u16> {
        let answer = self.client().and_then(|mut client| client.get(path));
        answer.ok().map(|answer| answer.status)
    }

    /// How long it takes until somebody can sign in again.
    pub fn recovery(&self, user: &str) -> Result<Duration, Stop> {
        let began = Instant::now();
        wait_for("a sign-in that works again", || self.sign_in(user).ok())?;
        Ok(began.elapsed())
    }

    pub fn client(&self) -> io::Result<Client> {
        Client::connect(self.address)
    }

    /// Changes the database behind the server's back.
    pub fn execute(&self, statement: &'static str) -> Outcome {
        let options = SqliteConnectOptions::new().filename(self.database());
        super::block_on(async {
            let mut connection = SqliteConnection::connect_with(&options).await?;
            sqlx::raw_sql(statement).execute(&mut connection).await?;
            connection.close().await
        })
        .map_err(failed(statement))
    }

    /// The cookie of a session that begins now.
    pub fn sign_in(&self, user: &str) -> Result<String, Stop> {
        let mut client = self.client().map_err(failed("no connection"))?;
        let answer = sign_in(&mut client, user, PASSWORD).map_err(failed("POST /login"))?;
        match answer.status {
            303 => Ok(client.cookie),
            status => Err(Stop::because(format!("POST /login: {status}"))),
        }
    }
}

pub fn sign_in(client: &mut Client, user: &str, password: &str) -> io::Result<Answer> {
    let form = format!("username={user}&password={}", password.replace(' ', "+"));
    client.post("/login", &form)
}

/// Goes to the protected host with a ticket, as its proxy passes that on; done if its cookie comes back.
pub fn enter(client: &mut Client, ticket: &str) -> io::Result<Answer> {
    let path = format!("/.vestibule/enter?ticket={ticket}");
    let passed_on = format!("X-Forwarded-Host: {SITE}\r\nX-Forwarded-Proto: http\r\n");
    let answer = client.get_with(&path, &passed_on)?;
    let entered = client.cookie.starts_with("vestibule-site=");
    let status = if entered { DONE } else { answer.status };
    Ok(Answer { status, ..answer })
}

impl Witness for Client {
    fn session(&mut self, cookie: &str) -> io::Result<u16> {
        cookie.clone_into(&mut self.cookie);
        Ok(self.get("/api/session")?.status)
    }

    fn sign_in(&mut self, user: &str, password: &str) -> io::Result<u16> {
        self.cookie.clear();
        Ok(sign_in(self, user, password)?.status)
    }

    fn enter(&mut self, ticket: &str, flow: &str) -> io::Result<u16> {
        flow.clone_into(&mut self.cookie);
        Ok(enter(self, ticket)?.status)
    }
}

/// What came of a command.
pub struct Ran {
    what: String,
    pub status: ExitStatus,
    pub err: String,
}

impl Ran {
    /// It worked.
    pub fn done(self) -> Result<Self, Stop> {
        if self.status.success() {
            return Ok(self);
        }
        Err(Stop::because(format!(
            "{}: {}: {}",
            self.what, self.status, self.err
        )))
    }
}

/// Killed, by its id, when it is dropped.
pub struct Server {
    process: Child,
    pub ready_after: Duration,
}

impl Server {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn signal(&self, signal: Signal) -> Outcome {
        kill_process(Pid::from_child(&self.process), signal).map_err(failed("a signal"))
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) -> Outcome {
        self.signal(Signal::KILL)?;
        self.ended().map(drop)
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> Result<ExitStatus, Stop> {
        self.signal(Signal::TERM)?;
        self.ended()
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    pub fn ended(&mut self) -> Result<ExitStatus, Stop> {
        wait_for("the server to end", || self.has_ended())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Looks until there is something to see.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, Stop> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(seen) = look() {
            return Ok(seen);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(Stop::because(format!("waited in vain for {what}")))
}

/// Below the ports that clients are given: one that connects to a closed port among those may be
/// given that very port, and talk to itself. Each is handed out once.
pub fn free_address() -> Result<SocketAddr, Stop> {
    static HANDED_OUT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap_or(0);
    let next = || first + HANDED_OUT.fetch_add(1, Ordering::Relaxed);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = std::iter::repeat_with(next).take(1_000).find(is_free);
    port.map(|port| (Ipv4Addr::LOCALHOST, port).into())
        .ok_or_else(|| Stop::because("no free port"))
}

/// Gives what is in a folder to whom the server runs as.
pub fn give_away(path: &Path) -> Outcome {
    let mut chown = Command::new("chown");
    chown.args(["--recursive", "nobody:nogroup"]).arg(path);
    match chown.status() {
        Ok(status) if status.success() => Ok(()),
        other => Err(Stop::because(format!(
            "chown {}: {other:?}",
            path.display()
        ))),
    }
}
