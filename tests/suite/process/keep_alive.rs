//! A connection that stays open from one request to the next.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use super::{Machine, PATIENCE};

pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
    cookie: String,
}

impl Connection {
    pub fn open(machine: &Machine) -> Self {
        let stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, machine.port)).expect("a listening server");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a read timeout");
        Self {
            stream: BufReader::new(stream),
            host: format!("localhost:{}", machine.port),
            cookie: String::new(),
        }
    }

    /// With the cookie of a browser.
    pub fn with(mut self, cookie: &str) -> Self {
        self.cookie = format!("Cookie: {cookie}\r\n");
        self
    }

    /// Sends a request without a body and reads the whole answer; gives its status.
    pub fn send(&mut self, method: &str, path: &str, headers: &str) -> u16 {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{}{headers}Content-Length: 0\r\n\r\n",
            self.host, self.cookie
        );
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .expect("a request is taken");
        let status = self
            .line()
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .expect("a status");
        let mut length = 0;
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            if let Some((_, value)) = line
                .split_once(':')
                .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                length = value.trim().parse().expect("a length");
            }
        }
        self.stream
            .read_exact(&mut vec![0; length])
            .expect("a body");
        status
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }
}
