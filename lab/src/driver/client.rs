//! A browser with one cookie, over one connection that is kept open.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use xtask::run::{Stop, failed};

use super::{PASSWORD, PATIENCE};

pub struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    used: Instant,
    /// The Host header: `localhost` and the port.
    authority: String,
    /// `name=value`, as it goes with the next request; empty without one.
    pub cookie: String,
}

pub struct Answer {
    pub status: u16,
    /// Of a redirect; empty without one.
    pub location: String,
    pub body: String,
    /// From the first byte sent to the last one read.
    pub took: Duration,
}

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

    /// A client that has signed in.
    pub fn signed_in(address: SocketAddr, user: &str) -> Result<Self, Stop> {
        let mut client = Self::connect(address).map_err(failed("no connection"))?;
        match client
            .sign_in(user, PASSWORD)
            .map_err(failed("POST /login"))?
            .status
        {
            303 => Ok(client),
            status => Err(Stop::because(format!("POST /login: {status}"))),
        }
    }

    /// As the browser that has this `name=value`.
    pub fn with_cookie(&mut self, cookie: &str) -> &mut Self {
        cookie.clone_into(&mut self.cookie);
        self
    }

    /// As a browser that was never here.
    pub fn without_cookie(&mut self) -> &mut Self {
        self.with_cookie("")
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send("GET", path, "", "")
    }

    /// With headers, each ended by CR and LF.
    pub fn get_with(&mut self, path: &str, headers: &str) -> io::Result<Answer> {
        self.send("GET", path, headers, "")
    }

    pub fn sign_in(&mut self, user: &str, password: &str) -> io::Result<Answer> {
        let password = password.replace(' ', "+");
        self.post("/login", &format!("username={user}&password={password}"))
    }

    /// The status of a session check for this cookie.
    pub fn session(&mut self, cookie: &str) -> io::Result<u16> {
        Ok(self.with_cookie(cookie).get("/api/session")?.status)
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
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nUser-Agent: lab\r\nCookie: {}\r\n{headers}\r\n{body}",
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

    /// The status, the redirect and the length of the body. A cookie that is set goes with later requests.
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
            // Not the one by which a browser is known before anybody is signed in.
            if name.eq_ignore_ascii_case("set-cookie") && !value.contains("vestibule-visit=") {
                self.take_cookie(value.split(';').next().unwrap_or_default());
            }
        }
        let odd = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        Ok((
            status.ok_or_else(|| odd("an answer without a status"))?,
            location,
            length.ok_or_else(|| odd("an answer without a length"))?,
        ))
    }

    /// One that is taken away is of no interest, unless it is the one that is kept.
    fn take_cookie(&mut self, pair: &str) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_kept = self.cookie.split('=').next() == Some(name);
        if !value.is_empty() || is_kept {
            self.with_cookie(pair);
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
