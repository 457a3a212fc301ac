use std::sync::Arc;
use std::time::Duration;

use rocket::figment::Figment;
use rocket::figment::providers::{Format, Toml};
use rocket::local::asynchronous::Client as Local;
use tempfile::TempDir;
use vestibule::app::App;
use vestibule::audit::Actor;
use vestibule::db::{self, Location};
use vestibule::passwords::Password;
use vestibule::settings::Server;
use vestibule::users::{self, NewUser, User};
use vestibule::{Clock, Settings, Timestamp};

use super::{Client, ORIGIN, PASSWORD};

/// A whole service with a database, a clock and a folder of its own.
pub struct TestApp {
    pub app: Arc<App>,
    pub clock: Clock,
    pub local: Arc<Local>,
    pub folder: Arc<TempDir>,
    settings: String,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// With lines of settings, as they stand under `[default.vestibule]`.
    pub async fn with(settings: &str) -> Self {
        let clock = Clock::stopped_at(Timestamp::parse("2026-11-24T12:00:00Z").expect("a time"));
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        Self::open(settings, clock, folder).await
    }

    /// The same service after its process ended and another began, with `settings` of its own.
    pub async fn restarted_with(self, settings: &str) -> Self {
        self.app.close().await;
        Self::open(settings, self.clock, self.folder).await
    }

    pub async fn restarted(self) -> Self {
        let settings = self.settings.clone();
        self.restarted_with(&settings).await
    }

    async fn open(lines: &str, clock: Clock, folder: Arc<TempDir>) -> Self {
        let location = Location::parse(&format!(
            "sqlite:{}",
            folder.path().join("vestibule.db").display()
        ))
        .expect("a path");
        db::prepare(&location).await.expect("a database");
        let app = App::open(settings(lines), clock.clone(), &location)
            .await
            .expect("a service");
        let rocket = vestibule::site::rocket(app.clone(), &Server::default());
        let local = Arc::new(Local::untracked(rocket).await.expect("a launched rocket"));
        Self {
            app,
            clock,
            local,
            folder,
            settings: lines.to_owned(),
        }
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

    /// Time passes; what was noted of sessions before is written first, as the server does each second.
    pub async fn wait(&self, duration: Duration) {
        self.app
            .last_seen
            .write(&self.app)
            .await
            .expect("a database");
        self.clock.advance(duration);
    }

    /// What a query gives, as text: to look behind the pages.
    pub async fn sql(&self, query: &'static str) -> Vec<String> {
        sqlx::query_scalar(query)
            .fetch_all(self.app.db.reader())
            .await
            .expect("a query of one column of text")
    }

    /// Changes rows behind the service's back.
    pub async fn execute(&self, statement: &'static str) {
        let mut tx = self.app.db.begin().await.expect("a transaction");
        sqlx::query(statement)
            .execute(&mut *tx)
            .await
            .expect("a statement");
        tx.commit().await.expect("a commit");
    }
}

/// Settings that `lines` change; behind a proxy on this machine that ends TLS, unless they say otherwise.
pub fn settings(lines: &str) -> Settings {
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
    Settings::of_host(&Figment::from(Toml::string(&text).nested())).expect("good settings")
}
