//! A server of PostgreSQL's of our own, in one folder with its data and its socket, as a user without rights: it refuses to
//! run as root.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::runtime::{Builder, Runtime};
use xtask::install::Source;
use xtask::need::Need;
use xtask::run::{Outcome, Stop, failed};

use super::instance::UNPRIVILEGED;
use super::{is_root, wait_for};

pub const POSTGRES: Need = Need {
    what: "PostgreSQL",
    why: "for nodes that share a database",
    present: || programs().is_some(),
    source: Source::Debian(&["postgresql"]),
};

/// Below it, Debian has a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The database that nodes share, and the role that owns it.
pub const NAME: &str = "vestibule";

/// The newest version that is here.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    let versions = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    Some(Path::new(VERSIONS).join(format!("{}/bin", versions.max()?)))
}

/// Killed when it is dropped.
pub struct Postgres {
    /// With the socket.
    pub folder: PathBuf,
    process: Option<Child>,
}

impl Postgres {
    /// A server that is not started yet, in a folder that its user may write: of the data there, or of none.
    pub fn at(folder: &Path) -> Result<Self, Stop> {
        let server = Self {
            folder: folder.to_owned(),
            process: None,
        };
        if !server.data().exists() {
            let mut initdb = server.command("initdb");
            initdb
                .arg("--pgdata")
                .arg(server.data())
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
                .args(["--locale=C.UTF-8", "--no-sync"]);
            run(initdb)?;
        }
        Ok(server)
    }

    /// A standby of this one, which it reaches at an address. Not started yet.
    pub fn standby(&self, folder: &Path, address: &str) -> Result<Self, Stop> {
        let standby = Self {
            folder: folder.to_owned(),
            process: None,
        };
        let mut copy = self.command("pg_basebackup");
        copy.arg("--pgdata").arg(standby.data()).args([
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
            "--dbname",
            &format!("{address} user=postgres application_name=standby"),
        ]);
        run(copy)?;
        Ok(standby)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let program = programs().unwrap_or_default().join(program);
        let unprivileged = UNPRIVILEGED.iter().filter(|_| is_root());
        let mut line = unprivileged
            .map(PathBuf::from)
            .chain([program])
            .collect::<Vec<_>>()
            .into_iter();
        let mut command = Command::new(line.next().expect("the program at least"));
        command
            .args(line)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) -> Outcome {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.folder.join("postgres.log"));
        let mut postgres = self.command("postgres");
        postgres
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(&self.folder)
            .args(["-c", "listen_addresses="])
            .stderr(log.map_err(failed("postgres.log"))?);
        self.process = Some(postgres.spawn().map_err(failed("postgres"))?);
        wait_for("PostgreSQL", || {
            (!self.is_running() || self.ask("postgres").is_ok()).then_some(())
        })?;
        if self.is_running() {
            return Ok(());
        }
        let log = fs::read_to_string(self.folder.join("postgres.log")).unwrap_or_default();
        let words = log.lines().last().unwrap_or_default();
        Err(Stop::because(format!("PostgreSQL did not start: {words}")))
    }

    pub fn is_running(&mut self) -> bool {
        let process = self.process.as_mut();
        process.is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// SIGKILL, for each of its processes.
    pub fn kill(&mut self) -> Outcome {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let id = process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        self.stop(Signal::KILL)?;
        for child in children.unwrap_or_default().split_whitespace() {
            let child = child.parse().ok().and_then(Pid::from_raw);
            // Some end by themselves without the first.
            let _ = child.map(|child| kill_process(child, Signal::KILL));
        }
        Ok(())
    }

    /// SIGINT ends its connections and writes all that is in memory; SIGQUIT leaves that to the next start.
    pub fn stop(&mut self, signal: Signal) -> Outcome {
        if let Some(mut process) = self.process.take() {
            kill_process(Pid::from_child(&process), signal).map_err(failed("a signal"))?;
            process.wait().map_err(failed("PostgreSQL"))?;
        }
        Ok(())
    }

    /// As programs are told of its database by the folder of its socket.
    pub fn url(&self) -> String {
        let folder = self.folder.display();
        format!("postgres://{NAME}@localhost/{NAME}?host={folder}")
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.folder)
            .username("postgres")
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// Works on a connection, as its administrator.
    pub fn connected<T>(
        &self,
        database: &str,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        runtime().block_on(async {
            let mut connection = PgConnection::connect_with(&self.options(database)).await?;
            let done = work(&mut connection).await?;
            connection.close().await?;
            Ok(done)
        })
    }

    /// A connection that is kept, as its administrator.
    pub fn ask(&self, database: &str) -> Result<Asking, sqlx::Error> {
        Asking::open(&self.options(database))
    }

    /// A connection that is kept, as another role.
    pub fn ask_as(&self, role: &str) -> Result<Asking, sqlx::Error> {
        Asking::open(&self.options(NAME).username(role))
    }

    pub fn execute(&self, database: &str, statement: impl Into<String>) -> Outcome {
        let mut asking = self.ask(database).map_err(failed("PostgreSQL"))?;
        asking.execute(statement).map_err(failed("PostgreSQL"))
    }

    /// Looks for indexes and rows that are not what they should be.
    pub fn damage(&self) -> Result<Vec<String>, Stop> {
        let mut check = self.command("pg_amcheck");
        check
            .arg("--host")
            .arg(&self.folder)
            .args(["--username=postgres", "--install-missing"])
            .args(["--heapallindexed", NAME]);
        let output = check.stdout(Stdio::piped()).output();
        let output = output.map_err(failed("pg_amcheck"))?;
        let found = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let sound = output.status.success();
        Ok((!sound).then_some(found).into_iter().collect())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.stop(Signal::QUIT);
    }
}

/// A connection, and what it is asked with.
pub struct Asking {
    runtime: Runtime,
    connection: PgConnection,
}

impl Asking {
    fn open(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        let runtime = runtime();
        let connection = runtime.block_on(PgConnection::connect_with(options))?;
        Ok(Self {
            runtime,
            connection,
        })
    }

    pub fn execute(&mut self, statement: impl Into<String>) -> Result<(), sqlx::Error> {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.into()));
        self.runtime
            .block_on(statement.execute(&mut self.connection))
            .map(drop)
    }

    pub fn number(&mut self, query: &'static str) -> Result<i64, sqlx::Error> {
        let query = sqlx::query_scalar(query).fetch_one(&mut self.connection);
        self.runtime.block_on(query)
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

fn run(mut command: Command) -> Outcome {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(failed(&name))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Stop::because(format!("{name}: {}", said.trim())))
}
