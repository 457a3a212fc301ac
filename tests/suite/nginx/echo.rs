use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The application behind the proxy: its page is the head of the request that it was sent.
pub struct Echo {
    pub port: u16,
    heads: Arc<Mutex<String>>,
}

impl Echo {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heads = Arc::new(Mutex::new(String::new()));
        let seen = heads.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = seen.clone();
                thread::spawn(move || answer(stream, &seen));
            }
        });
        Self { port, heads }
    }

    /// All that it was ever sent.
    pub fn heads(&self) -> String {
        self.heads.lock().expect("a lock").clone()
    }
}

fn answer(mut stream: TcpStream, seen: &Mutex<String>) -> Option<()> {
    let mut head = String::new();
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    while lines.read_line(&mut head).ok()? > 2 {}
    seen.lock().ok()?.push_str(&head);
    let length = head.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{head}"
    )
    .ok()
}
