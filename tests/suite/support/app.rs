use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::figment::Figment;
use rocket::figment::providers::{Format, Toml};
use rocket::http::Method;
use rocket::local::asynchronous::Client as Local;
use rocket::{Build, Rocket};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vestibule::foundation::app::App;
use vestibule::foundation::audit::Actor;
use vestibule::foundation::settings::{Refused, Server};
use vestibule::login::first_admin::code;
use vestibule::open_app_on;
use vestibule::people::passwords::Password;
use vestibule::people::users::{self, NewUser, User};
use vestibule::sessions::write_last_uses;
use vestibule::{Clock, Settings, Timestamp, Vestibule};

use super::place::Place;
use super::postgres::Database;
use super::{Client, ORIGIN, PASSWORD};

/// A whole service with a database, a clock and a folder of its own.
pub struct TestApp {
    pub app: Arc<App>,
    pub clock: Clock,
    pub local: Arc<Local>,
    pub folder: Arc<TempDir>,
    settings: String,
    place: Place,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// With lines of settings, as they stand under `[default.vestibule]`.
    pub async fn with(settings: &str) -> Self {
        Self::at("2026-11-24T12:00:00Z", settings).await
    }

    /// At another time than the usual one.
    pub async fn at(time: &str, settings: &str) -> Self {
        let clock = Clock::stopped_at(Timestamp::parse(time).expect("a time"));
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let place = Place::new(&folder).await;
        Self::open(settings, clock, folder, place).await
    }

    /// Several on one database of PostgreSQL's; `None` where there is none to be had.
    pub async fn nodes(count: usize, settings: &str) -> Option<Vec<Self>> {
        let clock = Clock::stopped_at(Timestamp::parse("2026-11-24T12:00:00Z").expect("a time"));
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let place = Place::Server(Arc::new(Database::migrated().await?));
        let mut nodes = Vec::new();
        for _ in 0..count {
            let node = Self::open(settings, clock.clone(), folder.clone(), place.clone());
            nodes.push(node.await);
        }
        Some(nodes)
    }

    /// The same service after its process ended and another began, with `settings` of its own.
    pub async fn restarted_with(self, settings: &str) -> Self {
        self.app.close().await;
        Self::open(settings, self.clock, self.folder, self.place).await
    }

    pub async fn restarted(self) -> Self {
        let settings = self.settings.clone();
        self.restarted_with(&settings).await
    }

    async fn open(lines: &str, clock: Clock, folder: Arc<TempDir>, place: Place) -> Self {
        let mut settings = settings(lines);
        settings
            .secrets
            .key_file
            .get_or_insert(folder.path().join("vestibule.key"));
        let db = place.open(settings.cache.entries).await;
        let app = open_app_on(settings, clock.clone(), db)
            .await
            .expect("a service");
        // As the program does, which stops there if a key is wrong.
        let _ = vestibule::foundation::secrets::prepare(&app).await;
        let rocket = vestibule::program::site::rocket(app.clone(), &Server::default());
        let local = Arc::new(Local::untracked(rocket).await.expect("a launched rocket"));
        Self {
            app,
            clock,
            local,
            folder,
            settings: lines.to_owned(),
            place,
        }
    }

    /// A browser of `host`, a site that embeds this service.
    pub async fn embedded_in(&self, host: Rocket<Build>) -> Client {
        let rocket = host.attach(Vestibule::of(self.app.clone()));
        let local = Local::untracked(rocket).await.expect("a launched rocket");
        Client::new(Arc::new(local))
    }

    /// A browser that nobody has signed in with.
    pub fn anonymous(&self) -> Client {
        Client::new(self.local.clone())
    }

    /// A browser in which `username` has signed in; the user is made if need be.
    pub async fn signed_in(&self, username: &str) -> Client {
        self.user(username).await;
        self.sign_in_again(username).await
    }

    /// Another browser of a user who is there.
    pub async fn sign_in_again(&self, username: &str) -> Client {
        let mut client = self.anonymous();
        let answer = client.sign_in(username, PASSWORD).await;
        assert_eq!(answer.status, 303, "{username} signs in: {}", answer.body);
        client
    }

    /// The code that opens the set-up.
    pub async fn setup_code(&self) -> String {
        code::renew(&self.app).await.expect("a database").reveal()
    }

    /// A browser in which an admin has signed in.
    pub async fn admin(&self) -> Client {
        self.signed_in_admin("admin").await
    }

    /// The same under a name; the user is made if need be.
    pub async fn signed_in_admin(&self, username: &str) -> Client {
        if users::by_name(self.app.db.reader(), username)
            .await
            .expect("a database")
            .is_none()
        {
            self.add(NewUser {
                username: username.to_owned(),
                admin: true,
                ..NewUser::default()
            })
            .await;
        }
        self.sign_in_again(username).await
    }

    /// What is past its time is put away, as the server does each minute.
    pub async fn sweep(&self) {
        vestibule::sweep(&self.app).await.expect("a database");
    }

    pub async fn user(&self, username: &str) -> User {
        match users::by_name(self.app.db.reader(), username)
            .await
            .expect("a database")
        {
            Some(user) => user,
            None => {
                self.add(NewUser {
                    username: username.to_owned(),
                    ..NewUser::default()
                })
                .await
            }
        }
    }

    pub async fn add(&self, new: NewUser) -> User {
        let password = Password::new(PASSWORD.to_owned());
        users::create(&self.app, &Actor::operator(), new, &password)
            .await
            .expect("a database")
            .expect("a new user")
    }

    /// Browsers in which a user has signed in, as many as asked for: the sessions are written behind
    /// the service's back, for no password is checked that often.
    pub async fn many_signed_in(&self, username: &str, count: usize) -> Vec<Client> {
        let user = self.user(username).await;
        let settings = &self.app.settings.sessions;
        let now = self.clock.now();
        let mut tx = self.app.db.begin().await.expect("a transaction");
        let mut clients = Vec::new();
        for _ in 0..count {
            let mut token = [0; 32];
            getrandom::fill(&mut token).expect("random bytes");
            tx.query(
                "INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at,
                                       last_seen_at, idle_expires_at, expires_at, address, user_agent, device)
                 VALUES ($1, $2, $3, 'password', FALSE, $4, $4, $4, $5, $6, '203.0.113.7', 'a browser', 'A browser')",
            )
            .bind(Sha256::digest(token).to_vec())
            .bind(uuid::Uuid::now_v7())
            .bind(user.id)
            .bind(now)
            .bind(now.plus(settings.idle_timeout))
            .bind(now.plus(settings.max_lifetime))
            .execute()
            .await
            .expect("a session");
            let mut client = self.anonymous();
            let token = URL_SAFE_NO_PAD.encode(token);
            client.cookies.insert("__Host-vestibule".to_owned(), token);
            clients.push(client);
        }
        tx.commit().await.expect("a commit");
        clients
    }

    /// The paths of all routes of a method; what a path leaves open is filled with an id of nobody.
    pub fn paths(&self, method: Method) -> Vec<String> {
        let routes = self.local.rocket().routes();
        let mut paths: Vec<String> = routes
            .filter(|route| route.method == method && !is_for_proxies(route.uri.path()))
            .map(|route| {
                let segments = route.uri.path().split('/').map(|segment| {
                    if segment.starts_with('<') {
                        "00000000-0000-7000-8000-000000000000"
                    } else {
                        segment
                    }
                });
                segments.collect::<Vec<_>>().join("/")
            })
            .collect();
        paths.sort();
        paths
    }

    /// All that the database says, row by row.
    pub async fn dump(&self) -> Vec<String> {
        let rows = self.place.dump().await;
        // What readiness writes to see that it can be written.
        let probes = ["throttle: 'probe'", "throttle: (probe"];
        let is_probe = |row: &String| probes.iter().any(|probe| row.starts_with(probe));
        rows.into_iter().filter(|row| !is_probe(row)).collect()
    }

    /// The database's files, byte by byte: each write changes them.
    pub fn files(&self) -> Vec<Vec<u8>> {
        ["vestibule.db", "vestibule.db-wal"]
            .map(|name| std::fs::read(self.folder.path().join(name)).expect("a file"))
            .to_vec()
    }

    /// Time passes; what was noted of sessions before is written first, as the server does each second.
    pub async fn wait(&self, duration: Duration) {
        write_last_uses(&self.app).await.expect("a database");
        self.clock.advance(duration);
    }

    /// What a query gives, as text: to look behind the pages.
    pub async fn sql(&self, query: &'static str) -> Vec<String> {
        self.app
            .db
            .reader()
            .query(query)
            .scalars()
            .await
            .expect("a query of one column of text")
    }

    /// Changes rows behind the service's back.
    pub async fn execute(&self, statement: &'static str) {
        let mut tx = self.app.db.begin().await.expect("a transaction");
        tx.query(statement).execute().await.expect("a statement");
        tx.commit().await.expect("a commit");
    }
}

/// Settings that `lines` change; behind a proxy on this machine that ends TLS, unless they say otherwise.
pub fn settings(lines: &str) -> Settings {
    read_settings(lines).expect("good settings")
}

fn read_settings(lines: &str) -> Result<Settings, Refused> {
    let url = if lines.contains("public_url") {
        String::new()
    } else {
        format!("public_url = \"{ORIGIN}\"\n")
    };
    let proxies = if lines.contains("trusted_proxies") {
        ""
    } else {
        "trusted_proxies = [\"127.0.0.1\"]\n"
    };
    let text = format!("[default.vestibule]\n{url}{proxies}{lines}");
    Settings::of_host(&Figment::from(Toml::string(&text).nested()))
}

/// Why settings with these lines are refused.
pub fn refused_settings(lines: &str) -> String {
    match read_settings(lines) {
        Ok(_) => panic!("taken: {lines}"),
        Err(refused) => refused.to_string(),
    }
}

/// Endpoints that proxies ask about, and paths of protected hosts: they have rules of their own.
pub fn is_for_proxies(path: &str) -> bool {
    path.starts_with("/api/authz/") || path.starts_with("/.vestibule/")
}

/// Endpoints for applications and what their pages send: they come from anywhere, and nothing that a browser keeps counts there.
pub fn is_for_applications(path: &str) -> bool {
    let endpoints = [
        "authorize",
        "token",
        "userinfo",
        "revoke",
        "introspect",
        "logout",
    ];
    path.strip_prefix("/oauth/")
        .is_some_and(|endpoint| endpoints.contains(&endpoint))
}
