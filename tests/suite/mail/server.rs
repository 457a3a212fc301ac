//! chasquid, a real mail server, on ports and in a folder of its own; ended when it is dropped.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::browser::required;
use crate::nginx::Certificate;
use crate::process::{free_port, wait_for};

pub const ALICE: &str = "alice@example.com";
const SENDER: &str = "vestibule@example.com";
const PASSWORD: &str = "a password of the mail server";

pub struct MailServer {
    folder: TempDir,
    submission: u16,
    over_tls: u16,
    process: Option<Child>,
}

impl MailServer {
    /// `None` where it is not installed: the test says so and is over.
    pub fn start() -> Option<Self> {
        Self::named("localhost")
    }

    /// With a certificate for another name.
    pub fn named(certified: &str) -> Option<Self> {
        let there = Command::new("chasquid").arg("-help").output().is_ok();
        if !required(there, "chasquid") {
            return None;
        }
        let mut server = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            submission: free_port(),
            over_tls: free_port(),
            process: None,
        };
        server.configure(certified);
        server.run();
        Some(server)
    }

    fn configure(&self, certified: &str) {
        for folder in ["certs/localhost", "domains/example.com", "data", "mail"] {
            fs::create_dir_all(self.path(folder)).expect("a folder");
        }
        Certificate::write(&self.path(""), &[certified]);
        let certificates = [
            ("certificate.pem", "fullchain.pem"),
            ("key.pem", "privkey.pem"),
        ];
        for (from, to) in certificates {
            let to = self.path("certs/localhost").join(to);
            fs::copy(self.path(from), to).expect("a file");
        }
        let deliver = self.path("deliver.sh");
        let script =
            "#!/bin/sh\nf=$(mktemp \"$1/XXXXXXXX\") && cat > \"$f\" && mv \"$f\" \"$f.eml\"\n";
        fs::write(&deliver, script).expect("a file");
        fs::set_permissions(&deliver, fs::Permissions::from_mode(0o700)).expect("a mode");
        let smtp = free_port();
        let folder = self.folder.path().display();
        let settings = format!(
            "hostname: \"mail.example.com\"\nsmtp_address: \"127.0.0.1:{smtp}\"\nsubmission_address: \"127.0.0.1:{}\"\n\
             submission_over_tls_address: \"127.0.0.1:{}\"\ndata_dir: \"{folder}/data\"\nmail_log_path: \"{folder}/log\"\n\
             mail_delivery_agent_bin: \"{folder}/deliver.sh\"\nmail_delivery_agent_args: \"{folder}/mail\"\n",
            self.submission, self.over_tls
        );
        fs::write(self.path("chasquid.conf"), settings).expect("a file");
        for user in [SENDER, ALICE] {
            let added = Command::new("chasquid-util")
                .arg(format!("-C={folder}"))
                .args(["user-add", user, &format!("--password={PASSWORD}")])
                .output()
                .expect("chasquid-util");
            assert!(added.status.success(), "{added:?}");
        }
    }

    pub fn run(&mut self) {
        let process = Command::new("chasquid")
            .arg("-config_dir")
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.expect("chasquid"));
        for port in [self.submission, self.over_tls] {
            wait_for("the mail server", || {
                TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
            });
        }
    }

    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a kill");
            process.wait().expect("an end");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Settings that send through it with STARTTLS.
    pub fn settings(&self) -> String {
        self.settings_for(self.submission, "starttls")
    }

    /// The same with TLS from the first byte on.
    pub fn settings_at_once(&self) -> String {
        self.settings_for(self.over_tls, "implicit")
    }

    fn settings_for(&self, port: u16, tls: &str) -> String {
        format!(
            "mail.host = \"localhost\"\nmail.port = {port}\nmail.tls = \"{tls}\"\nmail.username = \"{SENDER}\"\n\
             mail.password = \"{PASSWORD}\"\nmail.from = \"Vestibule <{SENDER}>\"\nmail.ca_file = \"{}\"\n",
            self.path("ca.pem").display()
        )
    }

    /// The texts of what has arrived, the oldest first, once there are so many.
    pub fn arrived(&self, count: usize) -> Vec<String> {
        wait_for("mail", || {
            let mails = self.mails();
            (mails.len() >= count).then_some(mails)
        })
    }

    /// What has arrived until now.
    pub fn mails(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("mail")).expect("a folder");
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .collect();
        files.sort_by_key(|path| fs::metadata(path).and_then(|file| file.modified()).ok());
        let read = |path: &PathBuf| fs::read_to_string(path).expect("a mail");
        files.iter().map(read).map(|mail| plain(&mail)).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A mail whose lines are whole again (quoted-printable, RFC 2045).
fn plain(mail: &str) -> String {
    let joined = mail.replace("\r\n", "\n").replace("=\n", "");
    joined.replace("=3D", "=").replace("=20", " ")
}

/// The first link to this service.
pub fn link_in(mail: &str) -> String {
    let start = mail.find("https://auth.example.com/").and_then(|_| {
        mail.lines()
            .find(|line| line.starts_with("https://auth.example.com/"))
    });
    let line = start.unwrap_or_else(|| panic!("no link in {mail}"));
    line.trim()
        .trim_start_matches("https://auth.example.com")
        .to_owned()
}
