//! The program as a person runs it: started, asked over a socket, ended with signals.

pub mod application;
mod backup;
mod clients;
mod commands;
mod database;
mod embedding;
mod environment;
mod faults;
mod flood;
mod freshness;
mod front;
mod hardening;
mod hostile;
mod import;
mod import_clients;
mod invitations;
pub mod keep_alive;
mod keys;
mod kill;
mod kill_factors;
mod kill_grants;
mod kill_resets;
mod litestream;
mod load;
mod logs;
mod migrations;
mod output;
mod restart;
mod secrets;
mod settings;
mod sites;
mod terminal;
mod users;
mod wire;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

use crate::support::{Answer, PASSWORD};

/// The program under test: the release build that `cargo xtask test` makes, or the one that cargo built
/// for the tests.
pub fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        std::env::var("TEST_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_vestibule").to_owned())
    })
}

/// Far above what anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until there is something to see.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A machine to run the program on: a folder, a port and an environment that belong to one test.
pub struct Machine {
    pub folder: TempDir,
    pub port: u16,
    environment: Vec<(String, String)>,
}

impl Machine {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            port: free_port(),
            environment: Vec::new(),
        }
    }

    /// With a Rocket.toml.
    pub fn with_file(text: &str) -> Self {
        let machine = Self::new();
        fs::write(machine.path("Rocket.toml"), text).expect("a file");
        machine
    }

    /// With a variable in the environment of all that is run here.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts the key there that a database's secrets are sealed with.
    pub fn write_key(&self, key: &[u8]) {
        let path = self.path("vestibule.key");
        fs::write(&path, key).expect("a file");
        let own = fs::Permissions::from_mode(0o600);
        fs::set_permissions(path, own).expect("a mode");
    }

    /// On a database of PostgreSQL's, with the key that all its nodes have.
    pub fn on_server(self, url: &str) -> Self {
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        self.set("DATABASE_URL", url)
            .set("VESTIBULE_SECRETS__KEY", key)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the folder holds, by name.
    pub fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .expect("a folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// Any program, in this folder and environment and no other.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("ROCKET_PORT", self.port.to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command of vestibule's to its end.
    pub fn cli(&self, arguments: &[&str]) -> Ran {
        self.cli_given(arguments, b"")
    }

    /// The same with something on its standard input.
    pub fn cli_given(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(program());
        command.args(arguments);
        Ran::to_its_end(command, input)
    }

    /// A user with everyone's password.
    pub fn add_user(&self, name: &str, options: &[&str]) {
        let arguments = [&["user", "add", name, "--password-stdin"], options].concat();
        self.cli_given(&arguments, PASSWORD.as_bytes()).done();
    }

    pub fn start(&self) -> Server {
        self.start_command(self.command(program()))
    }

    /// Starts a server in a way of its own, and waits until it serves.
    pub fn start_command(&self, command: Command) -> Server {
        let mut server = Server::spawn(command);
        wait_for("the server to be ready", || {
            if let Some(status) = server.child.try_wait().expect("a child") {
                panic!("the server ended with {status}: {}", server.err());
            }
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
            let readiness = exchange_on(stream, b"GET /readyz HTTP/1.0\r\n\r\n");
            readiness.ends_with(b"\r\n\r\nready").then_some(())
        });
        server
    }

    /// Starts a server that should not start; its words, once it has given up.
    pub fn refuses_to_start(&self) -> String {
        let ran = self.cli(&["serve"]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.out.is_empty(), "nothing was announced: {}", ran.out);
        ran.err
    }

    pub fn anonymous(&self) -> Browser {
        Browser {
            port: self.port,
            scheme: "http",
            host: format!("localhost:{}", self.port),
            cookie: String::new(),
        }
    }

    /// A browser of a user who is there.
    pub fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.anonymous();
        let answer = browser.sign_in(name, PASSWORD);
        assert_eq!(answer.status, 303, "{name} signs in: {}", answer.body);
        browser
    }

    /// Changes the database behind the program's back.
    pub fn execute(&self, statement: &'static str) {
        self.sql(async |connection| {
            sqlx::raw_sql(statement)
                .execute(connection)
                .await
                .expect("a statement");
        });
    }

    /// Asks the database for one number.
    pub fn number(&self, query: &'static str) -> i64 {
        self.sql(async |connection| {
            sqlx::query_scalar(query)
                .fetch_one(connection)
                .await
                .expect("a query of one number")
        })
    }

    /// Asks the database for one text.
    pub fn text(&self, query: &'static str) -> String {
        self.sql(async |connection| {
            sqlx::query_scalar(query)
                .fetch_one(connection)
                .await
                .expect("a query of one text")
        })
    }

    /// Another process that keeps the database from being written, until it is dropped.
    pub fn locked(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path("vestibule.db"));
        run(async {
            let mut connection = SqliteConnection::connect_with(&options)
                .await
                .expect("a database");
            sqlx::raw_sql("BEGIN IMMEDIATE")
                .execute(&mut connection)
                .await
                .expect("a lock");
            connection
        })
    }

    fn sql<T>(&self, work: impl AsyncFnOnce(&mut SqliteConnection) -> T) -> T {
        let options = SqliteConnectOptions::new().filename(self.path("vestibule.db"));
        run(async {
            let mut connection = SqliteConnection::connect_with(&options)
                .await
                .expect("a database");
            let result = work(&mut connection).await;
            connection.close().await.expect("a close");
            result
        })
    }
}

/// Awaits something in a test that is no async one.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    rocket::tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn to_its_end(mut command: Command, input: &[u8]) -> Self {
        command.stdin(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        // A command that refuses does not read; the pipe is broken then.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        let mut server = Server::of(child);
        let status = server.ended();
        Self {
            code: status.code().unwrap_or(-1),
            out: server.out(),
            err: server.err(),
        }
    }

    /// It worked.
    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// It did not; it says so on standard error, and there alone.
    pub fn failed(self) -> String {
        assert_eq!(self.code, 1, "{}{}", self.out, self.err);
        assert!(self.err.starts_with("vestibule: "), "{}", self.err);
        self.err
    }

    /// It was not understood.
    pub fn misused(self) -> String {
        assert_eq!(self.code, 2, "{}{}", self.out, self.err);
        assert_eq!(self.out, "");
        self.err
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// A program that runs; killed, by its id, when it is dropped.
pub struct Server {
    child: Child,
    out: Stream,
    err: Stream,
}

impl Server {
    pub fn spawn(mut command: Command) -> Self {
        Self::of(command.spawn().expect("the program starts"))
    }

    fn of(mut child: Child) -> Self {
        Self {
            out: Stream::collect(child.stdout.take().expect("a pipe")),
            err: Stream::collect(child.stderr.take().expect("a pipe")),
            child,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it printed so far.
    pub fn out(&self) -> String {
        self.out.so_far()
    }

    /// All that it logged so far.
    pub fn err(&self) -> String {
        self.err.so_far()
    }

    /// Hundredths of a second that it ran.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).expect("a process");
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        [fields[11], fields[12]]
            .map(|ticks| ticks.parse::<u64>().expect("a number"))
            .iter()
            .sum()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a running child");
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.ended();
    }

    /// Waits until it has ended and all that it wrote is read.
    pub fn ended(&mut self) -> ExitStatus {
        let status = wait_for("the program to end", || {
            self.child.try_wait().expect("a child")
        });
        self.out.finish();
        self.err.finish();
        status
    }

    /// The code in the set-up link that it printed.
    pub fn setup_code(&self) -> String {
        let out = wait_for("the set-up link", || {
            let out = self.out();
            out.contains("an hour").then_some(out)
        });
        let (_, code) = out.split_once("/setup?code=").expect("a link");
        code.chars().take_while(|c| !c.is_whitespace()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program writes, read as it comes, so that it never waits for a reader.
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn collect(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let collected = text.clone();
        let reader = thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut part) {
                collected.lock().expect("a lock").extend(&part[..read]);
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("a lock")).into_owned()
    }

    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader");
        }
    }
}

/// A browser: one cookie, and forms as a page of ours sends them.
#[derive(Clone)]
pub struct Browser {
    pub port: u16,
    /// Of the pages that it posts forms from.
    pub scheme: &'static str,
    /// What it calls the service.
    pub host: String,
    /// `name=value`; empty without one.
    pub cookie: String,
}

impl Browser {
    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "", "")
    }

    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let origin = format!(
            "Origin: {}://{}\r\nContent-Type: application/x-www-form-urlencoded\r\n",
            self.scheme, self.host
        );
        self.send("POST", path, &origin, &body)
    }

    pub fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        self.post("/login", &[("username", name), ("password", password)])
    }

    pub fn session(&mut self) -> Answer {
        self.get("/api/session")
    }

    /// The id of the session that it is signed in with.
    pub fn session_id(&mut self) -> String {
        let answer = self.session();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["session"]["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    /// The secret in its cookie.
    pub fn token(&self) -> &str {
        self.cookie.split_once('=').map_or("", |(_, value)| value)
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let cookie = match self.cookie.as_str() {
            "" => String::new(),
            cookie => format!("Cookie: {cookie}\r\n"),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nUser-Agent: tests\r\n\
             {cookie}{headers}Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        let answer = parse(&exchange(self.port, request.as_bytes()));
        // Not the one by which a browser is known before anybody is signed in.
        let mut pairs = answer
            .all("set-cookie")
            .filter_map(|set| set.split(';').next())
            .filter(|pair| !pair.contains("vestibule-visit="));
        let kept = pairs.next().map(str::to_owned);
        match kept {
            Some(pair) if pair.ends_with('=') => self.cookie.clear(),
            Some(pair) => self.cookie = pair,
            None => {}
        }
        drop(pairs);
        answer
    }
}

/// The answer to a request under which the server is killed after so long, if a whole one came; without a time, after the answer.
pub fn killed_under<T: Send>(
    server: Server,
    after: Option<Duration>,
    ask: impl FnOnce() -> T + Send,
) -> Option<T> {
    thread::scope(|scope| {
        let asking = scope.spawn(|| catch_unwind(AssertUnwindSafe(ask)).ok());
        match after {
            Some(after) => thread::sleep(after),
            None => wait_for("an answer", || asking.is_finished().then_some(())),
        }
        server.kill();
        asking.join().expect("an end")
    })
}

/// Sends bytes and reads all that comes back, until the server closes.
pub fn exchange(port: u16, request: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a listening server");
    exchange_on(stream, request)
}

fn exchange_on(mut stream: TcpStream, request: &[u8]) -> Vec<u8> {
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a read timeout");
    // A server that closes at once may reset the connection: what came before that is the answer.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

pub fn parse(answer: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("an answer: {text}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers = lines.filter_map(|line| line.split_once(": "));
    Answer {
        status: status
            .and_then(|status| status.parse().ok())
            .expect("a status"),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

/// A port that nothing listens on and that the system gives to no outgoing connection.
pub fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let first = || AtomicU16::new(10_000 + (std::process::id() % 200) as u16 * 100);
    let next = NEXT.get_or_init(first);
    loop {
        let port = next.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Whether a program is there; one line says so where it is not.
pub fn is_there(program: &str, for_what: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !there {
        println!("{program} is not here, so it is not tested that {for_what}");
        assert!(
            std::env::var_os("TEST_REQUIRE_COMPONENTS").is_none(),
            "{program} is missing"
        );
    }
    there
}

/// A program that `cargo xtask test` puts below target/tools, and names in a variable.
pub fn tool(variable: &str, path: &str) -> Option<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/tools")
        .join(path);
    let program = std::env::var_os(variable).map_or(usual, PathBuf::from);
    if program.is_file() {
        return Some(program);
    }
    println!("{path} is not here, so it is not tested; cargo xtask test installs it");
    assert!(
        std::env::var_os("TEST_REQUIRE_COMPONENTS").is_none(),
        "{path} is missing"
    );
    None
}
