//! No Traefik can be had here: what its ForwardAuth sends is replayed against the real program, and
//! the answers are held to what it does with them. It copies the client's headers, writes its own
//! X-Forwarded ones over them, asks with GET and without a body under the name of the auth server,
//! lets 2xx pass with the `authResponseHeaders`, and hands any other answer on.

use super::{APP, visitor::API, visitor::PAGE};
use crate::process::{Machine, exchange, parse};
use crate::support::Answer;

const SHIPPED: &str = include_str!("../../../deploy/traefik/dynamic.yaml");

/// What Traefik asks about a request of `method` for `uri`, with the client's own `headers`.
fn ask(machine: &Machine, method: &str, uri: &str, headers: &str) -> Answer {
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nUser-Agent: a browser\r\n{headers}\
         X-Forwarded-Method: {method}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: {APP}\r\n\
         X-Forwarded-Uri: {uri}\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n",
        endpoint(),
        machine.port,
    );
    parse(&exchange(machine.port, request.as_bytes()))
}

/// The path of the shipped `address`.
fn endpoint() -> &'static str {
    let (_, rest) = SHIPPED
        .split_once("address: http://127.0.0.1:8000")
        .expect("an address");
    rest.lines().next().expect("a path")
}

fn copied_headers() -> Vec<String> {
    let (_, rest) = SHIPPED
        .split_once("authResponseHeaders: [")
        .expect("a list");
    let (list, _) = rest.split_once(']').expect("a list");
    list.split(", ").map(str::to_ascii_lowercase).collect()
}

#[test]
fn a_page_is_answered_with_an_absolute_way_to_sign_in() {
    let machine = super::machine();
    let _server = machine.start();
    let answer = ask(&machine, "GET", "/page/?x=1", PAGE);
    assert_eq!(answer.status, 302, "{answer:?}");
    // Traefik would resolve a relative one against the auth server's own address.
    assert!(answer.header("location").starts_with(
        "https://auth.example.com/login?rd=https%3A%2F%2Fapp.example.com%2Fpage%2F%3Fx%3D1&rm=GET&flow="
    ));
    assert!(
        answer
            .header("set-cookie")
            .starts_with("__Host-vestibule-flow=")
    );
}

#[test]
fn a_form_that_lost_its_session_is_sent_to_sign_in() {
    let machine = super::machine();
    let _server = machine.start();
    let form = format!("{PAGE}Content-Type: application/x-www-form-urlencoded\r\n");
    let answer = ask(&machine, "POST", "/page/", &form);
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(answer.header("location").contains("&rm=POST&flow="));
}

#[test]
fn a_program_is_told_401_and_sent_nowhere() {
    let machine = super::machine();
    let _server = machine.start();
    let answer = ask(&machine, "GET", "/page/", API);
    assert_eq!(
        (answer.status, answer.header("location")),
        (401, ""),
        "{answer:?}"
    );
}

#[test]
fn fwd_03_and_04_every_header_that_the_shipped_file_copies_is_there_once() {
    let machine = super::machine();
    let _server = machine.start();
    let spoofed = format!(
        "{PAGE}Cookie: a=1; __Host-vestibule-flow=x\r\nRemote-User: mallory\r\nREMOTE_USER: mallory\r\n\
         Remote_User: mallory\r\nX-Remote-User: mallory\r\nRemote-Groups: admins\r\n"
    );
    let answer = ask(&machine, "GET", "/public/", &spoofed);
    assert_eq!(answer.status, 200, "{answer:?}");
    let copied = copied_headers();
    assert_eq!(
        copied,
        [
            "remote-user",
            "remote-name",
            "remote-email",
            "remote-groups",
            "cookie"
        ]
    );
    for name in copied {
        // One that is missing would leave the client's own in place.
        let expected = if name == "cookie" { "a=1" } else { "" };
        assert_eq!(answer.all(&name).collect::<Vec<_>>(), [expected], "{name}");
    }
}

#[test]
fn fwd_04_the_shipped_file_deletes_both_spellings_of_each_identity_header() {
    for name in copied_headers()
        .iter()
        .filter(|name| name.starts_with("remote-"))
    {
        let file = SHIPPED.to_ascii_lowercase();
        for spelling in [name.clone(), name.replace('-', "_")] {
            assert!(
                file.contains(&format!("          {spelling}: \"\"\n")),
                "{spelling}"
            );
        }
    }
}

#[test]
fn a_denial_is_shorter_than_traefik_reads() {
    let machine = super::machine();
    let _server = machine.start();
    let answer = ask(&machine, "GET", "/elsewhere", PAGE);
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.len() < 4096, "{}", answer.body.len());
}

/// What a `trustForwardHeader: true` would let a client do.
#[test]
fn fwd_06_a_forwarded_header_that_is_there_twice_is_refused() {
    let machine = super::machine();
    let _server = machine.start();
    for name in [
        "X-Forwarded-Uri: /public/",
        "X-Forwarded-Host: open.example.com",
        "X-Forwarded-Method: GET",
        "X-Forwarded-Proto: http",
    ] {
        let answer = ask(&machine, "GET", "/page/", &format!("{API}{name}\r\n"));
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
    }
}

#[test]
fn a_ticket_that_is_not_right_leads_back_to_sign_in() {
    let machine = super::machine();
    let _server = machine.start();
    // The router for /.vestibule/ passes the request itself on.
    let request = format!(
        "GET /.vestibule/enter?ticket=x HTTP/1.1\r\nHost: {APP}\r\nConnection: close\r\n{PAGE}\
         X-Forwarded-Host: {APP}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n"
    );
    let answer = parse(&exchange(machine.port, request.as_bytes()));
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(
        answer
            .header("location")
            .starts_with("https://auth.example.com/login?rd=")
    );
}
