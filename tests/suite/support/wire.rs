use rocket::Shutdown;
use rocket::fairing::AdHoc;
use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::net::TcpStream;
use rocket::tokio::sync::oneshot;
use vestibule::settings::Server;

use super::TestApp;

/// The service behind a socket of its own, for what no well-behaved client can send.
pub struct Wire {
    port: u16,
    shutdown: Shutdown,
}

impl Wire {
    pub async fn of(app: &TestApp) -> Self {
        let server = Server {
            port: 0,
            ..Server::default()
        };
        let (tell, told) = oneshot::channel();
        let rocket = vestibule::site::rocket(app.app.clone(), &server).attach(AdHoc::on_liftoff(
            "Port",
            |rocket| {
                let wire = Self {
                    port: rocket.config().port,
                    shutdown: rocket.shutdown(),
                };
                Box::pin(async move {
                    let _ = tell.send(wire);
                })
            },
        ));
        rocket::tokio::spawn(rocket.launch());
        told.await.expect("a launched rocket")
    }

    /// Sends bytes as they are, and gives all that is answered until the connection ends.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))
            .await
            .expect("a connection");
        socket.write_all(bytes).await.expect("sent");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shutdown.clone().notify();
    }
}
