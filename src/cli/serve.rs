use rocket::error::ErrorKind;

use super::{Done, Fault, logging, runtime};
use crate::app::App;
use crate::clock::Clock;
use crate::db::{self, Location, Trouble};
use crate::settings::{Effective, Server};
use crate::site;

pub fn run(effective: Effective) -> Done {
    let _logging = logging::init(&effective.settings);
    runtime(effective.server.workers)?.block_on(serve(effective))
}

async fn serve(effective: Effective) -> Done {
    let Effective {
        settings, server, ..
    } = effective;
    let location = Location::parse(&settings.database_url)?;
    // Held until the process ends.
    let _lock = db::open_for_serving(&location).await?;
    let app = App::open(settings, Clock::system(), &location).await?;
    let launched = site::rocket(app.clone(), &server).launch().await;
    // Only now have the last requests ended.
    app.close().await;
    if let Some(trouble @ Trouble::Unsynced) = app.db.trouble() {
        return Err(trouble.to_string().into());
    }
    match launched {
        Ok(_) => {
            tracing::info!("stopped");
            Ok(())
        }
        Err(error) => match error.kind() {
            // It was told to stop, and it did.
            ErrorKind::Shutdown(..) => {
                tracing::warn!("stopped; a client that did not finish in time was cut off");
                Ok(())
            }
            kind => Err(explain(kind, &server)),
        },
    }
}

fn explain(kind: &ErrorKind, server: &Server) -> Fault {
    match kind {
        ErrorKind::Bind(cause) => format!(
            "cannot listen on {}:{}: {cause}; stop what uses it, or set port (ROCKET_PORT)",
            server.address, server.port
        )
        .into(),
        other => format!("the server cannot start: {other}").into(),
    }
}
