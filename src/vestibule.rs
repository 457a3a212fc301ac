//! The fairing: opens the database, mounts the slices, keeps house while the server runs.

use std::sync::{Arc, Mutex, PoisonError};

use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::{Build, Orbit, Request, Response, Rocket};

use crate::foundation::app::{App, AppBuilder, Chore};
use crate::foundation::clock::Clock;
use crate::foundation::db::{self, Db, Location, Lock};
use crate::foundation::error::Error;
use crate::foundation::secrets;
use crate::foundation::settings::Settings;
use crate::login::first_admin;
use crate::web::pages::Templates;
use crate::web::{Slice, headers};
use crate::{account, admin, foundation, launcher, login, oidc, people, sessions, sites, web};

/// Every feature. A new one is a folder and a line here.
fn slices() -> Vec<Slice> {
    let mut slices = vec![
        web::slice(),
        people::slice(),
        sessions::slice(),
        login::slice(),
        first_admin::slice(),
        account::slice(),
        sites::slice(),
        oidc::slice(),
        launcher::slice(),
    ];
    slices.extend(admin::slices());
    slices
}

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
        let routes = slices().into_iter().map(|slice| slice.routes);
        Ok(routes.fold(rocket, |rocket, routes| rocket.mount("/", routes)))
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let Some(app) = rocket.state::<Arc<App>>() else {
            return;
        };
        if app.settings.insecure_http && !app.settings.secure() {
            tracing::warn!("insecure_http: passwords and cookies can be read by anyone on the way");
        }
        app.launch().await;
        rocket::tokio::spawn(check_integrity(app.clone()));
        for chore in app.housekeeping() {
            keep(rocket, app, *chore);
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        headers::answer_for_guards(request, response);
        if let Some(app) = request.rocket().state::<Arc<App>>() {
            headers::secure(app, request, response);
        }
    }

    async fn on_shutdown(&self, rocket: &Rocket<Orbit>) {
        if let Some(app) = rocket.state::<Arc<App>>() {
            app.flush().await;
        }
    }
}

/// Opens a service with all its features, on a database that is ready ([`db::prepare`]).
///
/// # Errors
/// The database cannot be opened, or a template of `templates_dir` cannot be parsed.
pub async fn open_app(
    settings: Settings,
    clock: Clock,
    location: &Location,
) -> Result<Arc<App>, Error> {
    let db = Db::open(location, settings.cache.entries).await?;
    open_app_on(settings, clock, db).await
}

/// The same on a database that is open.
///
/// # Errors
/// The database failed, or a template of `templates_dir` cannot be parsed.
pub async fn open_app_on(settings: Settings, clock: Clock, db: Db) -> Result<Arc<App>, Error> {
    let mut builder = AppBuilder::new(settings, clock, db).await?;
    foundation::setup(&mut builder);
    let (mut pages, mut letters) = (Vec::new(), Vec::new());
    for slice in slices() {
        (slice.setup)(&mut builder)?;
        pages.extend(slice.pages);
        letters.extend(slice.letters);
    }
    let templates = Templates::new(&builder.settings, builder.clock.clone(), pages, letters)?;
    builder.manage(templates);
    Ok(builder.build())
}

async fn open(
    rocket: &Rocket<Build>,
) -> Result<(Arc<App>, Option<Lock>), Box<dyn std::error::Error>> {
    let settings = Settings::of_host(rocket.figment())?;
    let location = settings.location()?;
    let lock = db::open_for_serving(&location).await?;
    let app = open_app(settings, Clock::system(), &location).await?;
    secrets::prepare(&app).await?;
    Ok((app, lock))
}

/// Does all housekeeping once, for tests.
///
/// # Errors
/// The database failed; what is left is done the next time.
pub async fn sweep(app: &App) -> Result<(), Error> {
    for chore in app.housekeeping() {
        chore.run(app).await?;
    }
    Ok(())
}

async fn check_integrity(app: Arc<App>) {
    if let Err(refused) = app.db.check_integrity(app.clock.now()).await {
        tracing::error!("the database could not be read as a whole: {refused}");
    }
}

/// Does it again and again until the server stops.
fn keep(rocket: &Rocket<Orbit>, app: &Arc<App>, chore: Chore) {
    let (app, shutdown) = (app.clone(), rocket.shutdown());
    rocket::tokio::spawn(async move {
        let mut ticks = rocket::tokio::time::interval(chore.interval);
        ticks.set_missed_tick_behavior(rocket::tokio::time::MissedTickBehavior::Delay);
        loop {
            rocket::tokio::select! {
                () = shutdown.clone() => return,
                _ = ticks.tick() => {}
            }
            app.attempt(chore.run(&app)).await;
        }
    });
}
