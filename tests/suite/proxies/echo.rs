//! The application behind the proxies: it tells what it was sent, word for word.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::process::Ran;

/// Listens until the test ends; its thread waits in vain then, and ends with the process.
pub struct Echo {
    pub port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = heard.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let told = told.clone();
                thread::spawn(move || answer(socket, &told));
            }
        });
        Self { port, heard }
    }

    /// All requests that came, heads and bodies.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("a lock").clone()
    }
}

/// One request a connection: the answer to it is the request itself.
fn answer(mut socket: TcpStream, heard: &Mutex<Vec<String>>) {
    let Some(request) = read(&mut socket) else {
        return;
    };
    heard.lock().expect("a lock").push(request.clone());
    let lower = request.to_ascii_lowercase();
    if lower.contains("\r\nupgrade: websocket\r\n") {
        let welcome = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            accept(&request)
        );
        let _ = socket.write_all(welcome.as_bytes());
        let mut part = [0; 256];
        while let Ok(read @ 1..) = socket.read(&mut part) {
            let _ = socket.write_all(&part[..read]);
        }
        return;
    }
    let body = if request.starts_with("HEAD ") {
        ""
    } else {
        &request
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        request.len()
    );
    let _ = socket.write_all(format!("{head}{body}").as_bytes());
}

/// RFC 6455, section 1.3; HAProxy looks at it.
fn accept(request: &str) -> String {
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then_some(value)
    });
    let text = format!(
        "{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
        key.unwrap_or_default()
    );
    let digest = "openssl dgst -sha1 -binary | openssl base64";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", digest])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ran::to_its_end(shell, text.as_bytes())
        .out
        .trim()
        .to_owned()
}

fn read(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = socket.read(&mut part).ok().filter(|read| *read > 0)?;
        bytes.extend(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if is_whole(&text) {
            return Some(text);
        }
    }
}

fn is_whole(text: &str) -> bool {
    // FastCGI, which is heard and not answered: a head is in one piece.
    if text.starts_with('\u{1}') {
        return true;
    }
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let value = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    match value("content-length") {
        Some(length) => body.len() >= length.parse().unwrap_or(0),
        None => value("transfer-encoding").is_none() || body.ends_with("0\r\n\r\n"),
    }
}
