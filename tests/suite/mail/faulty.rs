//! aiosmtpd, a mail server that fails as it is told, on a port and in a folder of its own; ended when it is dropped.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::browser::required;
use crate::process::{free_port, wait_for};

pub struct FaultyServer {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl FaultyServer {
    /// `None` where it is not installed: the test says so and is over.
    pub fn start(mode: &str) -> Option<Self> {
        let python = "/usr/bin/python3";
        let import = Command::new(python)
            .args(["-c", "import aiosmtpd"])
            .output();
        let there = import.is_ok_and(|import| import.status.success());
        if !required(there, "aiosmtpd") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("mail")).expect("a folder");
        fs::write(folder.path().join("mode"), mode).expect("a file");
        let port = free_port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail/faulty_server.py");
        let process = Command::new(python)
            .arg(script)
            .arg(port.to_string())
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("python");
        wait_for("the mail server", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        Some(Self {
            folder,
            port,
            process,
        })
    }

    /// How it meets the next mail.
    pub fn mode(&self, mode: &str) {
        let (new, path) = (self.path("mode.new"), self.path("mode"));
        fs::write(&new, mode).expect("a file");
        fs::rename(new, path).expect("a file");
    }

    pub fn address(&self) -> (&'static str, u16) {
        ("localhost", self.port)
    }

    pub fn settings(&self) -> String {
        let (host, port) = self.address();
        format!(
            "mail.host = \"{host}\"\nmail.port = {port}\nmail.tls = \"none\"\nmail.from = \"vestibule@example.com\"\n"
        )
    }

    /// The Message-ID of each mail that it has kept, the oldest first, once there are so many.
    pub fn kept(&self, count: usize) -> Vec<String> {
        wait_for("mail", || {
            let ids = self.ids();
            (ids.len() >= count).then_some(ids)
        })
    }

    /// The same as they are now.
    pub fn ids(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("mail")).expect("a folder");
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .collect();
        files.sort();
        let id = |path: &PathBuf| {
            let mail = fs::read_to_string(path).expect("a mail");
            let line = mail.lines().find(|line| line.starts_with("Message-ID: "));
            line.expect("a Message-ID").to_owned()
        };
        files.iter().map(id).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.process.kill().expect("a kill");
        self.process.wait().expect("an end");
    }
}
