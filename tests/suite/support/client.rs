use std::collections::BTreeMap;
use std::sync::Arc;

use rocket::http::Method;
use rocket::local::asynchronous::Client as Local;
use vestibule::testing::in_process::{Request, dispatch};

use super::{Answer, ORIGIN, TestApp};

/// A browser: keeps cookies by name, sends forms as a page of ours does. It sits behind the trusted
/// proxy on this machine, which says where it comes from.
#[derive(Clone)]
pub struct Client {
    local: Arc<Local>,
    pub cookies: BTreeMap<String, String>,
    address: String,
    pub user_agent: String,
}

impl Client {
    pub fn new(local: Arc<Local>) -> Self {
        Self {
            local,
            cookies: BTreeMap::new(),
            address: "203.0.113.7".to_owned(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
                .to_owned(),
        }
    }

    /// The same browser elsewhere.
    pub fn at(self, address: &str) -> Self {
        Self {
            address: address.to_owned(),
            ..self
        }
    }

    /// Talks to the service as it is now, after a restart.
    pub fn connect(&mut self, app: &TestApp) {
        self.local = app.local.clone();
    }

    /// The session cookie's value.
    pub fn token(&self) -> String {
        self.cookies
            .get("__Host-vestibule")
            .or_else(|| self.cookies.get("vestibule"))
            .cloned()
            .unwrap_or_default()
    }

    pub async fn sign_in(&mut self, username: &str, password: &str) -> Answer {
        self.post("/login", &[("username", username), ("password", password)])
            .await
    }

    /// Opens a page as a person does.
    pub async fn get(&mut self, path: &str) -> Answer {
        let headers = [
            ("Accept", "text/html"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Site", "none"),
        ];
        self.send(Method::Get, path, &headers, "").await
    }

    /// Sends a form from a page of ours.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.post_body(path, &body).await
    }

    /// Sends what stands for a form's body.
    pub async fn post_body(&mut self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        let headers = [
            ("Accept", "text/html"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", ORIGIN),
            ("Sec-Fetch-Site", "same-origin"),
            ("Sec-Fetch-Mode", "navigate"),
        ];
        self.send(Method::Post, path, &headers, body).await
    }

    /// Who the service says is signed in: `GET /api/session`.
    pub async fn session(&mut self) -> Answer {
        self.send(Method::Get, "/api/session", &[], "").await
    }

    /// Sends a request with the Host, the client's address and the cookies, unless `headers` have
    /// their own of them.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let has = |name: &str| {
            headers
                .iter()
                .any(|(header, _)| header.eq_ignore_ascii_case(name))
        };
        let mut all: Vec<(String, String)> = Vec::new();
        if !has("Host") {
            all.push(("Host".to_owned(), "auth.example.com".to_owned()));
        }
        if !has("X-Forwarded-For") {
            all.push(("X-Forwarded-For".to_owned(), self.address.clone()));
        }
        if !has("User-Agent") {
            all.push(("User-Agent".to_owned(), self.user_agent.clone()));
        }
        if !has("Cookie") && !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            all.push(("Cookie".to_owned(), pairs.join("; ")));
        }
        all.extend(
            headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let answer = self.send_only(method, path, &all, body).await;
        self.keep(&answer);
        answer
    }

    /// Sends a request with these headers and no others, from the proxy's socket.
    pub async fn send_only(
        &self,
        method: Method,
        path: &str,
        headers: &[(String, String)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        self.send_from("127.0.0.1:40000", method, path, headers, body)
            .await
    }

    /// The same from a socket of another address.
    pub async fn send_from(
        &self,
        socket: &str,
        method: Method,
        path: &str,
        headers: &[(String, String)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let request = Request {
            remote: socket.parse().expect("an address"),
            method: method.as_str(),
            target: path,
            headers: headers.to_vec(),
            body: body.as_ref(),
        };
        Answer::read(dispatch(&self.local, &request).await)
    }

    fn keep(&mut self, answer: &Answer) {
        for set_cookie in answer.all("set-cookie") {
            let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
            let (name, value) = pair.split_once('=').expect("a cookie");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
