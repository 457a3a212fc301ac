//! Stands between a node and the database: passes on what comes, late, not at all, or cut off; to another server if it is told
//! so.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rocket::tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use rocket::tokio::net::{TcpListener, TcpStream, UnixStream};
use rocket::tokio::select;
use rocket::tokio::sync::{oneshot, watch};
use rocket::tokio::time::sleep;

/// What the way does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Everything takes this much longer.
    Slow(Duration),
    /// What is sent arrives when the way is open again.
    Held,
    /// Connections are closed, and none is taken.
    Cut,
}

/// Ends with its value.
pub struct Relay {
    port: u16,
    way: Arc<watch::Sender<Way>>,
    socket: Arc<watch::Sender<PathBuf>>,
    _end: oneshot::Sender<()>,
}

impl Relay {
    /// To the server's socket.
    pub fn start(socket: PathBuf) -> Self {
        let (way, socket) = (watch::Sender::new(Way::Open), watch::Sender::new(socket));
        let (way, socket) = (Arc::new(way), Arc::new(socket));
        let (end, ended) = oneshot::channel();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let (ways, sockets) = (way.clone(), socket.clone());
        thread::spawn(move || {
            crate::process::run(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                select! {
                    () = accept(&listener, &sockets, &ways) => {}
                    _ = ended => {}
                }
            });
        });
        Self {
            port,
            way,
            socket,
            _end: end,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// From now on to this server's socket.
    pub fn lead_to(&self, socket: PathBuf) {
        self.socket.send_replace(socket);
    }
}

async fn accept(listener: &TcpListener, socket: &watch::Sender<PathBuf>, way: &watch::Sender<Way>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        let ways = way.subscribe();
        if *ways.borrow() == Way::Cut {
            continue;
        }
        let sockets = socket.subscribe();
        let to = sockets.borrow().clone();
        if let Ok(server) = UnixStream::connect(to).await {
            rocket::tokio::spawn(join(client, server, ways, sockets));
        }
    }
}

async fn join(
    client: TcpStream,
    server: UnixStream,
    ways: watch::Receiver<Way>,
    mut sockets: watch::Receiver<PathBuf>,
) {
    let _ = client.set_nodelay(true);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut cut = ways.clone();
    select! {
        () = pass(&mut from_client, &mut to_server, ways.clone()) => {}
        () = pass(&mut from_server, &mut to_client, ways) => {}
        _ = cut.wait_for(|way| *way == Way::Cut) => {}
        _ = sockets.changed() => {}
    }
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut ways: watch::Receiver<Way>,
) {
    let mut part = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut part).await {
        let way = *ways.borrow();
        match way {
            Way::Open | Way::Cut => {}
            Way::Slow(by) => sleep(by).await,
            Way::Held => {
                let _ = ways.wait_for(|way| *way != Way::Held).await;
            }
        }
        if to.write_all(&part[..read]).await.is_err() {
            return;
        }
    }
}
