//! What proxies ask, answered without a way through Rocket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use rocket::futures::FutureExt;
use rocket::http::Status;
use rocket::tokio::task::JoinHandle;

use super::Service;
use super::answer::{Body, common_headers, whole, with_common_headers};
use crate::foundation::app::App;
use crate::sites::{ProxyRequest, authz};
use crate::web::{Answer, Refusal};

impl Service {
    /// A question writes nothing that must be finished: it goes when its connection is cut. What spends
    /// a ticket runs to its end when its client leaves.
    pub(super) fn check(
        self: Arc<Self>,
        remote: Option<SocketAddr>,
        head: Parts,
        has_body: bool,
    ) -> impl Future<Output = Response<Body>> + Send {
        let request = proxy_request(remote, head, has_body);
        async move {
            if !authz::writes(&request) {
                return answer(&self.app, &self.common, &request).await;
            }
            self.spawn_answer(request).await.unwrap_or_else(|_| {
                self.tell(&Refusal::of_status(Status::InternalServerError), true)
            })
        }
    }

    fn spawn_answer(self: &Arc<Self>, request: ProxyRequest) -> JoinHandle<Response<Body>> {
        let service = self.clone();
        let answering = async move { answer(&service.app, &service.common, &request).await };
        self.running.spawn(answering)
    }
}

/// The same for tests, which have no socket.
pub async fn check_in_process(
    app: &App,
    remote: Option<SocketAddr>,
    head: Parts,
    has_body: bool,
) -> Response<Bytes> {
    let request = proxy_request(remote, head, has_body);
    let (head, body) = answer(app, &common_headers(app), &request)
        .await
        .into_parts();
    let body = http_body_util::BodyExt::collect(body).await;
    let body = body.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    Response::from_parts(head, body)
}

fn proxy_request(remote: Option<SocketAddr>, head: Parts, has_body: bool) -> ProxyRequest {
    ProxyRequest::new(head.method, head.uri, head.headers, peer(remote), has_body)
}

/// A Unix socket has no address: who can open it is on this machine.
pub(super) fn peer(remote: Option<SocketAddr>) -> IpAddr {
    let local = IpAddr::from(Ipv4Addr::LOCALHOST);
    remote.map_or(local, |remote| remote.ip().to_canonical())
}

async fn answer(app: &App, common: &HeaderMap, request: &ProxyRequest) -> Response<Body> {
    let answering = AssertUnwindSafe(authz::answer(app, request));
    // The panic hook has logged it.
    let answered = answering.catch_unwind().await.ok();
    let sent = answered.and_then(|answer| response(answer, common));
    sent.unwrap_or_else(|| {
        let refusal = Refusal::of_status(Status::InternalServerError);
        response(refusal.answer(None, true), common).expect("its headers are constants")
    })
}

/// `None`: a header of the answer cannot be sent. A proxy would take the client's own for one that is
/// missing.
fn response(answer: Answer, common: &HeaderMap) -> Option<Response<Body>> {
    let (status, headers, body) = answer.into_parts();
    let mut response = Response::new(whole(body.into()));
    *response.status_mut() = StatusCode::from_u16(status.code).ok()?;
    *response.headers_mut() = with_common_headers(common, headers)?;
    Some(response)
}
