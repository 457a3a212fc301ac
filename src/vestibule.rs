//! The fairing: opens the database, mounts the slices, keeps house while the server runs.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::futures::future::BoxFuture;
use rocket::{Build, Orbit, Request, Response, Rocket};

use crate::foundation::app::App;
use crate::foundation::clock::Clock;
use crate::foundation::db::{self, Location, Lock};
use crate::foundation::error::Error;
use crate::foundation::settings::Settings;
use crate::login::first_admin;
use crate::web::assets;
use crate::web::headers;
use crate::{account, admin, login, sessions};

/// Attached to a rocket, it brings sign-in and sessions: the guards, and the pages under `/login`,
/// `/logout`, `/setup`, `/account`, `/reauthenticate` and `/api/session`.
///
/// `/`, catchers and everything else stay the host's.
///
/// If the disk fails to keep a change, or the database turns out to be damaged, the host is not stopped:
/// the log says so, nothing more is written, and every change is answered 503 until the host is
/// restarted.
#[derive(Debug)]
pub struct Vestibule(Mutex<Option<Arc<App>>>);

impl Vestibule {
    /// With the settings of the rocket's own figment, under `vestibule`, and of the environment.
    #[must_use]
    pub fn fairing() -> Self {
        Self(Mutex::new(None))
    }

    /// With a service that is open already.
    #[must_use]
    pub fn of(app: Arc<App>) -> Self {
        Self(Mutex::new(Some(app)))
    }
}

#[rocket::async_trait]
impl Fairing for Vestibule {
    fn info(&self) -> Info {
        Info {
            name: "Vestibule",
            kind: Kind::Ignite | Kind::Liftoff | Kind::Response | Kind::Shutdown | Kind::Singleton,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let given = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let rocket = match given {
            Some(app) => rocket.manage(app),
            None => match open(&rocket).await {
                Ok((app, lock)) => rocket.manage(app).manage(lock),
                Err(refused) => {
                    tracing::error!("Vestibule cannot start: {refused}");
                    return Err(rocket);
                }
            },
        };
        let slices = [
            login::routes(),
            first_admin::routes(),
            account::routes(),
            admin::routes(),
            sessions::routes(),
            assets::routes(),
        ];
        Ok(slices
            .into_iter()
            .fold(rocket, |rocket, routes| rocket.mount("/", routes)))
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let Some(app) = rocket.state::<Arc<App>>() else {
            return;
        };
        if app.settings.insecure_http && !app.settings.secure() {
            tracing::warn!("insecure_http: passwords and cookies can be read by anyone on the way");
        }
        announce_setup(app).await;
        rocket::tokio::spawn(examine(app.clone()));
        keep(rocket, app, sessions::WRITE_INTERVAL, |app| {
            Box::pin(app.last_seen.write(app))
        });
        keep(rocket, app, sessions::SWEEP_INTERVAL, |app| {
            Box::pin(sessions::sweep(app))
        });
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        headers::answer_for_guards(request, response);
        if let Some(app) = request.rocket().state::<Arc<App>>() {
            headers::secure(app, request, response);
        }
    }

    async fn on_shutdown(&self, rocket: &Rocket<Orbit>) {
        let Some(app) = rocket.state::<Arc<App>>() else {
            return;
        };
        if let Err(error) = app.last_seen.write(app).await {
            tracing::error!("the last uses of sessions could not be written: {error}");
        }
    }
}

async fn open(rocket: &Rocket<Build>) -> Result<(Arc<App>, Lock), Box<dyn std::error::Error>> {
    let settings = Settings::of_host(rocket.figment())?;
    let location = Location::parse(&settings.database_url)?;
    let lock = db::open_for_serving(&location).await?;
    let app = App::open(settings, Clock::system(), &location).await?;
    Ok((app, lock))
}

/// On a first start, prints the link that makes the first admin.
async fn announce_setup(app: &App) {
    match first_admin::is_open(app).await {
        Ok(true) => {
            let code = app.setup_code.renew(app.clock.now());
            let link = app.settings.link(&format!("/setup?code={}", code.reveal()));
            // Not println: a closed standard output is no reason to stop.
            let _ = writeln!(
                std::io::stdout(),
                "  Set up     {link}\n             makes the first admin; good for an hour, and once"
            );
        }
        Ok(false) => {}
        Err(error) => tracing::error!("{error}"),
    }
}

async fn examine(app: Arc<App>) {
    if let Err(refused) = app.db.examine().await {
        tracing::error!("the database could not be read as a whole: {refused}");
    }
}

/// Does `work` each `interval` until the server stops.
fn keep(
    rocket: &Rocket<Orbit>,
    app: &Arc<App>,
    interval: Duration,
    work: fn(&App) -> BoxFuture<'_, Result<(), Error>>,
) {
    let (app, shutdown) = (app.clone(), rocket.shutdown());
    rocket::tokio::spawn(async move {
        let mut ticks = rocket::tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(rocket::tokio::time::MissedTickBehavior::Delay);
        loop {
            rocket::tokio::select! {
                () = shutdown.clone() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = work(&app).await {
                tracing::error!("housekeeping: {error}");
                error.note(&app);
            }
        }
    });
}
