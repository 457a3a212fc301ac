//! A browser that comes through a proxy over TLS, with the cookies of each host apart.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use super::{APP, Door, SIGN_IN};
use crate::process::{Ran, parse};
use crate::support::{Answer, PASSWORD};

/// What a browser sends with a page that a person opens.
pub const PAGE: &str = "Accept: text/html,application/xhtml+xml\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n";

/// What a script or a program sends.
pub const API: &str = "Accept: application/json\r\n";

#[derive(Clone)]
pub struct Visitor<'d> {
    door: &'d Door,
    /// By host, then by name.
    pub cookies: BTreeMap<String, BTreeMap<String, String>>,
}

impl<'d> Visitor<'d> {
    pub fn new(door: &'d Door) -> Self {
        Self {
            door,
            cookies: BTreeMap::new(),
        }
    }

    /// Opens an address as a person does.
    pub fn open(&mut self, url: &str) -> Answer {
        let (host, path) = split(url);
        self.send("GET", host, path, PAGE, "")
    }

    /// Opens a page of the application.
    pub fn page(&mut self, path: &str) -> Answer {
        self.send("GET", APP, path, PAGE, "")
    }

    /// Goes from a page of the application by the sign-in page to where the ticket is presented;
    /// the answer to that.
    pub fn sign_in(&mut self, name: &str, path: &str) -> Answer {
        let sent = self.page(path);
        let way = sent.header("location").to_owned();
        assert!(
            way.starts_with("https://auth.example.com/login?"),
            "{sent:?}"
        );
        assert_eq!(self.open(&way).status, 200);
        let field = |name: &str| {
            let url = url::Url::parse(&way).expect("an address");
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.expect("a parameter").1.into_owned()
        };
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("username", name), ("password", PASSWORD)])
            .extend_pairs([("rd", field("rd")), ("flow", field("flow"))])
            .finish();
        let form = format!(
            "{PAGE}Origin: https://{SIGN_IN}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        );
        let left = self.send("POST", SIGN_IN, "/login", &form, &body);
        assert_eq!(left.status, 200, "{left:?}");
        let (_, rest) = left.body.split_once("content=\"0;url=").expect("a way on");
        let entrance = rest.split('"').next().expect("an address");
        let entrance = entrance.replace("&#x2f;", "/").replace("&amp;", "&");
        self.open(&entrance)
    }

    pub fn send(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Answer {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{}{headers}{}\r\n{body}",
            self.cookie_line(host),
            match (body, method) {
                ("", "GET" | "HEAD") => String::new(),
                (body, _) => format!("Content-Length: {}\r\n", body.len()),
            }
        );
        let answer = parse(self.door.exchange(host, &request).as_bytes());
        let jar = self.cookies.entry(host.to_owned()).or_default();
        for set in answer.all("set-cookie") {
            let (pair, _) = set.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a cookie");
            jar.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    pub fn cookie_line(&self, host: &str) -> String {
        let pairs: Vec<String> = self.cookies.get(host).map_or_else(Vec::new, |jar| {
            jar.iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect()
        });
        match pairs.as_slice() {
            [] => String::new(),
            pairs => format!("Cookie: {}\r\n", pairs.join("; ")),
        }
    }
}

fn split(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("https://").expect("https");
    rest.split_at(rest.find('/').expect("a path"))
}

/// A TLS connection; killed when dropped.
pub struct Line(Child);

impl Line {
    pub fn to(port: u16, host: &str) -> Self {
        Self(dial(port, host).spawn().expect("openssl"))
    }

    pub fn say(&mut self, bytes: &[u8]) {
        let pipe = self.0.stdin.as_mut().expect("a pipe");
        pipe.write_all(bytes).expect("a connection");
        pipe.flush().expect("a connection");
    }

    /// Reads until what was read ends like this, or there is no more.
    pub fn hear_until(&mut self, end: &str) -> String {
        let pipe = self.0.stdout.as_mut().expect("a pipe");
        let mut heard = Vec::new();
        let mut byte = [0];
        while !heard.ends_with(end.as_bytes()) && matches!(pipe.read(&mut byte), Ok(1)) {
            heard.extend(byte);
        }
        String::from_utf8_lossy(&heard).into_owned()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says all of `request` and hears all of the answer.
pub fn exchange(port: u16, host: &str, request: &str) -> String {
    Ran::to_its_end(dial(port, host), request.as_bytes()).out
}

/// The program stands in for a TLS library that nothing else here needs.
pub fn dial(port: u16, host: &str) -> Command {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["s_client", "-quiet", "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .args(["-servername", host])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    openssl
}
