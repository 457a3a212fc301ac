use std::io::Write;

use rocket::tokio;

use super::hardening::own_database;
use super::signals::Signals;
use super::{Done, logging, runtime};
use crate::foundation::app::App;
use crate::foundation::clock::Clock;
use crate::foundation::db::{self, DatabaseFailure};
use crate::foundation::secrets;
use crate::foundation::settings::Effective;
use crate::program::listener::{self, Listener};
use crate::program::site;
use crate::vestibule::open_app;

pub fn run(effective: Effective) -> Done {
    let _logging = logging::init(&effective.settings);
    let runtime = runtime(effective.server.workers)?;
    let done = runtime.block_on(serve(effective));
    // Who waits for a mail server or an application that does not answer is not waited for: the next start tries again.
    runtime.shutdown_background();
    done
}

async fn serve(effective: Effective) -> Done {
    let Effective {
        settings, server, ..
    } = effective;
    let location = own_database(&settings)?;
    // Held until the process ends.
    let _lock = db::open_for_serving(&location).await?;
    let app = open_app(settings, Clock::system(), &location).await?;
    secrets::prepare(&app).await?;
    let listener = Listener::bind(&app.settings, &server).await?;
    print_banner(&app, &listener);
    let rocket = site::rocket(app.clone(), &server);
    let signals = Signals::listen()?;
    let served = listener::serve(
        app.clone(),
        rocket,
        listener,
        &server.shutdown,
        stopped(&app, &signals),
        signals.hurry.cancelled(),
    )
    .await;
    // Only now have the last requests ended.
    app.close().await;
    served.map_err(|error| format!("the server cannot start: {error}"))?;
    if let Some(failure @ DatabaseFailure::Unsynced) = app.db.failure() {
        return Err(failure.to_string().into());
    }
    tracing::info!("stopped");
    Ok(())
}

fn print_banner(app: &App, listener: &Listener) {
    let url = app.settings.url().as_str().trim_end_matches('/');
    let _ = writeln!(
        std::io::stdout(),
        "Vestibule {}\n  Address    {url} (listening on {listener})\n  Database   {}",
        env!("CARGO_PKG_VERSION"),
        app.db
    );
}

/// Done when a signal says so, or when a write was lost: what was answered must be true after a
/// restart, and what the disk holds is known only then.
async fn stopped(app: &App, signals: &Signals) {
    tokio::select! {
        () = signals.stop.cancelled() => {}
        DatabaseFailure::Unsynced = app.db.failed() => {}
    }
}
