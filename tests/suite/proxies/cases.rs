//! What every proxy is held to. The application's pages: `/public/` for anyone, `/page/` for who is
//! signed in, `/staff/` for alice and not for bob, `/lan/` for a network that no test is in, and
//! nothing else for anybody.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;

use super::visitor::{API, Line, PAGE};
use super::{APP, Door, SIGN_IN, most_groups, token};
use crate::support::{Answer, PASSWORD};

macro_rules! every_proxy {
    ($start:expr) => {
        $crate::proxies::cases::every_proxy! { $start;
            a_public_path_is_open_to_anyone
            a_page_is_answered_with_the_way_to_sign_in
            a_sign_in_leads_back_to_the_page_with_a_cookie_of_that_host
            a_long_address_with_every_kind_of_character_comes_back
            a_frame_that_nobody_is_signed_in_for_shows_a_way_out_of_it
            fwd_03_the_application_is_told_who_is_signed_in
            fwd_03_as_many_groups_as_there_may_be_arrive_beside_large_cookies
            a_groups_page_is_open_to_its_members_alone
            what_no_rule_allows_is_closed_to_everybody
            fwd_13_a_program_is_told_401_and_sent_nowhere
            a_websocket_opens_for_who_is_signed_in
            a_websocket_stays_closed_to_others
            a_preflight_passes_by_a_rule_for_its_method
            a_manifest_passes_by_a_rule_for_its_path
            a_form_reaches_the_application_whole
            a_form_that_lost_its_session_is_sent_to_sign_in_and_goes_no_further
            head_is_answered_as_get_without_a_body
            fwd_09_no_method_passes_unasked
            a_host_that_is_no_site_is_closed
            a_host_that_the_proxy_does_not_know_leads_nowhere
            the_host_in_the_request_line_and_no_other_is_asked_about
            fwd_04_identity_headers_of_the_clients_own_reach_nobody
            fwd_05_a_client_cannot_say_what_it_asks_for
            fwd_05_a_client_cannot_say_where_it_comes_from
            fwd_07_another_spelling_opens_no_door
            fwd_12_a_revoke_holds_from_the_next_request_on
            coo_10_no_cookie_of_ours_reaches_the_application
            coo_10_what_a_site_has_opens_no_other_host
            a_ticket_that_is_not_right_leads_back_to_sign_in
            tok_02_a_token_goes_through_in_place_of_a_session
            tok_05_a_program_is_asked_for_basic_and_a_browser_never
            tok_06_the_application_sees_no_token_and_every_other_authorization
            nobody_asks_the_authz_endpoints_from_outside
            nothing_passes_while_vestibule_is_stopped
            nothing_passes_while_vestibule_is_slow
        }
    };
    ($start:expr; $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::proxies::hold($start, $crate::proxies::cases::$case);
            }
        )*
    };
}
pub(super) use every_proxy;

fn assert_sent_to_sign_in(answer: &Answer, parameters: &str) {
    assert!([302, 303].contains(&answer.status), "{answer:?}");
    let way = answer.header("location");
    assert!(
        way.starts_with(&format!(
            "https://auth.example.com/login?{parameters}&flow="
        )),
        "{way}"
    );
}

/// How a request reads once the proxy has passed it on, without what the proxy puts before it.
fn assert_passed(answer: &Answer, request_line: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.starts_with(request_line), "{}", answer.body);
}

/// The values of a header that the application was sent, in any case and with either separator.
pub fn told(body: &str, name: &str) -> Vec<String> {
    body.lines()
        .filter_map(|line| {
            line.split_once(": ")
                .or(line.strip_suffix(':').map(|key| (key, "")))
        })
        .filter(|(key, _)| key.to_ascii_lowercase().replace('_', "-") == name)
        .map(|(_, value)| value.to_owned())
        .collect()
}

pub fn a_public_path_is_open_to_anyone(door: &Door) {
    let answer = door.visitor().page("/public/a%20b?x=1");
    assert_passed(&answer, "GET /public/a%20b?x=1 HTTP/1.1");
    for name in [
        "remote-user",
        "remote-name",
        "remote-email",
        "remote-groups",
        "remote-methods",
    ] {
        assert_eq!(told(&answer.body, name).concat(), "", "{}", answer.body);
    }
}

pub fn a_page_is_answered_with_the_way_to_sign_in(door: &Door) {
    let answer = door.visitor().page("/page/1?x=1&y=2");
    let rd = "rd=https%3A%2F%2Fapp.example.com%2Fpage%2F1%3Fx%3D1%26y%3D2&rm=GET";
    assert_sent_to_sign_in(&answer, rd);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-vestibule-flow="), "{cookie}");
    assert!(
        answer.header("cache-control").contains("no-store"),
        "{answer:?}"
    );
    assert!(door.app.heard().is_empty());
}

pub fn a_sign_in_leads_back_to_the_page_with_a_cookie_of_that_host(door: &Door) {
    let mut alice = door.visitor();
    let entered = alice.sign_in("alice", "/page/1?x=1&y=2");
    assert_eq!(entered.status, 302, "{entered:?}");
    assert_eq!(
        entered.header("location"),
        "https://app.example.com/page/1?x=1&y=2"
    );
    let cookie = entered.header("set-cookie");
    assert!(cookie.starts_with("__Host-vestibule-site="), "{cookie}");
    assert!(!cookie.to_ascii_lowercase().contains("domain"), "{cookie}");
    assert_passed(
        &alice.page("/page/1?x=1&y=2"),
        "GET /page/1?x=1&y=2 HTTP/1.1",
    );
}

pub fn a_long_address_with_every_kind_of_character_comes_back(door: &Door) {
    let path = format!("/page/?q=\\d+|^{{}}`[]&rest={}", "%C3%A4-".repeat(600));
    let mut alice = door.visitor();
    let entered = alice.sign_in("alice", &path);
    let back = format!("https://app.example.com{path}");
    assert_eq!((entered.status, entered.header("location")), (302, &*back));
    assert_passed(&alice.page(&path), &format!("GET {path} HTTP/1.1"));
}

pub fn a_frame_that_nobody_is_signed_in_for_shows_a_way_out_of_it(door: &Door) {
    let mut nobody = door.visitor();
    let framed = format!("{PAGE}Sec-Fetch-Dest: iframe\r\n");
    let mut follow = |answer: Answer| {
        let to = answer.header("location").strip_prefix("https://");
        let to = to.unwrap_or_else(|| panic!("{answer:?}"));
        let (host, path) = to.split_at(to.find('/').expect("a path"));
        nobody.send("GET", host, path, &framed, "")
    };
    let asked = door.visitor().send("GET", APP, "/page/1?x=1", &framed, "");
    let sign_in = follow(asked);
    let shown = follow(sign_in);
    assert_eq!(shown.status, 401, "{shown:?}");
    let html = shown.body.replace("&#x2f;", "/");
    let link = "href=\"https://app.example.com/page/1?x=1\" target=\"_top\"";
    assert!(html.contains(link), "{html}");
    let policy = shown.header("content-security-policy");
    assert!(policy.contains("frame-ancestors *"), "{policy}");
}

pub fn fwd_03_the_application_is_told_who_is_signed_in(door: &Door) {
    let body = door.signed_in("alice").page("/page/").body;
    assert_eq!(told(&body, "remote-user"), ["alice"]);
    assert_eq!(told(&body, "remote-name"), ["alice of the house"]);
    assert_eq!(told(&body, "remote-groups"), ["staff"]);
    assert_eq!(told(&body, "remote-email").concat(), "");
    assert_eq!(told(&body, "remote-methods"), ["password"]);
}

pub fn fwd_03_as_many_groups_as_there_may_be_arrive_beside_large_cookies(door: &Door) {
    let mut carol = door.signed_in("carol");
    let cookies = carol.cookies.entry(APP.to_owned()).or_default();
    cookies.insert("state".to_owned(), "x".repeat(6_000));
    let answer = carol.page("/page/");
    assert_passed(&answer, "GET /page/ ");
    assert_eq!(
        told(&answer.body, "remote-groups"),
        [most_groups().join(",")]
    );
    assert!(answer.body.contains(&"x".repeat(6_000)));
}

pub fn a_groups_page_is_open_to_its_members_alone(door: &Door) {
    assert_passed(&door.signed_in("alice").page("/staff/"), "GET /staff/ ");
    let mut bob = door.signed_in("bob");
    let before = door.app.heard();
    assert_eq!(bob.page("/staff/").status, 403);
    assert_eq!(door.app.heard(), before);
}

pub fn what_no_rule_allows_is_closed_to_everybody(door: &Door) {
    assert_eq!(door.visitor().page("/elsewhere").status, 403);
    assert_eq!(door.signed_in("alice").page("/elsewhere").status, 403);
    assert!(door.app.heard().is_empty());
}

pub fn fwd_13_a_program_is_told_401_and_sent_nowhere(door: &Door) {
    let answer = door.visitor().send("GET", APP, "/page/", API, "");
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(answer.header("location"), "");
    assert!(door.app.heard().is_empty());
}

/// The header of a program that has this name and this password.
fn basic(name: &str, password: &str) -> String {
    let encoded = STANDARD.encode(format!("{name}:{password}"));
    format!("Authorization: Basic {encoded}\r\n")
}

pub fn tok_02_a_token_goes_through_in_place_of_a_session(door: &Door) {
    let bearer = format!("Authorization: Bearer {}\r\n", token());
    for authorization in [basic("alice", token()), bearer] {
        for method in ["GET", "PROPFIND", "REPORT", "PUT"] {
            let answer = door
                .visitor()
                .send(method, APP, "/page/", &authorization, "");
            assert_passed(&answer, &format!("{method} /page/ HTTP/1.1"));
            assert_eq!(told(&answer.body, "remote-user"), ["alice"]);
            assert_eq!(told(&answer.body, "remote-methods"), ["token"]);
        }
    }
    let before = door.app.heard();
    // Another last letter than its own.
    let last = if token().ends_with('A') { 'B' } else { 'A' };
    let wrong = format!("{}{last}", &token()[..token().len() - 1]);
    for authorization in [
        basic("bob", token()),
        basic("alice", &wrong),
        basic("alice", PASSWORD),
    ] {
        let answer = door
            .visitor()
            .send("PROPFIND", APP, "/page/", &authorization, "");
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    assert_eq!(door.app.heard(), before);
}

pub fn tok_05_a_program_is_asked_for_basic_and_a_browser_never(door: &Door) {
    let mut visitor = door.visitor();
    for method in ["GET", "PROPFIND"] {
        let answer = visitor.send(method, APP, "/page/", "Accept: */*\r\n", "");
        let challenges: Vec<&str> = answer.all("www-authenticate").collect();
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(
            challenges,
            [format!("Basic realm=\"{APP}\", charset=\"UTF-8\"")]
        );
    }
    for browser in [
        PAGE,
        "Accept: */*\r\nSec-Fetch-Mode: cors\r\n",
        "Accept: text/html\r\n",
    ] {
        let answer = visitor.send("GET", APP, "/page/", browser, "");
        assert!([302, 401].contains(&answer.status), "{answer:?}");
        assert!(
            !answer.header("www-authenticate").contains("Basic"),
            "{answer:?}"
        );
    }
}

pub fn tok_06_the_application_sees_no_token_and_every_other_authorization(door: &Door) {
    for path in ["/page/", "/public/"] {
        let answer = door
            .visitor()
            .send("GET", APP, path, &basic("alice", token()), "");
        assert_passed(&answer, &format!("GET {path} HTTP/1.1"));
        assert_eq!(told(&answer.body, "authorization").concat(), "", "{path}");
    }
    let foreign = "Bearer an.applications.own";
    let header = format!("Authorization: {foreign}\r\n{API}");
    for visitor in [&mut door.visitor(), &mut door.signed_in("alice")] {
        let answer = visitor.send("GET", APP, "/public/", &header, "");
        assert_eq!(told(&answer.body, "authorization"), [foreign]);
    }
    // The application's own Basic, too.
    let answer = door
        .visitor()
        .send("GET", APP, "/public/", &basic("alice", PASSWORD), "");
    let sent = told(&answer.body, "authorization").concat();
    assert!(
        basic("alice", PASSWORD).contains(&sent) && !sent.is_empty(),
        "{sent}"
    );
    for request in door.app.heard() {
        assert!(!request.contains(token()), "{request}");
    }
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-Fetch-Mode: websocket\r\n";

pub fn a_websocket_opens_for_who_is_signed_in(door: &Door) {
    let alice = door.signed_in("alice");
    let mut line = Line::to(door.port, APP);
    let cookie = alice.cookie_line(APP);
    line.say(
        format!("GET /page/socket HTTP/1.1\r\nHost: {APP}\r\n{cookie}{UPGRADE}\r\n").as_bytes(),
    );
    let head = line.hear_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    line.say(b"\x81\x85abcd\0\x01\x02\x03\x04.");
    assert!(line.hear_until(".").contains("abcd"), "bytes go both ways");
}

pub fn a_websocket_stays_closed_to_others(door: &Door) {
    let request = format!("GET /page/socket HTTP/1.1\r\nHost: {APP}\r\n{UPGRADE}\r\n");
    let mut line = Line::to(door.port, APP);
    line.say(request.as_bytes());
    let head = line.hear_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert!(door.app.heard().is_empty());
}

/// As docs/proxies/rules.md has them.
pub fn add_rule(door: &Door, rule: &str) {
    let add = ["rule", "add", APP];
    let rule: Vec<&str> = rule.split(' ').collect();
    door.machine.cli(&[&add[..], &rule].concat()).done();
}

pub fn a_preflight_passes_by_a_rule_for_its_method(door: &Door) {
    let preflight = "Origin: https://www.example.com\r\nAccess-Control-Request-Method: PUT\r\nSec-Fetch-Mode: cors\r\n";
    let mut script = door.visitor();
    let answer = script.send("OPTIONS", APP, "/page/api/x", preflight, "");
    assert_eq!(answer.status, 401, "{answer:?}");
    add_rule(
        door,
        "--path /page/api/* --method OPTIONS --who anyone --allow",
    );
    let answer = script.send("OPTIONS", APP, "/page/api/x", preflight, "");
    assert_passed(&answer, "OPTIONS /page/api/x HTTP/1.1");
    // What follows it needs a session, and so do other paths.
    assert_eq!(script.send("PUT", APP, "/page/api/x", API, "").status, 401);
    let answer = script.send("OPTIONS", APP, "/page/x", preflight, "");
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(door.app.heard().len(), 1);
}

pub fn a_manifest_passes_by_a_rule_for_its_path(door: &Door) {
    // Browsers ask without cookies.
    let manifest = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: manifest\r\n";
    let path = "/page/manifest.webmanifest";
    let mut browser = door.visitor();
    let answer = browser.send("GET", APP, path, manifest, "");
    assert_eq!(answer.status, 401, "{answer:?}");
    add_rule(
        door,
        &format!("--path {path} --method GET --who anyone --allow"),
    );
    let answer = browser.send("GET", APP, path, manifest, "");
    assert_passed(&answer, "GET /page/manifest.webmanifest HTTP/1.1");
    let below = format!("{path}/..%2fsecret");
    assert_eq!(browser.send("GET", APP, &below, manifest, "").status, 401);
    assert_eq!(door.app.heard().len(), 1);
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

pub fn a_form_reaches_the_application_whole(door: &Door) {
    let mut alice = door.signed_in("alice");
    let headers = format!("{PAGE}{FORM}");
    // A body that would rewrite the method where Rocket read it.
    let answer = alice.send("POST", APP, "/page/form", &headers, "_method=get&a=1");
    assert_passed(&answer, "POST /page/form HTTP/1.1");
    assert!(answer.body.ends_with("_method=get&a=1"), "{}", answer.body);
}

pub fn a_form_that_lost_its_session_is_sent_to_sign_in_and_goes_no_further(door: &Door) {
    let headers = format!("{PAGE}{FORM}Referer: https://app.example.com/page/list?x=1\r\n");
    let answer = door
        .visitor()
        .send("POST", APP, "/page/form", &headers, "_method=get&a=1");
    let rd = "rd=https%3A%2F%2Fapp.example.com%2Fpage%2Flist%3Fx%3D1&rm=POST";
    assert_sent_to_sign_in(&answer, rd);
    assert_eq!(answer.status, 303, "a browser goes on with GET");
    assert!(door.app.heard().is_empty());
}

pub fn head_is_answered_as_get_without_a_body(door: &Door) {
    let mut alice = door.signed_in("alice");
    let answer = alice.send("HEAD", APP, "/page/", PAGE, "");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, ""),
        "{answer:?}"
    );
    assert!(
        door.app
            .heard()
            .concat()
            .starts_with("HEAD /page/ HTTP/1.1")
    );
    let answer = door.visitor().send("HEAD", APP, "/page/", PAGE, "");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (302, ""),
        "{answer:?}"
    );
    assert_eq!(door.app.heard().len(), 1);
}

pub fn fwd_09_no_method_passes_unasked(door: &Door) {
    for method in [
        "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "PROPFIND", "MKCOL", "FOO",
    ] {
        let answer = door.visitor().send(method, APP, "/page/", API, "");
        assert!((400..600).contains(&answer.status), "{method}: {answer:?}");
    }
    assert_eq!(door.app.heard(), Vec::<String>::new());
}

pub fn a_host_that_is_no_site_is_closed(door: &Door) {
    let mut alice = door.signed_in("alice");
    door.machine
        .execute("DELETE FROM sites; UPDATE policy SET version = version + 1");
    assert_eq!(alice.page("/page/").status, 403);
    assert_eq!(alice.page("/public/").status, 403);
    assert!(door.app.heard().is_empty());
}

/// Caddy says 200 to it, and nothing more: what counts is where it goes.
pub fn a_host_that_the_proxy_does_not_know_leads_nowhere(door: &Door) {
    for host in [
        "evil.example.com",
        "app.example.com.evil.example",
        "127.0.0.1",
    ] {
        let request = format!("GET /public/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = door.exchange(APP, &request);
        assert!(answer.starts_with("HTTP/1.1 "), "{host}: {answer}");
    }
    assert!(door.app.heard().is_empty());
}

/// A proxy that goes by the one and asks about the other would let anybody in.
pub fn the_host_in_the_request_line_and_no_other_is_asked_about(door: &Door) {
    door.machine.execute(
        "INSERT INTO sites (id, host, fallback, note) SELECT randomblob(16), 'open.example.com', 'public', ''; UPDATE policy SET version = version + 1",
    );
    for (line, host) in [
        ("https://app.example.com", "open.example.com"),
        ("https://open.example.com", APP),
    ] {
        let answer = door.exchange(
            APP,
            &format!("GET {line}/page/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{API}\r\n"),
        );
        let passed = door.app.heard().concat();
        assert!(
            passed.is_empty() || told(&passed, "host") == ["open.example.com"],
            "{answer}: {passed}"
        );
    }
}

/// Who a client says that it is: a text of headers for each character that applications may read as `-`.
pub fn made_up() -> impl Iterator<Item = String> {
    ["-", "_", ".", " "].into_iter().map(|between| {
        ["User", "Name", "Email", "Groups", "Methods"]
            .iter()
            .flat_map(|name| {
                let usual = format!("Remote{between}{name}");
                [usual.to_uppercase(), usual.to_lowercase(), usual]
            })
            .map(|name| format!("{name}: mallory\r\n"))
            .collect()
    })
}

/// What reached the application says that it is nobody or bob.
pub fn assert_nobody_else_came(door: &Door) {
    for request in door.app.heard() {
        assert!(!request.contains("mallory"), "{request}");
        let user = told(&request, "remote-user").concat();
        assert!(["", "bob"].contains(&user.as_str()), "{request}");
    }
}

pub fn fwd_04_identity_headers_of_the_clients_own_reach_nobody(door: &Door) {
    let mut bob = door.signed_in("bob");
    for headers in made_up() {
        for visitor in [&mut door.visitor(), &mut bob] {
            for path in ["/public/", "/page/"] {
                visitor.send("GET", APP, path, &format!("{API}{headers}"), "");
            }
        }
    }
    assert!(!door.app.heard().is_empty(), "some are let in without them");
    assert_nobody_else_came(door);
}

pub fn fwd_05_a_client_cannot_say_what_it_asks_for(door: &Door) {
    for spoofed in [
        "X-Forwarded-Uri: /public/\r\n",
        "X-Forwarded-Host: open.example.com\r\n",
        "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\n",
        "X-Original-URL: https://app.example.com/public/\r\n",
        "X-Original-URI: /public/\r\nX-Rewrite-URL: /public/\r\n",
        "X-Original-Method: OPTIONS\r\n",
        "X-Envoy-Original-Path: /public/\r\n",
        "Forwarded: host=open.example.com;proto=https\r\n",
    ] {
        let answer = door
            .visitor()
            .send("GET", APP, "/page/", &format!("{API}{spoofed}"), "");
        assert!(
            [400, 401, 403].contains(&answer.status),
            "{spoofed}: {answer:?}"
        );
    }
    assert!(door.app.heard().is_empty());
}

pub fn fwd_05_a_client_cannot_say_where_it_comes_from(door: &Door) {
    for spoofed in [
        "X-Forwarded-For: 203.0.113.7\r\n",
        "X-Real-IP: 203.0.113.7\r\n",
        "X-Envoy-External-Address: 203.0.113.7\r\n",
    ] {
        let answer = door.visitor().page("/lan/");
        assert_eq!(answer.status, 403, "{answer:?}");
        let answer = door
            .visitor()
            .send("GET", APP, "/lan/", &format!("{API}{spoofed}"), "");
        assert_eq!(answer.status, 403, "{spoofed}: {answer:?}");
    }
    assert!(door.app.heard().is_empty());
}

pub fn fwd_07_another_spelling_opens_no_door(door: &Door) {
    for path in [
        "/public/../page/",
        "/public/%2e%2e/page/",
        "/public/..%2fpage/",
        "/public%2f..%2fpage/",
        "/public/%252e%252e/page/",
        "/public/..;/page/",
        "/page/?x=/public/",
        "//public/..//page/",
        "/public/..\\page/",
        "/.vestibule/../page/",
        "/.vestibule/..%2fpage/",
        "/%2evestibule/%2e%2e/page/",
        "//.vestibule/../page/",
    ] {
        let answer = door.visitor().send("GET", APP, path, API, "");
        assert!((300..500).contains(&answer.status), "{path}: {answer:?}");
        assert_eq!(door.app.heard(), Vec::<String>::new(), "{path}");
    }
}

pub fn fwd_12_a_revoke_holds_from_the_next_request_on(door: &Door) {
    let mut alice = door.signed_in("alice");
    assert_passed(&alice.page("/page/"), "GET /page/ ");
    door.machine
        .cli(&["session", "revoke", "--user", "alice"])
        .done();
    assert_sent_to_sign_in(
        &alice.page("/page/"),
        "rd=https%3A%2F%2Fapp.example.com%2Fpage%2F&rm=GET",
    );
    assert_eq!(alice.send("GET", APP, "/page/", API, "").status, 401);
    assert_eq!(door.app.heard().len(), 1);
}

pub fn coo_10_no_cookie_of_ours_reaches_the_application(door: &Door) {
    let mut alice = door.signed_in("alice");
    let body = alice.page("/page/").body;
    assert_eq!(told(&body, "cookie").concat(), "", "none is left: {body}");
    let jar = alice.cookies.get_mut(APP).expect("cookies");
    assert!(jar.contains_key("__Host-vestibule-site") && jar.contains_key("__Host-vestibule-flow"));
    // Those of other applications stay; before, between and after ours.
    for name in ["A", "__Host-vestibule-sitf", "zz"] {
        jar.insert(name.to_owned(), format!("{name}-value"));
    }
    for path in ["/page/", "/public/"] {
        let body = alice.page(path).body;
        let cookies = told(&body, "cookie").join("; ");
        assert_eq!(
            cookies, "A=A-value; __Host-vestibule-sitf=__Host-vestibule-sitf-value; zz=zz-value",
            "{body}"
        );
    }
    let mut twice = door.visitor();
    let headers = format!(
        "{API}Cookie: __Host-vestibule-site=a; b=1\r\nCookie: __Host-vestibule=c; __Host-vestibule-site=d\r\n"
    );
    let body = twice.send("GET", APP, "/public/", &headers, "").body;
    assert!(!body.contains("vestibule"), "{body}");
}

pub fn coo_10_what_a_site_has_opens_no_other_host(door: &Door) {
    let mut alice = door.signed_in("alice");
    let master = alice.cookies[SIGN_IN]["__Host-vestibule"].clone();
    let jar = alice.cookies[APP].clone();
    assert!(jar.values().all(|value| *value != master));
    for value in jar.values() {
        let mut thief = door.visitor();
        let cookie = format!("{API}Cookie: __Host-vestibule={value}\r\n");
        let answer = thief.send("GET", SIGN_IN, "/api/session", &cookie, "");
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    assert_eq!(
        alice.send("GET", SIGN_IN, "/api/session", API, "").status,
        200
    );
}

pub fn a_ticket_that_is_not_right_leads_back_to_sign_in(door: &Door) {
    let answer = door.visitor().page("/.vestibule/enter?ticket=x");
    assert_sent_to_sign_in(&answer, "rd=https%3A%2F%2Fapp.example.com%2F&rm=GET");
    assert!(
        answer.header("location").ends_with("&retry=1"),
        "{answer:?}"
    );
    let picture = door.visitor().page("/.vestibule/icon.svg");
    assert_eq!(
        picture.header("content-type"),
        "image/svg+xml",
        "{picture:?}"
    );
    assert!(door.app.heard().is_empty());
}

pub fn nobody_asks_the_authz_endpoints_from_outside(door: &Door) {
    let headers = format!(
        "{PAGE}X-Original-URL: https://app.example.com/public/\r\nX-Original-Method: GET\r\n"
    );
    for path in [
        "/api/authz/auth-request",
        "/api/authz/forward-auth",
        "/api/authz/ext-authz/",
        "//api//authz/auth-request",
        "/%61pi/authz/auth-request",
        "/api%2fauthz/auth-request",
        "/./api/authz/auth-request",
    ] {
        let answer = door.visitor().send("GET", SIGN_IN, path, &headers, "");
        assert!(
            [400, 403, 404, 503].contains(&answer.status),
            "{path}: {answer:?}"
        );
        // Words of the endpoints' own.
        assert!(!answer.body.contains("malformed"), "{path}: {answer:?}");
    }
}

/// What is open to anyone is closed as well: nobody could say that it is open.
fn assert_closed(door: &Door) {
    let begun = Instant::now();
    let answer = door.visitor().page("/public/");
    assert!(answer.status >= 400, "{answer:?}");
    // Traefik waits 30 seconds and cannot be told otherwise.
    assert!(begun.elapsed() < Duration::from_secs(40));
    assert!(door.app.heard().is_empty());
}

pub fn nothing_passes_while_vestibule_is_stopped(door: &Door) {
    let server = door.vestibule.lock().expect("a lock").take();
    server.expect("a server").kill();
    assert_closed(door);
}

pub fn nothing_passes_while_vestibule_is_slow(door: &Door) {
    let vestibule = door.vestibule.lock().expect("a lock");
    let server = vestibule.as_ref().expect("a server");
    server.signal(Signal::STOP);
    assert_closed(door);
    // Once it goes on, so does everything else.
    server.signal(Signal::CONT);
    assert_passed(&door.visitor().page("/public/"), "GET /public/ ");
}
