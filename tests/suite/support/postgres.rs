//! PostgreSQL for the tests: one server for all of a run, which the first test that asks starts, and a database
//! for each test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, mem};

use rocket::tokio::sync::OnceCell;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::browser::required;

pub const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");

/// Below it, Debian has a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Runs a server in a folder of its own, on a socket there alone, until its input ends: that is when the tests end,
/// in whatever way. Its order of texts is none of ours, so that one that depends on the locale is noticed.
const SERVE: &str = r#"
    set -e
    trap '' INT PIPE
    PATH="$1:$PATH"
    folder=$(mktemp -d)
    trap 'pg_ctl stop --mode=immediate --pgdata="$folder/data" >/dev/null; rm -r "$folder"' EXIT
    initdb --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 --no-sync \
        --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US >/dev/null
    pg_ctl start --wait --pgdata="$folder/data" --log="$folder/log" >/dev/null \
        --options="-k $folder -c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=500 $2"
    echo "$folder"
    cat
"#;

/// The same for a standby of the server whose socket is in the folder `$2`.
const STAND_BY: &str = r#"
    set -e
    trap '' INT PIPE
    PATH="$1:$PATH"
    folder=$(mktemp -d)
    trap 'pg_ctl stop --mode=immediate --pgdata="$folder/data" >/dev/null; rm -r "$folder"' EXIT
    pg_basebackup --pgdata="$folder/data" --write-recovery-conf --checkpoint=fast --no-sync \
        --dbname="host=$2 user=postgres application_name=standby"
    pg_ctl start --wait --pgdata="$folder/data" --log="$folder/log" >/dev/null \
        --options="-k $folder -c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=500"
    echo "$folder"
    cat
"#;

/// What tests that look behind the service ask SQLite for.
const AS_ON_SQLITE: &str = "
    CREATE FUNCTION hex(BYTEA) RETURNS TEXT LANGUAGE sql RETURN upper(encode($1, 'hex'));
    CREATE FUNCTION hex(UUID) RETURNS TEXT LANGUAGE sql RETURN upper(replace(CAST($1 AS TEXT), '-', ''));
    CREATE FUNCTION quote(BYTEA) RETURNS TEXT LANGUAGE sql RETURN 'X''' || hex($1) || '''';
    CREATE FUNCTION quote(UUID) RETURNS TEXT LANGUAGE sql RETURN 'X''' || hex($1) || '''';
    CREATE FUNCTION quote(TEXT) RETURNS TEXT LANGUAGE sql RETURN coalesce(quote_literal($1), 'NULL');
    CREATE FUNCTION quote(BIGINT) RETURNS TEXT LANGUAGE sql RETURN coalesce(CAST($1 AS TEXT), 'NULL');
    CREATE FUNCTION unhex(TEXT) RETURNS BYTEA LANGUAGE sql RETURN decode($1, 'hex');
    CREATE FUNCTION randomblob(INTEGER) RETURNS UUID LANGUAGE sql RETURN gen_random_uuid();
";

/// A database of one test, on a server that all share; dropped some time after the test.
pub struct Database {
    name: String,
    server: &'static Server,
}

impl Database {
    /// With all tables; `None` where there is no PostgreSQL to be had.
    pub async fn migrated() -> Option<Self> {
        Self::copy("migrated").await
    }

    /// With no table, on a server of its own, whose settings a test may change.
    pub async fn alone() -> Option<Self> {
        let programs = programs();
        let is_here = required(programs.is_some(), "PostgreSQL");
        let server = Server::start(&programs.filter(|_| is_here)?, None).await;
        // It ends with the tests, as the shared one does.
        Self::copy_on(Box::leak(Box::new(server)), "template1").await
    }

    /// The same on a port of this machine's, too.
    pub async fn on_port(port: u16) -> Option<Self> {
        let programs = programs();
        let is_here = required(programs.is_some(), "PostgreSQL");
        let server = Server::start(&programs.filter(|_| is_here)?, Some(port)).await;
        Self::copy_on(Box::leak(Box::new(server)), "template1").await
    }

    /// What belongs to its server.
    pub fn folder(&self) -> &Path {
        &self.server.folder
    }

    /// A standby of its server.
    pub fn standby(&self) -> Standby {
        let programs = programs().expect("the programs of the server that runs");
        let (folder, shell) = serve(STAND_BY, &programs, self.server.folder.as_os_str());
        Standby { folder, shell }
    }

    /// With no table.
    pub async fn empty() -> Option<Self> {
        Self::copy("template1").await
    }

    async fn copy(template: &str) -> Option<Self> {
        Self::copy_on(server().await?, template).await
    }

    async fn copy_on(server: &'static Server, template: &str) -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("t_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut connection = connect("postgres", server).await;
        let done = mem::take(&mut *server.done.lock().expect("a lock"));
        for old in done {
            let drop = format!("DROP DATABASE {old} WITH (FORCE)");
            execute(&mut connection, drop).await;
        }
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        execute(&mut connection, create).await;
        Some(Self { name, server })
    }

    pub async fn connect(&self) -> PgConnection {
        connect(&self.name, self.server).await
    }

    pub fn options(&self) -> PgConnectOptions {
        options(&self.name, self.server)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its server listens.
    pub fn socket(&self) -> PathBuf {
        self.server.folder.join(".s.PGSQL.5432")
    }

    /// As programs are told of it that reach it over a port of this machine's.
    pub fn url_by(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/{}", self.name)
    }

    /// As programs are told of it.
    pub fn url(&self) -> String {
        let folder = self.server.folder.display();
        format!("postgres://postgres@localhost/{}?host={folder}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let mut done = self.server.done.lock().expect("a lock");
        done.push(mem::take(&mut self.name));
    }
}

/// Ends with its value.
pub struct Standby {
    folder: PathBuf,
    shell: Child,
}

impl Standby {
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// Makes it the primary.
    pub async fn promote(&self) {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(&self.folder)
            .username("postgres")
            .database("postgres")
            .ssl_mode(PgSslMode::Disable);
        let mut connection = PgConnection::connect_with(&options)
            .await
            .expect("a standby");
        execute(&mut connection, "SELECT pg_promote()".to_owned()).await;
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().expect("an end");
    }
}

struct Server {
    folder: PathBuf,
    port: u16,
    /// Databases of tests that have ended.
    done: Mutex<Vec<String>>,
    /// Holds the input that the server ends with.
    _shell: Child,
}

async fn server() -> Option<&'static Server> {
    static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
    let start = async || {
        let programs = programs();
        let there = required(programs.is_some(), "PostgreSQL");
        Some(Server::start(&programs.filter(|_| there)?, None).await)
    };
    SERVER.get_or_init(start).await.as_ref()
}

impl Server {
    async fn start(programs: &Path, port: Option<u16>) -> Self {
        let listen = |port| format!("-c listen_addresses=127.0.0.1 -c port={port}");
        let more = port.map(listen).unwrap_or_default();
        let (folder, shell) = serve(SERVE, programs, more.as_ref());
        let server = Self {
            folder,
            port: port.unwrap_or(5432),
            done: Mutex::default(),
            _shell: shell,
        };
        let mut connection = connect("postgres", &server).await;
        execute(&mut connection, "CREATE DATABASE migrated".to_owned()).await;
        let mut connection = connect("migrated", &server).await;
        let migrator = Migrator::new(Path::new(MIGRATIONS)).await;
        let migrated = migrator.expect("migrations").run(&mut connection).await;
        migrated.expect("tables");
        let done = sqlx::raw_sql(AS_ON_SQLITE).execute(&mut connection).await;
        done.expect("functions");
        // Nobody may be connected to what is copied.
        connection.close().await.expect("a close");
        server
    }
}

/// Runs one of the scripts above; the folder in which it serves.
fn serve(script: &str, programs: &Path, more: &OsStr) -> (PathBuf, Child) {
    let mut shell = unprivileged("sh")
        .args(["-c", script, "sh"])
        .arg(programs)
        .arg(more)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut folder = String::new();
    BufReader::new(shell.stdout.take().expect("a pipe"))
        .read_line(&mut folder)
        .expect("a folder");
    assert!(!folder.is_empty(), "PostgreSQL did not start");
    (folder.trim_end().into(), shell)
}

/// The newest version that is here.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    let versions = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.max()?;
    Some(Path::new(VERSIONS).join(format!("{newest}/bin")))
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"])
        .arg(program);
    command
}

async fn connect(database: &str, server: &Server) -> PgConnection {
    PgConnection::connect_with(&options(database, server))
        .await
        .expect("a database")
}

fn options(database: &str, server: &Server) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(&server.folder)
        .port(server.port)
        .username("postgres")
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::query(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .expect("a statement");
}
