//! Requests that hide another from one of two who read them.

use super::{APP, SIGN_IN, hold, nginx};
use crate::process::exchange;

/// Each hides a second request from whoever reads its head in another way.
fn smuggled(host: &str, path: &str) -> Vec<String> {
    let hidden = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let chunks = format!("0\r\n\r\n{hidden}");
    let length = chunks.len();
    let post = |headers: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\nContent-Type: application/x-www-form-urlencoded\r\n{headers}\r\n{body}"
        )
    };
    vec![
        post(
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            &chunks,
        ),
        post(
            &format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
            &chunks,
        ),
        post(
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            &chunks,
        ),
        post(
            &format!("Content-Length: {length}\r\nTransfer-Encoding: chunked, identity\r\n"),
            &chunks,
        ),
        post(
            &format!("Content-Length: {length}\r\nTransfer-Encoding: xchunked\r\n"),
            &chunks,
        ),
        post(
            &format!("Content-Length: 0\r\nContent-Length: {}\r\n", hidden.len()),
            &hidden,
        ),
        post(
            &format!(
                "X-A: b\nContent-Length: 0\r\nContent-Length: {}\r\n",
                hidden.len()
            ),
            &hidden,
        ),
        post(
            &format!("Content-Length: {length}\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n"),
            &chunks,
        ),
        post(
            &format!("Content-Length: {length}\r\nTransfer-Encoding : chunked\r\n"),
            &chunks,
        ),
        post("Content-Length : 5\r\n", &chunks),
    ]
}

/// One answer at most, and the end of the connection.
fn assert_refused(request: &str, answer: &str) {
    let answers = answer.matches("HTTP/1.1 ").count();
    assert!(answers <= 1, "{request}\n{answer}");
    let refused = answer.is_empty()
        || answer.starts_with("HTTP/1.1 400 ")
        || answer
            .to_ascii_lowercase()
            .contains("\r\nconnection: close\r\n");
    assert!(refused, "{request}\n{answer}");
}

#[test]
fn fwd_14_a_request_hidden_in_another_passes_no_proxy() {
    hold(nginx::start, |door| {
        for request in smuggled(APP, "/public/") {
            assert_refused(&request, &door.exchange(APP, &request));
        }
        assert_eq!(door.app.heard(), Vec::<String>::new());
    });
}

#[test]
fn fwd_14_a_request_hidden_in_another_is_not_answered_without_a_proxy() {
    hold(nginx::start, |door| {
        for request in smuggled(SIGN_IN, "/login") {
            let answer = exchange(door.machine.port, request.as_bytes());
            assert_refused(&request, &String::from_utf8_lossy(&answer));
        }
    });
}
