//! The release binary with a database, an address and settings of its own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use xtask::run::{Outcome, Stop, failed};

use super::{Client, PASSWORD, Server, binary, free_address, wait_for};
use crate::sqlite;

/// Answers 503 until a sign-in can be written.
const READY: &str = "/readyz";

/// The user that root runs the server as: root may write what that user may not.
pub(super) const UNPRIVILEGED: [&str; 5] = [
    "setpriv",
    "--reuid=nobody",
    "--regid=nogroup",
    "--clear-groups",
    // Nothing is left running when this program is interrupted.
    "--pdeathsig=KILL",
];

#[derive(Clone)]
pub struct Instance {
    /// For its log and whatever else is kept of it.
    pub folder: PathBuf,
    pub database: PathBuf,
    pub address: SocketAddr,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    /// What the program is started by, such as strace.
    wrapper: Vec<String>,
    /// A library that the program is given before its own; `setpriv` is not.
    preloaded: Option<String>,
    unprivileged: bool,
    /// The terminal without one.
    log: Option<PathBuf>,
}

/// What secrets are sealed with, wherever a database goes.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

impl Instance {
    pub fn on(database: &Path) -> Result<Self, Stop> {
        let instance = Self {
            folder: database.parent().unwrap_or(Path::new(".")).to_owned(),
            database: database.to_owned(),
            address: free_address()?,
            binary: binary(),
            environment: Vec::new(),
            wrapper: Vec::new(),
            preloaded: None,
            unprivileged: false,
            log: None,
        };
        Ok(instance.set("VESTIBULE_LOG_LEVEL", "warn"))
    }

    /// With another copy of the binary.
    pub fn binary(mut self, binary: PathBuf) -> Self {
        self.binary = binary;
        self
    }

    /// With a folder where the server may not write, and its log there.
    pub fn folder(mut self, folder: PathBuf) -> Self {
        self.log = Some(folder.join("server.log"));
        self.folder = folder;
        self
    }

    /// As a user without rights, whom [`give_to_server`] gives the database.
    pub fn unprivileged(mut self, unprivileged: bool) -> Self {
        self.unprivileged = unprivileged;
        self
    }

    /// With a variable in the environment of all that runs here.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    pub fn set_all(self, settings: &[(&str, &str)]) -> Self {
        let all = settings.iter();
        all.fold(self, |instance, (name, value)| instance.set(name, *value))
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

    /// The folder of the database: what the server may write, and all of it.
    pub fn data(&self) -> PathBuf {
        self.database.parent().unwrap_or(&self.folder).to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What browsers call it.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    pub fn log(&self) -> String {
        let text = self.log.as_ref().map(fs::read_to_string);
        text.and_then(Result::ok).unwrap_or_default()
    }

    fn command(&self) -> Command {
        let unprivileged = UNPRIVILEGED.iter().filter(|_| self.unprivileged);
        let wrapper = self.wrapper.iter().map(String::as_str);
        let preloaded = self.preloaded.iter().flat_map(|variable| ["env", variable]);
        let binary = self.binary.to_string_lossy();
        let line = wrapper.chain(unprivileged.copied()).chain(preloaded);
        let mut line = line.chain([&*binary]);
        let mut command = Command::new(line.next().expect("the binary at least"));
        command.args(line);
        clear_settings(&mut command);
        command
            .current_dir(self.data())
            .env(
                "VESTIBULE_DATABASE_URL",
                format!("sqlite:{}", self.database.display()),
            )
            .env("VESTIBULE_SECRETS__KEY", KEY)
            .env("ROCKET_ADDRESS", self.address.ip().to_string())
            .env("ROCKET_PORT", self.address.port().to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command of vestibule's to its end.
    pub fn cli(&self, arguments: &[&str]) -> Result<CommandOutput, Stop> {
        self.cli_with_input(arguments, "")
    }

    pub fn cli_with_input(&self, arguments: &[&str], input: &str) -> Result<CommandOutput, Stop> {
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
        Ok(CommandOutput {
            what,
            status: output.status,
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Adds a user whose password is [`PASSWORD`].
    pub fn add_user(&self, name: &str, options: &[&str]) -> Outcome {
        let arguments = [&["user", "add", name, "--password-stdin"], options].concat();
        self.cli_with_input(&arguments, PASSWORD)?
            .success()
            .map(drop)
    }

    /// Starts a server, ready or not.
    pub fn spawn(&self) -> Result<Server, Stop> {
        self.spawn_with(Stdio::null())
    }

    /// The same with something on its standard input.
    pub fn spawn_with(&self, input: Stdio) -> Result<Server, Stop> {
        let mut command = self.command();
        command.arg("serve").stdin(input).stdout(Stdio::null());
        if let Some(path) = &self.log {
            let log = File::options().append(true).create(true).open(path);
            command.stderr(log.map_err(failed(path.display()))?);
        }
        Server::spawn(command, self.address)
    }

    /// Starts a server and waits until it is ready.
    pub fn start(&self) -> Result<Server, Stop> {
        self.try_start()?.map_err(|status| {
            let log = self.log();
            let words = log.lines().last().unwrap_or_default();
            Stop::because(format!("vestibule serve: {status}: {words}"))
        })
    }

    /// The same; `Err(status)` if it ends without being ready.
    pub fn try_start(&self) -> Result<Result<Server, ExitStatus>, Stop> {
        self.spawn()?.ready(READY)
    }

    pub fn is_ready(&self) -> bool {
        self.status(READY) == Some(200)
    }

    /// The status of an answer to a client without a cookie; `None` without an answer.
    pub fn status(&self, path: &str) -> Option<u16> {
        let answer = self.client().and_then(|mut client| client.get(path));
        answer.ok().map(|answer| answer.status)
    }

    pub fn client(&self) -> io::Result<Client> {
        Client::connect(self.address)
    }

    /// The cookie of a new session.
    pub fn sign_in(&self, user: &str) -> Result<String, Stop> {
        Ok(Client::signed_in(self.address, user)?.cookie)
    }

    /// How long it takes until somebody can sign in again.
    pub fn recovery(&self, user: &str) -> Result<Duration, Stop> {
        let began = Instant::now();
        wait_for("a sign-in that works again", || self.sign_in(user).ok())?;
        Ok(began.elapsed())
    }

    /// Changes the database behind the server's back.
    pub fn execute(&self, statement: &'static str) -> Outcome {
        sqlite::connected(&sqlite::file(&self.database), async |connection| {
            sqlx::raw_sql(statement).execute(connection).await.map(drop)
        })
        .map_err(failed::<sqlx::Error>(statement))
    }
}

/// What came of a command.
pub struct CommandOutput {
    what: String,
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl CommandOutput {
    /// An error unless the command worked.
    pub fn success(self) -> Result<Self, Stop> {
        let Self {
            what, status, err, ..
        } = &self;
        if status.success() {
            return Ok(self);
        }
        Err(Stop::because(format!("{what}: {status}: {}", err.trim())))
    }
}

/// Settings in the environment of the caller are not meant for what is tried here.
fn clear_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let setting = text.starts_with("VESTIBULE_") || text.starts_with("ROCKET_");
        if setting || text == "DATABASE_URL" {
            command.env_remove(&name);
        }
    }
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0)
}

/// Gives what is in a folder to the user that an unprivileged server runs as.
pub fn give_to_server(path: &Path) -> Outcome {
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
