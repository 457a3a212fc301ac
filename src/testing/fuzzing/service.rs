use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::Response;
use percent_encoding::percent_decode_str;
use rocket::http::Method;
use rocket::local::asynchronous::Client;
use url::Url;
use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::clock::{Clock, Timestamp};
use crate::foundation::db::{self, Location};
use crate::foundation::settings::{Server, Settings};
use crate::foundation::token::Token;
use crate::people::passwords::Password;
use crate::people::users::{self, NewUser};
use crate::sessions::{self, Device};
use crate::sites::policy::{add_rule, add_site};
use crate::sites::rules::{Effect, Fallback, Rule, Who};
use crate::sites::terms::Factors;
use crate::testing::in_process::{Request, dispatch};
use crate::vestibule::open_app;

/// The whole service in this process, with an admin who is signed in and two protected sites.
pub struct Service {
    app: Arc<App>,
    local: Client,
    admin: Uuid,
    token: Mutex<Option<Token>>,
}

const SHUT: &str = "app.example.net";
const OPEN: &str = "open.example.net";
/// What nobody may see of the open site.
const SECRET: &str = "secret";

/// Stands in an input for the admin's cookie.
const COOKIE: &str = "{admin}";

impl Service {
    /// # Panics
    /// The folder has a database already, or cannot be written.
    pub async fn open(folder: &Path) -> Self {
        let location = Location::parse(&folder.join("vestibule.db").to_string_lossy());
        let location = location.expect("a path");
        db::prepare(&location).await.expect("a database");
        let mut settings = Settings {
            public_url: Some(Url::parse("https://auth.example.com").expect("a URL")),
            trusted_proxies: vec![std::net::IpAddr::from(Ipv4Addr::LOCALHOST).into()],
            ..Settings::default()
        };
        settings.secrets.key_file = Some(folder.join("vestibule.key"));
        // One moment: what inputs do to the throttle and to sessions does not depend on how fast they come.
        let clock = Clock::stopped_at(Timestamp::parse("2026-11-24T12:00:00Z").expect("a time"));
        let app = open_app(settings, clock, &location)
            .await
            .expect("a service");
        let admin = add_admin(&app).await;
        add_sites(&app).await;
        let rocket = crate::program::site::rocket(app.clone(), &Server::default());
        let local = Client::untracked(rocket).await.expect("a launched rocket");
        Self {
            app,
            local,
            admin,
            token: Mutex::default(),
        }
    }

    /// Takes bytes for a request: `METHOD target`, lines of headers, an empty line, the body.
    ///
    /// # Panics
    /// The answer is 500 or above, shows the admin's secret, or lacks what every answer has; or a request
    /// about a protected site was allowed that nobody may make.
    pub async fn request(&self, bytes: &[u8]) {
        let Some(asked) = Asked::read(bytes) else {
            return;
        };
        let token = self.token().await.reveal();
        let cookie = format!("__Host-vestibule={token}");
        let mut headers: Vec<(String, String)> = asked
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.replace(COOKIE, &cookie)))
            .collect();
        if !asked.has("host") {
            headers.push(("Host".to_owned(), "auth.example.com".to_owned()));
        }
        let request = Request {
            remote: SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)),
            method: asked.method.as_str(),
            target: asked.target,
            headers,
            body: asked.body.as_bytes(),
        };
        let answer = dispatch(&self.local, &request).await;
        let status = answer.status().as_u16();
        assert!(status < 500, "{status}");
        assert!(asked.may_have(&answer), "allowed: {asked:?}");
        if rocket::http::uri::Origin::parse(asked.target).is_ok() && status != 400 {
            assert!(answer.headers().contains_key("content-security-policy"));
        }
        for location in answer.headers().get_all("location") {
            assert!(
                location.as_bytes().iter().all(u8::is_ascii_graphic),
                "{location:?}"
            );
        }
        let body = answer.into_body();
        assert!(!body.contains(&token), "the secret is in the page");
    }

    /// Takes bytes for what a proxy says of a request: an address below `/api/authz/`, and lines of headers.
    ///
    /// # Panics
    /// See [`Self::request`].
    pub async fn forwarded(&self, bytes: &[u8]) {
        self.request(&[b"GET /api/authz/", bytes].concat()).await;
    }

    /// That of the admin's session; of a new one where an input has ended it.
    async fn token(&self) -> Token {
        let known = self
            .token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(token) = known
            && let Ok(Some(_)) = sessions::resume(&self.app, &token).await
        {
            return token;
        }
        let device = Device {
            address: Ipv4Addr::LOCALHOST.into(),
            user_agent: String::new(),
        };
        let mut tx = self.app.db.begin().await.expect("a turn to write");
        let started = sessions::start(
            &self.app,
            &mut tx,
            self.admin,
            &device,
            crate::sessions::Proven::BY_PASSWORD,
        )
        .await;
        let (token, _) = started.expect("a session");
        tx.commit().await.expect("a commit");
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        token
    }
}

async fn add_admin(app: &App) -> Uuid {
    let new = NewUser {
        username: "admin".to_owned(),
        admin: true,
        ..NewUser::default()
    };
    let created = users::create(app, &Actor::operator(), new, &Password::generate()).await;
    created.expect("a database").expect("a user").id
}

async fn add_sites(app: &App) {
    let operator = Actor::operator();
    let shut = add_site(app, &operator, SHUT, Fallback::SignedIn.into()).await;
    shut.expect("a database").expect("a site");
    let open = add_site(app, &operator, OPEN, Fallback::Public.into()).await;
    let rule = Rule {
        id: Uuid::now_v7(),
        path: format!("/{SECRET}/*").parse().expect("a path"),
        methods: Vec::new(),
        networks: Vec::new(),
        who: Who::Anyone,
        effect: Effect::Deny,
        factors: Factors::One,
    };
    let site = open.expect("a database").expect("a site").id;
    let added = add_rule(app, &operator, site, rule, None, None).await;
    added.expect("a database").expect("a rule");
}

#[derive(Debug)]
struct Asked<'a> {
    method: Method,
    target: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a str,
}

impl<'a> Asked<'a> {
    /// `None` for what no listener would hand on.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next()?.split_once(' ')?;
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
        let good = |(name, value): &(&str, &str)| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !value.chars().any(char::is_control)
        };
        headers.iter().all(good).then_some(Self {
            method: method.parse().ok()?,
            target,
            headers,
            body,
        })
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = move |(other, _): &&(&str, &str)| other.eq_ignore_ascii_case(name);
        self.headers.iter().filter(named).map(|(_, value)| *value)
    }

    fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Whether nothing is allowed to nobody but what is open to anyone.
    fn may_have(&self, answer: &Response<String>) -> bool {
        let (dialect, below) = match self.target.strip_prefix("/api/authz/") {
            Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
            None => return true,
        };
        if !answer.status().is_success() {
            return true;
        }
        let user = answer.headers().get("remote-user");
        let url = self.all("x-original-url").next().unwrap_or_default();
        let (host, path) = match dialect {
            "forward-auth" => (
                self.all("x-forwarded-host").next(),
                self.all("x-forwarded-uri").next(),
            ),
            "auth-request" => {
                let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(host), Some(path))
            }
            _ => (self.all("host").next(), Some(below)),
        };
        let host = host.unwrap_or_default().to_ascii_lowercase();
        user.is_some_and(|user| user.is_empty())
            && host.starts_with(OPEN)
            && !is_secret(path.unwrap_or_default())
    }
}

/// Whether a path leads to what nobody may see, if it is read with every leniency.
fn is_secret(path: &str) -> bool {
    let mut path = path.split(['?', '#']).next().unwrap_or_default().to_owned();
    while let Ok(decoded) = percent_decode_str(&path).decode_utf8()
        && decoded != path
    {
        path = decoded.into_owned();
    }
    let mut segments = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name.to_owned()),
        }
    }
    segments.first().is_some_and(|first| first == SECRET)
}
