use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use xtask::install::server_path;
use xtask::run::{Stop, failed};

use super::testbed::Testbed;
use super::{Fault, Findings};
use crate::driver::{Client, Instance, Server, free_address, wait_for};

pub const FAULT: Fault = Fault {
    id: "B12",
    what: "SIGTERM and a new start under traffic behind nginx, with and without a socket of systemd's",
    run,
};

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let own = round(testbed, "own-socket", false)?;
    own.report(&mut findings, "a socket of its own");
    let handed = round(testbed, "handed-socket", true)?;
    handed.report(&mut findings, "a socket of systemd's");
    findings.require(
        handed.failed.is_empty(),
        "with a socket of systemd's requests failed",
    );
    Ok(findings)
}

/// What visitors saw through the proxy.
#[derive(Default)]
struct Observed {
    total: usize,
    /// When, and how.
    failed: Vec<(Instant, String)>,
    exits: Vec<Option<i32>>,
}

impl Observed {
    fn report(&self, findings: &mut Findings, how: &str) {
        let exits = &self.exits;
        let clean = exits.iter().all(|code| *code == Some(0));
        findings.require(clean, format!("{how}: the exits are {exits:?}"));
        // A proxy says 502 where a connection is cut, and where none can be made.
        let odd = self
            .failed
            .iter()
            .find(|(_, how)| !["502", "503", "504"].contains(&how.as_str()));
        if let Some((_, odd)) = odd {
            findings
                .violations
                .push(format!("{how}: a visitor saw {odd}"));
        }
        findings.figure(format!(
            "{how}: {} of {} failed in {} restarts, the longest gap {} ms",
            self.failed.len(),
            self.total,
            exits.len(),
            self.longest_gap().as_millis()
        ));
    }

    /// Failures within a second of each other are of one gap.
    fn longest_gap(&self) -> Duration {
        let mut times: Vec<_> = self.failed.iter().map(|(at, _)| *at).collect();
        times.sort();
        let gaps = times.chunk_by(|one, next| *next - *one < Duration::from_secs(1));
        let lengths = gaps.map(|gap| gap[gap.len() - 1] - gap[0]);
        lengths.max().unwrap_or_default()
    }
}

fn round(testbed: &Testbed, name: &str, handed_over: bool) -> Result<Observed, Stop> {
    let instance = testbed.instance(name)?;
    let proxy = Proxy::start(&instance)?;
    let instance = instance.set(
        "VESTIBULE_PUBLIC_URL",
        format!("http://localhost:{}", proxy.0.address.port()),
    );
    let socket = TcpListener::bind(instance.address).map_err(failed("a socket"))?;
    let start: &dyn Fn() -> Result<Server, Stop> = if handed_over {
        &|| handed(&instance, &socket)
    } else {
        drop(socket);
        &|| instance.start()
    };
    let mut server = start()?;
    let session = Client::signed_in(proxy.0.address, "user-09")?.cookie;
    let (seen, over) = (Mutex::new(Observed::default()), AtomicBool::new(false));
    let restarts = testbed.rounds(3, 6);
    let pause = Duration::from_secs(testbed.rounds(3, 20));
    let exits = thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| visit(&proxy, &session, &seen, &over));
        }
        let exits = (0..restarts).map(|_| {
            thread::sleep(pause);
            server.signal(Signal::TERM)?;
            let exit = server.ended()?.code();
            server = start()?;
            Ok(exit)
        });
        let exits = exits.collect::<Result<Vec<_>, Stop>>();
        thread::sleep(Duration::from_secs(1));
        over.store(true, Ordering::Relaxed);
        exits
    })?;
    let mut seen = seen.into_inner().expect("the visitors are gone");
    seen.exits = exits;
    Ok(seen)
}

/// A server that is handed the socket as systemd does it.
fn handed(instance: &Instance, socket: &TcpListener) -> Result<Server, Stop> {
    let line = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";
    let instance = instance.clone().set("VESTIBULE_LISTEN", "systemd");
    let instance = instance.under(["sh", "-c", line, "sh"]);
    let socket = OwnedFd::from(socket.try_clone().map_err(failed("a socket"))?);
    let server = instance.spawn_with(Stdio::from(socket))?.ready("/readyz")?;
    server.map_err(|status| Stop::because(format!("vestibule serve: {status}")))
}

/// One request after the other, on a connection to the proxy that is kept.
fn visit(proxy: &Proxy, session: &str, seen: &Mutex<Observed>, over: &AtomicBool) {
    let mut connection = None;
    while !over.load(Ordering::Relaxed) {
        let mut client = match connection.take().map_or_else(|| proxy.client(), Ok) {
            Ok(client) => client,
            Err(_) => continue,
        };
        let status = client.session(session);
        let mut seen = seen.lock().expect("a lock");
        seen.total += 1;
        match status {
            Ok(200) => connection = Some(client),
            Ok(status) => seen.failed.push((Instant::now(), status.to_string())),
            Err(error) => seen.failed.push((Instant::now(), error.to_string())),
        }
        drop(seen);
        thread::sleep(Duration::from_millis(5));
    }
}

/// nginx, on a port of its own.
struct Proxy(Server);

impl Proxy {
    fn start(instance: &Instance) -> Result<Self, Stop> {
        let address = free_address()?;
        let (own, upstream, folder) = (address, instance.address, instance.folder.display());
        // Visitors come back to the name and port that they asked for.
        let text = format!(
            "daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n\
             fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
             keepalive_requests 1000000; server {{ listen {own}; location / {{ proxy_pass http://{upstream}; proxy_set_header Host $http_host; }} }} }}\n"
        );
        let file = instance.path("nginx.conf");
        fs::write(&file, text).map_err(failed("nginx.conf"))?;
        let mut nginx = Command::new(server_path("nginx"));
        nginx
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(instance.path("nginx.log"));
        nginx
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let proxy = Self(Server::spawn(nginx, address)?);
        wait_for("nginx", || proxy.client().ok())?;
        Ok(proxy)
    }

    fn client(&self) -> io::Result<Client> {
        Client::connect(self.0.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Killed, it would leave its worker behind.
        let _ = self.0.signal(Signal::TERM).and_then(|()| self.0.ended());
    }
}
