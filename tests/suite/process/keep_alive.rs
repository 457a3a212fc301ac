//! A connection that stays open from one request to the next.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use super::{Machine, PATIENCE, parse};
use crate::support::Answer;

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
        self.ask(method, path, headers, "").status
    }

    /// Sends a form as a page of ours does.
    pub fn post(&mut self, path: &str, form: &str) -> Answer {
        let headers = format!(
            "Origin: http://{}\r\nContent-Type: application/x-www-form-urlencoded\r\n",
            self.host
        );
        self.ask("POST", path, &headers, form)
    }

    fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{}{headers}Content-Length: {}\r\n\r\n{body}",
            self.host,
            self.cookie,
            body.len()
        );
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .expect("a request is taken");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.stream.read_line(&mut head).expect("a line");
            assert!(read > 0, "an answer: {head}");
        }
        let mut answer = parse(head.as_bytes());
        let mut body = vec![0; answer.header("content-length").parse().unwrap_or(0)];
        self.stream.read_exact(&mut body).expect("a body");
        answer.body = String::from_utf8_lossy(&body).into_owned();
        answer
    }
}
