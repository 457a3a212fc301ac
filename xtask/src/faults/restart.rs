use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::judge::Witness;
use super::lab::Lab;
use super::machine::{Machine, Server, free_address, wait_for};
use super::{Fault, Findings};
use crate::bench::client::Client;
use crate::bench::failed;
use crate::run::{Outcome, Stop};
use crate::test::server_path;

pub const FAULT: Fault = Fault {
    id: "B12",
    what: "SIGTERM and a new start under traffic behind nginx, with and without a socket of systemd's",
    run,
};

fn run(lab: &Lab) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let own = round(lab, "own-socket", false)?;
    own.report(&mut findings, "a socket of its own");
    let handed = round(lab, "handed-socket", true)?;
    handed.report(&mut findings, "a socket of systemd's");
    findings.require(
        handed.failed.is_empty(),
        "with a socket of systemd's requests failed",
    );
    Ok(findings)
}

/// What visitors saw through the proxy.
#[derive(Default)]
struct Seen {
    total: usize,
    /// When, and how.
    failed: Vec<(Instant, String)>,
    exits: Vec<Option<i32>>,
}

impl Seen {
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

fn round(lab: &Lab, name: &str, handed_over: bool) -> Result<Seen, Stop> {
    let machine = lab.machine(name)?;
    let proxy = Proxy::start(&machine)?;
    let machine = machine.set(
        "VESTIBULE_PUBLIC_URL",
        format!("http://localhost:{}", proxy.port()),
    );
    let socket = TcpListener::bind(machine.address).map_err(failed("a socket"))?;
    let start: &dyn Fn() -> Result<Server, Stop> = if handed_over {
        &|| handed(&machine, &socket)
    } else {
        drop(socket);
        &|| machine.start()
    };
    let mut server = start()?;
    let session = sign_in(&proxy)?;
    let (seen, over) = (Mutex::new(Seen::default()), AtomicBool::new(false));
    let restarts = lab.rounds(3, 6);
    let pause = Duration::from_secs(lab.rounds(3, 20));
    let exits = thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| visit(&proxy, &session, &seen, &over));
        }
        let exits = (0..restarts).map(|_| {
            thread::sleep(pause);
            server.signal(rustix::process::Signal::TERM)?;
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
fn handed(machine: &Machine, socket: &TcpListener) -> Result<Server, Stop> {
    let line = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";
    let machine = machine.clone().set("VESTIBULE_LISTEN", "systemd");
    let machine = machine.under(["sh", "-c", line, "sh"]);
    let socket = OwnedFd::from(socket.try_clone().map_err(failed("a socket"))?);
    let server = machine.spawn_with(Stdio::from(socket))?;
    wait_for("the server to be ready", || {
        machine.is_ready().then_some(())
    })?;
    Ok(server)
}

fn sign_in(proxy: &Proxy) -> Result<String, Stop> {
    let mut client = Client::connect(proxy.address).map_err(failed("nginx"))?;
    let status = client
        .sign_in("user-09", super::machine::PASSWORD)
        .map_err(failed("POST /login"))?;
    match status {
        303 => Ok(client.cookie),
        status => Err(Stop::because(format!(
            "POST /login through nginx: {status}"
        ))),
    }
}

/// One request after the other, on a connection to the proxy that is kept.
fn visit(proxy: &Proxy, session: &str, seen: &Mutex<Seen>, over: &AtomicBool) {
    let mut connection = None;
    while !over.load(Ordering::Relaxed) {
        let mut client = match connection
            .take()
            .map_or_else(|| Client::connect(proxy.address), Ok)
        {
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
struct Proxy {
    process: Child,
    address: std::net::SocketAddr,
}

impl Proxy {
    fn start(machine: &Machine) -> Result<Self, Stop> {
        let address = free_address()?;
        let (own, upstream, folder) = (address, machine.address, machine.folder.display());
        // Visitors come back to the name and port that they asked for.
        let text = format!(
            "daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n\
             fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
             keepalive_requests 1000000; server {{ listen {own}; location / {{ proxy_pass http://{upstream}; proxy_set_header Host $http_host; }} }} }}\n"
        );
        let file = machine.path("nginx.conf");
        fs::write(&file, text).map_err(failed("nginx.conf"))?;
        let mut nginx = Command::new(server_path("nginx"));
        nginx
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(machine.path("nginx.log"));
        nginx
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = nginx.spawn().map_err(failed("nginx"))?;
        let proxy = Self { process, address };
        wait_for("nginx", || Client::connect(address).ok())?;
        Ok(proxy)
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    fn stop(&self) -> Outcome {
        // Its worker goes with it.
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(failed("nginx"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.stop();
        let _ = self.process.wait();
    }
}
