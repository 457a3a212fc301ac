//! A browser's few words of HTTP, over one connection that is kept open.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::failed;
use crate::run::{Outcome, Stop};

pub struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    used: Instant,
    /// What browsers call the server: `localhost` and the port.
    authority: String,
    /// `name=value`, as it goes with the next request; empty without one.
    pub cookie: String,
}

pub struct Answer {
    pub status: u16,
    /// Where it leads; empty if nowhere.
    pub location: String,
    pub body: String,
    /// From the first byte sent to the last one read.
    pub took: Duration,
}

/// No answer takes longer, unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server closes a connection that was idle for twice as long.
const IDLE: Duration = Duration::from_secs(10);

fn open(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

impl Client {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            address,
            stream: open(address)?,
            used: Instant::now(),
            authority: format!("localhost:{}", address.port()),
            cookie: String::new(),
        })
    }

    /// As the browser that has this `name=value`.
    pub fn present(&mut self, cookie: &str) {
        cookie.clone_into(&mut self.cookie);
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send("GET", path, "", "")
    }

    /// With headers, each ended by CR and LF.
    pub fn get_with(&mut self, path: &str, headers: &str) -> io::Result<Answer> {
        self.send("GET", path, headers, "")
    }

    pub fn enter(&mut self, username: &str, password: &str) -> Outcome {
        let form = format!(
            "username={username}&password={}",
            password.replace(' ', "+")
        );
        let answer = self.post("/login", &form).map_err(failed("POST /login"))?;
        if answer.status == 303 {
            return Ok(());
        }
        Err(Stop::because(format!("POST /login: {}", answer.status)))
    }

    /// Sends a form as a page of the server's does.
    pub fn post(&mut self, path: &str, form: &str) -> io::Result<Answer> {
        let headers = format!(
            "Origin: http://{}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            self.authority,
            form.len()
        );
        self.send("POST", path, &headers, form)
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<Answer> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nUser-Agent: bench\r\nCookie: {}\r\n{headers}\r\n{body}",
            self.authority, self.cookie
        );
        if self.used.elapsed() > IDLE {
            self.stream = open(self.address)?;
        }
        let began = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (status, location, length) = self.read_head()?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        self.used = Instant::now();
        Ok(Answer {
            status,
            location,
            body: String::from_utf8_lossy(&body).into_owned(),
            took: began.elapsed(),
        })
    }

    /// The status, the way on and the body's length; keeps the cookie.
    fn read_head(&mut self) -> io::Result<(u16, String, usize)> {
        let status = self.read_line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut length = None;
        let mut location = String::new();
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            let value = value.trim_start();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok();
            }
            if name.eq_ignore_ascii_case("location") {
                value.clone_into(&mut location);
            }
            if name.eq_ignore_ascii_case("set-cookie") {
                value
                    .split(';')
                    .next()
                    .unwrap_or_default()
                    .clone_into(&mut self.cookie);
            }
        }
        let odd = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        Ok((
            status.ok_or_else(|| odd("an answer without a status"))?,
            location,
            length.ok_or_else(|| odd("an answer without a length"))?,
        ))
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
