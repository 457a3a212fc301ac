//! Requests that come over no socket, answered as the program's listener answers them.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use rocket::http::{Header, Method};
use rocket::local::asynchronous::Client;

use crate::foundation::app::App;
use crate::program::listener::check_in_process;
use crate::sites::authz::is_for_proxies;

/// A request, not looked at yet.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    pub remote: SocketAddr,
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    pub headers: Vec<(String, String)>,
    pub body: &'a [u8],
}

/// Dispatches a request to the service that `client` has launched; what hyper would refuse is 400.
///
/// # Panics
/// The method is none that Rocket has routes for, or no service is launched.
pub async fn dispatch(client: &Client, request: &Request<'_>) -> Response<String> {
    let path = request.target.split('?').next().unwrap_or_default();
    if is_for_proxies(path) {
        check(client, request).await
    } else {
        route(client, request).await
    }
}

async fn check(client: &Client, request: &Request<'_>) -> Response<String> {
    let app = client.rocket().state::<Arc<App>>().expect("a service");
    let Some(parts) = parts(request) else {
        let mut refused = Response::new(String::new());
        *refused.status_mut() = StatusCode::BAD_REQUEST;
        return refused;
    };
    let has_body = !request.body.is_empty();
    let response = check_in_process(app, Some(request.remote), parts, has_body).await;
    response.map(|body| String::from_utf8_lossy(&body).into_owned())
}

fn parts(request: &Request<'_>) -> Option<Parts> {
    let mut builder = hyper::Request::builder()
        .method(request.method)
        .uri(request.target);
    for (name, value) in &request.headers {
        builder = builder.header(name, value.as_bytes());
    }
    Some(builder.body(()).ok()?.into_parts().0)
}

async fn route(client: &Client, request: &Request<'_>) -> Response<String> {
    let method: Method = request.method.parse().expect("a method of Rocket's");
    let mut local = client
        .req(method, request.target.to_owned())
        .remote(request.remote)
        .body(request.body);
    for (name, value) in &request.headers {
        local.add_header(Header::new(name.clone(), value.clone()));
    }
    let answer = local.dispatch().await;
    let mut response = Response::builder().status(answer.status().code);
    for header in answer.headers().iter() {
        response = response.header(header.name().as_str(), header.value().as_bytes());
    }
    let body = answer.into_string().await.unwrap_or_default();
    response.body(body).expect("an answer that can be sent")
}
