//! Requests that no browser sends, byte by byte.

use super::{Machine, exchange, parse};
use crate::support::Answer;

fn ask(machine: &Machine, request: &str) -> Answer {
    let request = request.replace("HOST", &format!("localhost:{}", machine.port));
    parse(&exchange(machine.port, request.as_bytes()))
}

#[test]
fn a_request_without_a_host_is_refused() {
    let machine = Machine::new();
    let _server = machine.start();
    let answer = ask(&machine, "GET /login HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.status, 400);
}

#[test]
fn a_request_with_two_hosts_is_refused_whichever_comes_first() {
    let machine = Machine::new();
    let _server = machine.start();
    for hosts in [
        "Host: HOST\r\nHost: evil.example",
        "Host: evil.example\r\nHost: HOST",
    ] {
        let answer = ask(
            &machine,
            &format!("GET /login HTTP/1.1\r\n{hosts}\r\nConnection: close\r\n\r\n"),
        );
        assert_eq!(answer.status, 400, "{hosts}");
        assert!(!answer.body.contains("evil"), "{}", answer.body);
    }
}

#[test]
fn cfg_05_methods_that_no_route_has_are_refused_and_echo_nothing() {
    let machine = Machine::new();
    let _server = machine.start();
    let paths = [
        "/",
        "/login",
        "/logout",
        "/setup",
        "/account",
        "/api/session",
        "/healthz",
    ];
    for method in [
        "TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO",
    ] {
        for path in paths {
            let answer = ask(
                &machine,
                &format!(
                    "{method} {path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nX-Canary: tweet\r\n\r\n"
                ),
            );
            let status = answer.status;
            assert!(
                [400, 404, 405].contains(&status),
                "{method} {path}: {status}"
            );
            assert!(!format!("{answer:?}").contains("tweet"), "{answer:?}");
        }
    }
}

#[test]
fn cfg_05_head_is_answered_as_get_without_a_body() {
    let machine = Machine::new();
    let _server = machine.start();
    for path in ["/login", "/healthz", "/api/session", "/nowhere"] {
        let rest = format!("{path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n");
        let (get, head) = (
            ask(&machine, &format!("GET {rest}")),
            ask(&machine, &format!("HEAD {rest}")),
        );
        assert_eq!(
            (head.status, head.body.as_str()),
            (get.status, ""),
            "{path}"
        );
        assert_eq!(
            head.header("content-length"),
            get.header("content-length"),
            "{path}"
        );
    }
}

#[test]
fn cfg_04_a_greeting_of_http_2_is_refused() {
    let machine = Machine::new();
    let _server = machine.start();
    let answer = exchange(
        machine.port,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    );
    let text = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || text.starts_with("HTTP/1.1 400"),
        "{text}"
    );
}

#[test]
fn cfg_04_nothing_that_is_built_in_speaks_http_2() {
    let lock = include_str!("../../../Cargo.lock");
    assert!(
        lock.contains("name = \"hyper\""),
        "this is how a package stands there"
    );
    assert!(!lock.contains("name = \"h2\""));
}

#[test]
fn a_cookie_that_is_not_utf_8_signs_nobody_in_and_breaks_nothing() {
    let machine = Machine::new();
    let _server = machine.start();
    machine.add_user("alice", &[]);
    let browser = machine.signed_in("alice");
    let ask = |cookie: &[u8]| {
        let head = format!(
            "GET /api/session HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: ",
            browser.host
        );
        let request = [head.as_bytes(), cookie, b"\r\n\r\n"].concat();
        parse(&exchange(machine.port, &request)).status
    };
    let token = browser.token().as_bytes();
    assert_eq!(ask(&[b"vestibule=", token].concat()), 200);
    assert_eq!(ask(&[b"vestibule=\xff\xfe", token].concat()), 401);
    assert_eq!(ask(&[b"\xa0vestibule=", token].concat()), 401);
    assert_eq!(ask(&[b"\xc2\xa0vestibule=", token].concat()), 401);
}

#[test]
fn cfg_03_files_that_lie_about_on_other_servers_are_not_found() {
    let machine = Machine::new();
    let _server = machine.start();
    for path in [
        "/.env",
        "/.git/config",
        "/vestibule.db",
        "/Rocket.toml",
        "/../vestibule.db",
    ] {
        let answer = ask(
            &machine,
            &format!("GET {path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"),
        );
        assert!(
            [400, 404].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
    }
}

#[test]
fn cfg_06_health_says_ok_and_nothing_else_to_whatever_host() {
    let machine = Machine::new();
    let _server = machine.start();
    let answer = ask(
        &machine,
        "GET /healthz HTTP/1.1\r\nHost: 10.0.0.7\r\nConnection: close\r\n\r\n",
    );
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    assert_eq!(answer.header("server"), "");
}
