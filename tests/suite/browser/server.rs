use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, raw_sql};
use tempfile::TempDir;

/// The program as it is shipped, on a port and in a folder of its own; ended when it is dropped.
pub struct Server {
    folder: TempDir,
    port: u16,
    running: Option<(Child, Receiver<String>)>,
}

impl Server {
    pub fn start() -> Self {
        let mut server = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            port: free_port(),
            running: None,
        };
        server.launch();
        server
    }

    /// Ends it as a service manager does, and starts it again.
    pub fn restart(&mut self) {
        let (mut child, _) = self.running.take().expect("a running server");
        let id = Pid::from_child(&child);
        kill_process(id, Signal::TERM).expect("a signal");
        let status = child.wait().expect("its end");
        assert!(status.success(), "{status}: {}", self.log());
        self.launch();
    }

    /// The same with a line of settings, from now on.
    pub fn restart_with(&mut self, setting: &str) {
        let file = self.folder.path().join("Rocket.toml");
        let text = format!("[default.vestibule]\n{setting}\n");
        std::fs::write(file, text).expect("a file");
        self.restart();
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// By a name that is not the one of `public_url`.
    pub fn url_by_another_name(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The link that a first start prints.
    pub fn setup_link(&self) -> String {
        let line = self.line_with("/setup?code=");
        let link = line.split_whitespace().find(|word| word.contains("://"));
        link.expect("a link").to_owned()
    }

    /// Runs another command on the same database.
    pub fn command(&self, arguments: &[&str], input: &str) {
        let mut child = self
            .program()
            .args(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(input.as_bytes()).expect("its input");
        drop(stdin);
        let output = child.wait_with_output().expect("its end");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
    }

    /// Changes the database while the server runs: for many rows, and for hours that go by.
    pub async fn db(&self, sql: &'static str) {
        let file = self.folder.path().join("vestibule.db");
        let options = SqliteConnectOptions::new().filename(file);
        let mut connection = SqliteConnection::connect_with(&options)
            .await
            .expect("the database");
        raw_sql(sql).execute(&mut connection).await.expect("SQL");
        connection.close().await.expect("its end");
    }

    fn launch(&mut self) {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.folder.path().join("log"))
            .expect("a log");
        let mut child = self
            .program()
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program");
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        self.running = Some((child, lines));
        // The last line that every start prints; it listens by then.
        self.line_with("Database");
    }

    fn line_with(&self, text: &str) -> String {
        let (_, lines) = self.running.as_ref().expect("a running server");
        loop {
            match lines.recv_timeout(Duration::from_secs(30)) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(_) => panic!("no line with {text:?} came: {}", self.log()),
            }
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn program(&self) -> Command {
        let mut program = Command::new(crate::process::program());
        program
            .env_clear()
            .env("VESTIBULE_PORT", self.port.to_string())
            .current_dir(self.folder.path());
        program
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Below the ports that the system hands out by itself, so that it is still free after a restart.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + std::process::id() % 10_000;
    loop {
        let port = first as u16 + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
