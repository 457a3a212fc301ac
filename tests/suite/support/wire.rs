use std::net::{Ipv4Addr, SocketAddr};

use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::net::TcpStream;
use rocket::tokio::sync::oneshot;
use vestibule::foundation::settings::Server;
use vestibule::program::listener::{self, Listener};

use super::TestApp;

/// The service behind a socket of its own, for what no well-behaved client can send.
pub struct Wire {
    address: SocketAddr,
    /// Dropped with it, which ends the service.
    _stop: oneshot::Sender<()>,
}

impl Wire {
    pub async fn of(app: &TestApp) -> Self {
        let server = Server::default();
        let listener = Listener::tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.await.expect("a free port");
        let address = listener.address().expect("an address");
        let rocket = vestibule::program::site::rocket(app.app.clone(), &server);
        let (stop, stopped) = oneshot::channel::<()>();
        let app = app.app.clone();
        rocket::tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            let never = std::future::pending();
            listener::serve(app, rocket, listener, &server.shutdown, stopped, never)
                .await
                .expect("a launched rocket");
        });
        Self {
            address,
            _stop: stop,
        }
    }

    /// Sends bytes as they are, and gives all that is answered until the connection ends.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        socket.write_all(bytes).await.expect("sent");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    }
}
