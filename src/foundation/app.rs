//! The running service: what routes and commands work with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use rocket::futures::future::BoxFuture;
use state::TypeMap;

use super::clock::Clock;
use super::db::Db;
use super::error::Error;
use super::metrics;
use super::settings::Settings;
use super::throttle::Throttle;

/// Work that a feature has the service do, such as housekeeping.
pub type Work = fn(&App) -> BoxFuture<'_, Result<(), Error>>;

/// What is done again and again.
#[derive(Clone, Copy)]
pub struct Chore {
    pub interval: Duration,
    work: Work,
    /// For all nodes, by one of them.
    by_one: bool,
}

impl Chore {
    /// # Errors
    /// The database failed; what is left is done the next time.
    pub async fn run(&self, app: &App) -> Result<(), Error> {
        if self.by_one && !app.db.leads() {
            return Ok(());
        }
        (self.work)(app).await
    }
}

/// Settings, clock, database, throttle, and what each feature keeps in memory.
pub struct App {
    pub settings: Settings,
    pub clock: Clock,
    pub db: Db,
    pub throttle: Throttle,
    state: TypeMap![Send + Sync],
    metrics: Registry,
    hooks: Hooks,
}

/// What features have the service do, and when.
#[derive(Default)]
struct Hooks {
    launch: Vec<Work>,
    regularly: Vec<Chore>,
    scrape: Vec<Work>,
    close: Vec<Work>,
}

impl App {
    /// What a feature keeps in memory, by its type.
    ///
    /// # Panics
    /// No feature of this service manages a `T`.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(&self) -> &T {
        self.state.get()
    }

    /// The same; `None` where no feature manages a `T`.
    #[must_use]
    pub fn try_state<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.state.try_get()
    }

    /// Does what is done once the server listens. A failure is logged and does not stop it.
    pub async fn launch(&self) {
        for work in &self.hooks.launch {
            self.attempt(work(self)).await;
        }
    }

    #[must_use]
    pub fn housekeeping(&self) -> &[Chore] {
        &self.hooks.regularly
    }

    /// Everything that is counted, in Prometheus' (OpenMetrics) text.
    ///
    /// # Errors
    /// The database failed.
    pub async fn scrape(&self) -> Result<String, Error> {
        for work in &self.hooks.scrape {
            work(self).await?;
        }
        Ok(metrics::encode(&self.metrics))
    }

    /// Writes what is only in memory.
    pub async fn flush(&self) {
        for work in &self.hooks.close {
            self.attempt(work(self)).await;
        }
    }

    /// Writes what is only in memory and closes the database.
    pub async fn close(&self) {
        self.flush().await;
        self.db.close().await;
    }

    /// Does `work`; what fails is logged, and told to the database if it tells of damage.
    pub async fn attempt(&self, work: impl Future<Output = Result<(), Error>>) {
        if let Err(error) = work.await {
            tracing::error!("housekeeping: {error}");
            self.note(&error);
        }
    }

    /// Takes note of an error that tells of damage to the database.
    pub fn note(&self, error: &Error) {
        if let Error::Database(error) = error {
            self.db.note(error);
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("database", &self.db.to_string())
            .finish_non_exhaustive()
    }
}

/// An [`App`] that features add what they need to.
pub struct AppBuilder {
    pub settings: Settings,
    pub db: Db,
    /// Where features register what they count.
    pub metrics: Registry,
    pub clock: Clock,
    state: TypeMap![Send + Sync],
    hooks: Hooks,
}

impl AppBuilder {
    /// On a database that has all migrations.
    ///
    /// # Errors
    /// The database failed.
    pub async fn new(settings: Settings, clock: Clock, db: Db) -> Result<Self, Error> {
        clock.resume(&db).await?;
        Ok(Self {
            metrics: metrics::registry(),
            settings,
            db,
            clock,
            state: <TypeMap![Send + Sync]>::new(),
            hooks: Hooks::default(),
        })
    }

    /// Keeps a feature's state in memory: one value of each type.
    pub fn manage<T: Send + Sync + 'static>(&mut self, state: T) {
        assert!(
            self.state.set(state),
            "{} is managed twice",
            std::any::type_name::<T>()
        );
    }

    /// Does `work` once the server listens.
    pub fn on_launch(&mut self, work: Work) {
        self.hooks.launch.push(work);
    }

    /// Does `work` each `interval` while the server runs.
    pub fn every(&mut self, interval: Duration, work: Work) {
        let by_one = false;
        self.hooks.regularly.push(Chore {
            interval,
            work,
            by_one,
        });
    }

    /// Has one of the nodes do it for all; for a moment it may be two.
    pub fn every_by_one(&mut self, interval: Duration, work: Work) {
        let by_one = true;
        self.hooks.regularly.push(Chore {
            interval,
            work,
            by_one,
        });
    }

    /// Does `work` before metrics are read, for gauges that are looked up.
    pub fn on_scrape(&mut self, work: Work) {
        self.hooks.scrape.push(work);
    }

    /// Does `work` before the database is closed.
    pub fn on_close(&mut self, work: Work) {
        self.hooks.close.push(work);
    }

    #[must_use]
    pub fn build(mut self) -> Arc<App> {
        self.state.freeze();
        Arc::new(App {
            throttle: Throttle::new(self.settings.throttle.clone()),
            settings: self.settings,
            clock: self.clock,
            db: self.db,
            state: self.state,
            metrics: self.metrics,
            hooks: self.hooks,
        })
    }
}
