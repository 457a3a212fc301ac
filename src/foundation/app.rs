//! The running service: what routes and commands work with.

use std::fmt;
use std::sync::Arc;

use rocket::request::{self, FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Sentinel};

use crate::foundation::clock::{Clock, Seldom, Sparing};
use crate::foundation::db::{Db, Location};
use crate::foundation::error::Error;
use crate::foundation::metrics::Metrics;
use crate::foundation::settings::Settings;
use crate::foundation::throttle::Throttle;
use crate::login::first_admin::SetupCode;
use crate::people::passwords::Hasher;
use crate::sessions::LastSeen;
use crate::sites::policy;
use crate::web::Refusal;
use crate::web::pages::Pages;

/// Settings, clock, database and what is kept in memory.
pub struct App {
    pub settings: Settings,
    pub clock: Clock,
    pub db: Db,
    pub passwords: Hasher,
    pub throttle: Throttle,
    pub last_seen: LastSeen,
    pub setup_code: SetupCode,
    pub pages: Pages,
    pub metrics: Metrics,
    pub policy: policy::Cached,
    pub untrusted_peers: Seldom,
    pub denials: Sparing,
    pub refused_connections: Seldom,
}

impl App {
    /// Opens a database that is ready ([`crate::foundation::db::prepare`]).
    ///
    /// # Errors
    /// The database cannot be opened, or a template of `templates_dir` cannot be parsed.
    pub async fn open(
        settings: Settings,
        clock: Clock,
        location: &Location,
    ) -> Result<Arc<Self>, Error> {
        let db = Db::open(location).await?;
        clock.resume(&db).await?;
        let passwords = Hasher::new(&settings.passwords)?;
        Ok(Arc::new(Self {
            metrics: Metrics::new(&db, &passwords),
            db,
            passwords,
            throttle: Throttle::new(settings.throttle.clone()),
            last_seen: LastSeen::default(),
            setup_code: SetupCode::default(),
            pages: Pages::new(&settings)?,
            policy: policy::Cached::default(),
            untrusted_peers: Seldom::default(),
            denials: Sparing::default(),
            refused_connections: Seldom::default(),
            settings,
            clock,
        }))
    }

    /// Writes what is only in memory and closes the database.
    pub async fn close(&self) {
        if let Err(error) = self.last_seen.write(self).await {
            tracing::error!("the last uses of sessions could not be written: {error}");
        }
        self.db.close().await;
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("database", &self.db.path())
            .finish_non_exhaustive()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for &'r App {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Refusal> {
        match request.rocket().state::<Arc<App>>() {
            Some(app) => Outcome::Success(app),
            None => Refusal::unavailable().stop(request),
        }
    }
}

impl Sentinel for &App {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Arc<App>>().is_none()
    }
}
