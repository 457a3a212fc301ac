//! One connection: HTTP/1 with an end to all waiting, and our headers on what hyper refuses.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rocket::futures::FutureExt;
use rocket::tokio;
use rocket::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use rocket::tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

use super::connection_limit::Permit;
use super::{Service, Stream};
use crate::foundation::app::App;

/// From the end of one request to the end of the next one's head, so idle connections too. Proxies
/// notice a connection that was closed, and open another.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// For a client that reads nothing of what it asked for.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// Enough for a request that is on its way; browsers open connections ahead of need, and one that says
/// nothing does not hold up a restart.
const SILENCE: Duration = Duration::from_secs(1);
/// Room for what a client sent ahead, beside the largest head.
const MOST_AHEAD: usize = 8 * 1_024;

/// Serves until either side ends it. One that `is_late` came during the drain.
pub(super) async fn serve(service: Arc<Service>, stream: Stream, _permit: Permit, is_late: bool) {
    let Stream { io, remote } = stream;
    let mut io = TimeoutStream::new(io);
    io.set_write_timeout(Some(WRITE_TIMEOUT));
    let received = Arc::<AtomicBool>::default();
    let most_head = service.head_limits(remote).bytes;
    let io = ErrorPages::new(Box::pin(io), service.app.clone(), Arc::clone(&received));
    let shared = service.clone();
    let respond = service_fn(move |request| shared.answer(remote, request, is_late).never_error());
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            // Else hyper makes room for 8 KiB more within each request, to see whether the client left. An
            // answer takes a second or so, and is written to its end in any case.
            .half_close(true)
            .header_read_timeout(HEAD_TIMEOUT)
            .max_header_size(most_head)
            .max_buf_size(most_head + MOST_AHEAD)
            .serve_connection(TokioIo::new(io), respond)
    );
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = service.draining.cancelled(), if !is_late => {
            // hyper would close a connection from which nothing was received yet, with its request on the way.
            if !received.load(Ordering::Relaxed) {
                let ended = timeout(SILENCE, connection.as_mut()).await.is_ok();
                if ended || !received.load(Ordering::Relaxed) {
                    return;
                }
            }
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = service.cut.cancelled() => return,
            }
        }
    };
    // How a connection ends is the client's affair.
    if let Err(error) = ended {
        tracing::trace!("a connection ended: {error}");
    }
}

/// Puts a page and our headers in the place of the bare refusals that hyper writes by itself, before
/// the service is called: a head that is malformed (400), or too large (431).
struct ErrorPages<S> {
    inner: S,
    app: Arc<App>,
    /// What is written in place of a bare refusal, and how much of it is.
    replacement: Option<(Vec<u8>, usize)>,
    /// Whether the client ever sent anything.
    received: Arc<AtomicBool>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ErrorPages<S> {
    fn new(inner: S, app: Arc<App>, received: Arc<AtomicBool>) -> Self {
        Self {
            inner,
            app,
            replacement: None,
            received,
        }
    }
}

/// The status of a refusal of hyper's own: written as a whole, without the usual headers.
fn bare_refusal(written: &[u8]) -> Option<u16> {
    let status = written.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let head = written.strip_suffix(b"\r\n\r\n")?;
    let says = |name: &[u8]| head.windows(name.len()).any(|part| part == name);
    let is_bare = status.starts_with(b"4") && !says(b"content-security-policy");
    is_bare.then(|| std::str::from_utf8(status).ok()?.parse().ok())?
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ErrorPages<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.replacement.is_none()
            && let Some(status) = bare_refusal(bytes)
        {
            this.replacement = Some((super::refusals::as_bytes(&this.app, status), 0));
        }
        let Some((replacement, written)) = &mut this.replacement else {
            return Pin::new(&mut this.inner).poll_write(context, bytes);
        };
        while *written < replacement.len() {
            let inner = Pin::new(&mut this.inner);
            match ready!(inner.poll_write(context, &replacement[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        this.replacement = None;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ErrorPages<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.received.store(true, Ordering::Relaxed);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_refusal_is_told_from_answers_of_ours() {
        let bare = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(bare_refusal(bare.as_bytes()), Some(431));
        for ours in [
            "HTTP/1.1 404 Not Found\r\ncontent-security-policy: x\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 431 Request Header",
            "",
        ] {
            assert_eq!(bare_refusal(ours.as_bytes()), None, "{ours}");
        }
    }
}
