//! A real nginx, with the shipped files, before the real program and an application that tells what it was sent.

pub mod certificate;
mod echo;

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub use certificate::Certificate;
pub use echo::Echo;

use crate::browser::required;
use crate::process::{Machine, Server, free_port, wait_for};

const NGINX: &str = "/usr/sbin/nginx";

/// The whole of it: sites, nginx, Vestibule and the application, all ended when it is dropped.
pub struct House {
    pub machine: Machine,
    pub echo: Echo,
    pub port: u16,
    pub certificate: Certificate,
    plan: Plan,
    folder: TempDir,
    nginx: Option<Nginx>,
    _server: Server,
}

/// What differs between houses.
pub struct Plan {
    pub sign_in: &'static str,
    pub sites: &'static [&'static str],
    pub tls: bool,
    /// Whether the test's CA is one of the system's.
    pub system_ca: bool,
    pub trusted_proxies: &'static str,
}

impl Plan {
    fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

impl House {
    /// `None` where there is no nginx to be had.
    pub fn build(plan: Plan) -> Option<Self> {
        if !required(Path::new(NGINX).exists(), "nginx") {
            return None;
        }
        let port = free_port();
        let url = format!("{}://{}:{port}", plan.scheme(), plan.sign_in);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let names = [&[plan.sign_in], plan.sites].concat();
        let certificate = Certificate::write(folder.path(), &names);
        let mut machine = Machine::new()
            .set("VESTIBULE_PUBLIC_URL", &url)
            .set("VESTIBULE_TRUSTED_PROXIES", plan.trusted_proxies);
        if plan.system_ca {
            machine = machine.set("SSL_CERT_FILE", &certificate.ca().to_string_lossy());
        }
        let mut house = Self {
            nginx: None,
            _server: machine.start(),
            machine,
            echo: Echo::start(),
            port,
            certificate,
            plan,
            folder,
        };
        house.configure(|configuration| configuration);
        Some(house)
    }

    /// An address at the sign-in host.
    pub fn here(&self, path: &str) -> String {
        self.at(self.plan.sign_in, path)
    }

    /// An address at a site.
    pub fn at(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.plan.scheme(), self.port)
    }

    /// Adds a site that lets in whom `fallback` says.
    pub fn add_site(&self, host: &str, fallback: &str) {
        let host = format!("{host}:{}", self.port);
        let add = ["site", "add", &host, "--default", fallback];
        self.machine.cli(&add).done();
    }

    /// Stops nginx: nobody listens at its port.
    pub fn stop_nginx(&mut self) {
        self.nginx = None;
    }

    /// The addresses that nginx was asked for, and what it answered.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("access.log")).unwrap_or_default()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts nginx anew with a configuration that differs from the right one.
    pub fn configure(&mut self, differ: impl FnOnce(String) -> String) {
        self.nginx = None;
        let file = self.path("nginx.conf");
        fs::write(&file, differ(self.configuration())).expect("a file");
        let mut nginx = Nginx::start(self.folder.path());
        wait_for("nginx to listen", || {
            if let Some(status) = nginx.0.try_wait().expect("a child") {
                let errors = fs::read_to_string(self.path("error.log"));
                panic!("nginx ended with {status}: {errors:?}");
            }
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
        self.nginx = Some(nginx);
    }

    /// The shipped files as one, with this house's names and ports.
    fn configuration(&self) -> String {
        let ssl = if self.plan.tls { " ssl" } else { "" };
        let file = |name| self.path(name).display().to_string();
        let mut text = shipped("vestibule.conf");
        for snippet in ["vestibule-host.conf", "vestibule-proxy.conf"] {
            replace(
                &mut text,
                &format!("include snippets/{snippet};"),
                &shipped(snippet),
            );
        }
        for (old, new) in [
            ("127.0.0.1:8000", format!("127.0.0.1:{}", self.machine.port)),
            ("127.0.0.1:3000", format!("127.0.0.1:{}", self.echo.port)),
            (
                "listen 443 ssl",
                format!("listen 127.0.0.1:{}{ssl}", self.port),
            ),
            ("auth.example.com", self.plan.sign_in.to_owned()),
            ("app.example.com", self.plan.sites.join(" ")),
            (
                "/etc/ssl/example.com/fullchain.pem",
                file("certificate.pem"),
            ),
            ("/etc/ssl/example.com/privkey.pem", file("key.pem")),
            // As the file says for another port than 443.
            (
                "://$host$request_uri;",
                "://$host:$server_port$request_uri;".to_owned(),
            ),
            ("Host $host;", "Host $host:$server_port;".to_owned()),
        ] {
            replace(&mut text, old, &new);
        }
        AROUND.replace("SERVERS", &text)
    }
}

/// What a distribution's nginx.conf says around the files in conf.d; in one process, which is gone
/// when it is killed.
const AROUND: &str = "
    daemon off; master_process off; pid nginx.pid; error_log stderr; events {}
    http {
        access_log access.log;
        client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
        uwsgi_temp_path uwsgi; scgi_temp_path scgi;
        SERVERS
    }";

fn shipped(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nginx");
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn replace(text: &mut String, old: &str, new: &str) {
    assert!(text.contains(old), "{old} is in the shipped files");
    *text = text.replace(old, new);
}

/// Killed, by its id, when it is dropped.
struct Nginx(Child);

impl Nginx {
    fn start(folder: &Path) -> Self {
        let configuration = folder.join("nginx.conf");
        let errors = File::create(folder.join("error.log")).expect("a file");
        let mut nginx = Command::new(NGINX);
        nginx
            .args(["-e", "stderr", "-p"])
            .args([folder, Path::new("-c"), &configuration])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        Self(nginx.spawn().expect("nginx"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
