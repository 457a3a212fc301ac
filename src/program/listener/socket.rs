//! Where connections come from: an address and port, a Unix socket, or a socket that systemd holds.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use rocket::tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

use crate::foundation::settings::{Listen, Server, Settings};

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// The socket outlives this process, and with it those who wait in it.
    pub(super) is_handed_over: bool,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, Option<Bound>),
}

/// A connection, and who holds its other end. Through a Unix socket that is this machine.
pub(super) struct Stream {
    pub io: Either<TcpStream, UnixStream>,
    pub remote: Option<SocketAddr>,
}

/// Why nothing can be listened on, and what to do.
#[derive(Debug)]
pub struct BindError(String);

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BindError {}

impl Listener {
    /// Binds what the settings name, or takes over systemd's socket.
    ///
    /// # Errors
    /// The address or path is taken or not allowed, or systemd handed nothing over.
    pub async fn bind(settings: &Settings, server: &Server) -> Result<Self, BindError> {
        match &settings.listen {
            None => Self::tcp(SocketAddr::new(server.address, server.port)).await,
            Some(Listen::Unix(path)) => Self::unix(path),
            Some(Listen::Systemd) => Self::handed_over().map_err(|fault| {
                BindError(format!("listen = \"systemd\": {fault}; start it through a .socket unit, or remove listen"))
            }),
        }
    }

    /// # Errors
    /// The address is taken or not allowed.
    pub async fn tcp(address: SocketAddr) -> Result<Self, BindError> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            BindError(format!(
                "cannot listen on {address}: {error}; stop what uses it, or set port (ROCKET_PORT)"
            ))
        })?;
        Ok(Self::own(Socket::Tcp(listener)))
    }

    fn unix(path: &Path) -> Result<Self, BindError> {
        let unusable = |error: io::Error| {
            BindError(format!(
                "cannot listen on {}: {error}; stop what uses it, or set listen to another path",
                path.display()
            ))
        };
        remove_dead(path).map_err(unusable)?;
        let listener = UnixListener::bind(path).map_err(unusable)?;
        let bound = Bound(path.to_owned());
        // The proxy runs as another user: it is let in by its group, which the folder's setgid bit gives.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(unusable)?;
        Ok(Self::own(Socket::Unix(listener, Some(bound))))
    }

    fn own(socket: Socket) -> Self {
        Self {
            socket,
            is_handed_over: false,
        }
    }

    fn handed_over() -> Result<Self, String> {
        let mut sockets = ListenFd::from_env();
        if sockets.len() != 1 {
            return Err(format!(
                "{} sockets were handed over, not one",
                sockets.len()
            ));
        }
        let told = |error: io::Error| error.to_string();
        let socket = match sockets.take_tcp_listener(0) {
            Ok(Some(listener)) => {
                listener.set_nonblocking(true).map_err(told)?;
                Socket::Tcp(TcpListener::from_std(listener).map_err(told)?)
            }
            _ => {
                let listener = sockets.take_unix_listener(0).map_err(told)?;
                let listener = listener.ok_or("the socket is neither TCP nor Unix")?;
                listener.set_nonblocking(true).map_err(told)?;
                Socket::Unix(UnixListener::from_std(listener).map_err(told)?, None)
            }
        };
        Ok(Self {
            socket,
            is_handed_over: true,
        })
    }

    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                // An answer is written at once: nothing is gained by waiting for more of it.
                let _ = stream.set_nodelay(true);
                Ok(Stream {
                    io: Either::Left(stream),
                    remote: Some(remote),
                })
            }
            Socket::Unix(listener, _) => Ok(Stream {
                io: Either::Right(listener.accept().await?.0),
                remote: None,
            }),
        }
    }

    /// The address, of a socket that has one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(..) => None,
        }
    }
}

/// As it is told at the start.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Socket::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(error) => write!(f, "{error}"),
            },
            Socket::Unix(_, Some(bound)) => write!(f, "{}", bound.0.display()),
            Socket::Unix(_, None) => f.write_str("a Unix socket of systemd"),
        }
    }
}

/// The file of a Unix socket, which goes when nobody listens any more.
#[derive(Debug)]
struct Bound(PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Removes the socket of a server that was killed; nothing else, and none that is listened on.
fn remove_dead(path: &Path) -> io::Result<()> {
    let is_socket = |found: std::fs::Metadata| found.file_type().is_socket();
    if !std::fs::symlink_metadata(path).is_ok_and(is_socket) {
        return Ok(());
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        _ => Ok(()),
    }
}

/// Whether accepting failed because of the one who came.
pub(super) fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}
