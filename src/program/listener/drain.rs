//! The end: what runs is finished, what is new is told to come back.

use std::sync::Arc;
use std::time::Duration;

use rocket::tokio::time::timeout;

use super::{Listener, Service};
use crate::foundation::settings::Shutdown;

impl Service {
    /// Within the time of grace, or until `hurry` is done, each request that has begun is answered, and
    /// idle connections are closed. Then connections are cut, and handlers have the time of mercy to end.
    ///
    /// Whoever comes meanwhile is answered 503, or waits in a socket that the next process serves.
    pub(super) async fn drain(
        self: &Arc<Self>,
        listener: Listener,
        shutdown: &Shutdown,
        hurry: impl Future<Output = ()>,
    ) {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        self.draining.cancel();
        self.running.close();
        let finished = async {
            if listener.is_handed_over {
                self.running.wait().await;
                return;
            }
            rocket::tokio::select! {
                () = self.running.wait() => {}
                never = self.accept(&listener) => match never {},
            }
        };
        let in_time = rocket::tokio::select! {
            finished = timeout(seconds(shutdown.grace), finished) => finished.is_ok(),
            () = hurry => false,
        };
        if !in_time {
            tracing::warn!("a client that did not finish in time was cut off");
            self.cut.cancel();
            let _ = timeout(seconds(shutdown.mercy), self.running.wait()).await;
        }
        drop(listener);
        self.client.rocket().shutdown().notify();
    }
}
