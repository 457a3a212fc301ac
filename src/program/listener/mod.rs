//! The binary's own way in, in place of Rocket's listener.
//!
//! Rocket 0.5 waits for ever for heads, bodies and readers, takes any number of connections, and lets
//! hyper's own refusals go without our headers; no listener can be handed in. So the binary serves
//! HTTP/1 by itself and dispatches into Rocket in process, through the one public way there is
//! (`rocket::local`). A site that embeds Vestibule keeps Rocket's listener.
//!
//! 1. `socket` binds, or takes over, a socket and accepts.
//! 2. `connection_limit` counts connections: so many in all, so many from one address.
//! 3. `connection` speaks HTTP/1, cuts whoever is slow, and dresses hyper's refusals.
//! 4. `request` refuses what no route should see, takes the body in, and dispatches.
//! 5. `answer` sends what came of it.
//! 6. `drain` ends it all: what runs is finished, what is new is told to come back.

mod answer;
mod check;
mod connection;
mod connection_limit;
mod drain;
mod refusals;
mod request;
mod socket;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderMap;
use rocket::local::asynchronous::Client;
use rocket::tokio;
use rocket::{Build, Rocket};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::foundation::app::App;
use crate::foundation::log_limit::LogLimiter;
use crate::foundation::settings::Shutdown;
use crate::web::headers::SetByListener;
pub use check::check_in_process;
use connection_limit::ConnectionLimit;
use socket::Stream;
pub use socket::{BindError, Listener};

/// What connections share.
struct Service {
    app: Arc<App>,
    client: Client,
    /// The headers of every answer.
    common: HeaderMap,
    connections: ConnectionLimit,
    refused_connections: LogLimiter,
    /// Connections from before the drain, and handlers that outlive their connection.
    running: TaskTracker,
    draining: CancellationToken,
    /// The time of grace is over.
    cut: CancellationToken,
}

/// Waits before accepting again where the system has no descriptor left; asking at once would spin.
const NO_DESCRIPTOR: Duration = Duration::from_millis(50);

/// Serves until `stop` is done or the rocket is told to shut down, and has drained by then; once
/// `hurry` is done, without the time of grace.
///
/// # Errors
/// The rocket does not ignite.
pub async fn serve(
    app: Arc<App>,
    rocket: Rocket<Build>,
    listener: Listener,
    shutdown: &Shutdown,
    stop: impl Future<Output = ()>,
    hurry: impl Future<Output = ()>,
) -> Result<(), rocket::Error> {
    let service = Arc::new(Service {
        connections: ConnectionLimit::new(&app.settings.trusted_proxies),
        common: answer::common_headers(&app),
        refused_connections: LogLimiter::default(),
        app,
        client: Client::untracked(rocket.manage(SetByListener)).await?,
        running: TaskTracker::new(),
        draining: CancellationToken::new(),
        cut: CancellationToken::new(),
    });
    tokio::select! {
        () = stop => {}
        () = service.client.rocket().shutdown() => {}
        never = service.accept(&listener) => match never {},
    }
    service.drain(listener, shutdown, hurry).await;
    Ok(())
}

impl Service {
    async fn accept(self: &Arc<Self>, listener: &Listener) -> std::convert::Infallible {
        loop {
            match listener.accept().await {
                Ok(stream) => self.spawn_connection(stream),
                Err(error) if socket::is_the_clients(&error) => {}
                Err(error) => {
                    if self.refused_connections.is_due(self.app.clock.now()) {
                        tracing::error!("no connection can be accepted: {error}");
                    }
                    tokio::time::sleep(NO_DESCRIPTOR).await;
                }
            }
        }
    }

    fn spawn_connection(self: &Arc<Self>, stream: Stream) {
        let Some(permit) = self.connections.acquire(stream.remote) else {
            return self.reject(&stream);
        };
        // Known before the task runs: whoever came in time is answered.
        let is_late = self.draining.is_cancelled();
        let connection = connection::serve(self.clone(), stream, permit, is_late);
        if is_late {
            tokio::spawn(connection);
        } else {
            self.running.spawn(connection);
        }
    }
}
