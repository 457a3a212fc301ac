//! What proxies say of a request: read once, from a trusted one, or not at all.

use rocket::http::Method;

use crate::support::proxy::{AUTH_REQUEST, FORWARD_AUTH, Person, SCRIPT};
use crate::support::{Answer, Client, TestApp, Wire, logged};

const SITE: &str = "https://app.example.net";

/// A service with a public site and one for those who are signed in.
async fn service() -> TestApp {
    let app = TestApp::start().await;
    app.site("app.example.net", "signed-in", &[]).await;
    app.site("open.example.net", "public", &[]).await;
    app
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    headers.iter().map(pair).collect()
}

/// What each kind of proxy says of a page of the public site, which anyone may see.
const DIALECTS: [(&str, &[(&str, &str)]); 3] = [
    (
        FORWARD_AUTH,
        &[
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "open.example.net"),
            ("X-Forwarded-Uri", "/page?x=1"),
        ],
    ),
    (
        AUTH_REQUEST,
        &[
            ("X-Original-Method", "GET"),
            ("X-Original-URL", "https://open.example.net/page?x=1"),
        ],
    ),
    (
        "/api/authz/ext-authz/page?x=1",
        &[("Host", "open.example.net"), ("X-Forwarded-Proto", "https")],
    ),
];

fn refused_status(endpoint: &str) -> u16 {
    if endpoint == AUTH_REQUEST { 403 } else { 400 }
}

async fn say(client: &Client, endpoint: &str, headers: &[(String, String)]) -> Answer {
    client.send_only(Method::Get, endpoint, headers, "").await
}

#[rocket::async_test]
async fn each_dialect_is_understood() {
    let app = service().await;
    for (endpoint, headers) in DIALECTS {
        let answer = say(&app.anonymous(), endpoint, &owned(headers)).await;
        assert_eq!(answer.status, 200, "{endpoint}: {}", answer.body);
    }
}

/// HAProxy may ask with HEAD, Envoy and Traefik with the client's own method.
#[rocket::async_test]
async fn head_and_each_other_method_are_answered_as_get_without_a_body() {
    let app = service().await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter("https://app.example.net/").await;
    let cookie = format!(
        "__Host-vestibule-site={}",
        alice.there.cookies["__Host-vestibule-site"]
    );
    let headers = owned(&[
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "app.example.net"),
        ("X-Forwarded-Uri", "/"),
        ("Cookie", &cookie),
    ]);
    for method in [
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Delete,
        Method::Options,
        Method::Patch,
        Method::Trace,
    ] {
        let client = app.anonymous();
        let answer = client.send_only(method, FORWARD_AUTH, &headers, "").await;
        let found = (
            answer.status,
            answer.header("remote-user"),
            answer.body.as_str(),
        );
        assert_eq!(found, (200, "alice", ""), "{method}");
        let answer = client
            .send_only(method, FORWARD_AUTH, &headers[..4], "")
            .await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, "Vestibule"),
            "{method}"
        );
    }
}

#[rocket::async_test]
async fn fwd_06_a_header_that_is_missing_doubled_or_empty_is_a_refusal() {
    let app = service().await;
    let client = app.anonymous();
    for (endpoint, headers) in DIALECTS {
        for at in 0..headers.len() {
            let name = headers[at].0;
            let mut missing = owned(headers);
            missing.remove(at);
            let mut doubled = owned(headers);
            doubled.push(doubled[at].clone());
            let mut empty = owned(headers);
            empty[at].1.clear();
            let mut refused = vec![("no", missing), ("an empty", empty)];
            // Equal schemes are one.
            if name != "X-Forwarded-Proto" {
                refused.push(("two", doubled));
            }
            for (what, headers) in refused {
                let answer = say(&client, endpoint, &headers).await;
                assert_eq!(
                    answer.status,
                    refused_status(endpoint),
                    "{endpoint}, {what} {name}"
                );
                assert_eq!(answer.json()["error"], "malformed");
            }
        }
    }
}

#[rocket::async_test]
async fn fwd_06_headers_that_contradict_each_other_are_a_refusal() {
    let app = service().await;
    let client = app.anonymous();
    let others = [
        ("X-Forwarded-Method", "POST"),
        ("X-Forwarded-Method", "get"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "app.example.net"),
        ("X-Forwarded-Host", "open.example.net:8443"),
        ("X-Forwarded-Uri", "/Page?x=1"),
        ("X-Forwarded-Uri", "/page"),
        ("X-Original-Method", "POST"),
        ("X-Original-URL", "https://app.example.net/page?x=1"),
        ("X-Original-URL", "https://open.example.net/other"),
        ("X-Original-URL", "http://open.example.net/page?x=1"),
        ("X-Original-URL", "/page?x=1"),
    ];
    for (endpoint, headers) in DIALECTS {
        for other in others {
            let mut headers = owned(headers);
            headers.push((other.0.to_owned(), other.1.to_owned()));
            let answer = say(&client, endpoint, &headers).await;
            assert_eq!(
                answer.status,
                refused_status(endpoint),
                "{endpoint}, {other:?}"
            );
        }
    }
    // Two that say the same of a thing that is said once elsewhere do not disturb.
    let mut headers = owned(DIALECTS[1].1);
    headers.extend(owned(&[
        ("X-Forwarded-Host", "OPEN.example.net:443"),
        ("X-Forwarded-Proto", "https"),
    ]));
    assert_eq!(say(&client, AUTH_REQUEST, &headers).await.status, 200);
}

#[rocket::async_test]
async fn fwd_06_an_address_that_cannot_be_read_is_never_allowed() {
    let app = service().await;
    app.site("open.example.com", "public", &["allow /x for anyone"])
        .await;
    let client = app.anonymous();
    let long = format!("/{}", "a".repeat(65_536));
    let uris = [
        "%",
        "page",
        "http://%zz",
        "https://open.example.net/",
        "*",
        "?x=1",
        "#/page",
        " /page",
        "/pa ge",
        "/päge",
        "/%",
        "/%zz",
        "/%00",
        "/\u{7f}",
        "\\page",
        &long,
        "/%c0%ae",
    ];
    for uri in uris {
        for host in ["open.example.com", "app.example.net"] {
            let mut headers = owned(&DIALECTS[0].1[..2]);
            headers.extend(owned(&[
                ("X-Forwarded-Host", host),
                ("X-Forwarded-Uri", uri),
            ]));
            let answer = say(&client, FORWARD_AUTH, &headers).await;
            assert!(
                [400, 401, 403].contains(&answer.status),
                "{uri:?}: {}",
                answer.status
            );
        }
        let url = format!("https://open.example.com{uri}");
        let headers = owned(&[("X-Original-Method", "GET"), ("X-Original-URL", &url)]);
        // With nothing between host and address, "%" and "page" belong to the host's name.
        let answer = say(&client, AUTH_REQUEST, &headers).await;
        // hyper itself refuses a header with a control character.
        let refused_by_hyper = answer.status == 400 && url.contains('\u{7f}');
        assert!(
            refused_by_hyper || [401, 403].contains(&answer.status),
            "{url:?}: {}",
            answer.status
        );
    }
    for url in [
        "//open.example.net/",
        "open.example.net/",
        "https:/open.example.net/",
        "https:open.example.net/",
        "https://app.example.net@open.example.net/",
        "https://open.example.net\\@app.example.net/",
        "https://open.example.net?/",
        "https://open.example.net#/",
        "https:///open.example.net/",
        "javascript://open.example.net/",
        "https://open.example.net",
        " https://open.example.net/",
        "https://open.example.nethttp://open.example.net/",
    ] {
        let headers = owned(&[("X-Original-Method", "GET"), ("X-Original-URL", url)]);
        assert_eq!(
            say(&client, AUTH_REQUEST, &headers).await.status,
            403,
            "{url}"
        );
    }
}

#[rocket::async_test]
async fn fwd_06_a_method_or_scheme_that_is_none_is_a_refusal() {
    let app = service().await;
    let mut client = app.anonymous();
    for method in ["get", "GET ", "G(T", "GET\u{7f}", "ÄB", &"A".repeat(21)] {
        let answer = client.ask(method, "https://open.example.net/", &[]).await;
        assert_eq!(answer.status, 400, "{method:?}");
    }
    for (scheme, expected) in [
        ("https", 200),
        ("wss", 200),
        ("http", 400),
        ("ws", 400),
        ("HTTPS", 200),
        ("https,http", 400),
        ("ftp", 400),
    ] {
        let answer = client
            .ask("GET", &format!("{scheme}://open.example.net/"), &[])
            .await;
        assert_eq!(answer.status, expected, "{scheme}");
    }
}

#[rocket::async_test]
async fn over_plain_http_sites_are_plain_too() {
    let app = TestApp::with("public_url = \"http://auth.lan\"\ninsecure_http = true").await;
    app.site("open.lan", "public", &[]).await;
    let mut client = app.anonymous();
    for (scheme, expected) in [("http", 200), ("ws", 200), ("https", 400), ("wss", 400)] {
        let answer = client
            .ask("GET", &format!("{scheme}://open.lan/"), &[])
            .await;
        assert_eq!(answer.status, expected, "{scheme}");
    }
}

/// What is said of the scheme, beside the rest of a page of the public site.
async fn say_scheme(client: &Client, values: &[&str]) -> Answer {
    let mut headers = owned(&[
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Host", "open.example.net"),
        ("X-Forwarded-Uri", "/page"),
    ]);
    headers.extend(
        values
            .iter()
            .map(|value| ("X-Forwarded-Proto".to_owned(), (*value).to_owned())),
    );
    say(client, FORWARD_AUTH, &headers).await
}

#[rocket::async_test]
async fn a_scheme_is_read_whatever_its_case_and_equal_ones_are_one() {
    let app = service().await;
    let client = app.anonymous();
    for values in [
        &["HTTPS"][..],
        &["https, https"],
        &["https,HTTPS ,https"],
        &["https", "Https"],
    ] {
        let answer = say_scheme(&client, values).await;
        assert_eq!(answer.status, 200, "{values:?}: {}", answer.body);
    }
    let said = [
        ("X-Original-Method", "GET"),
        ("X-Original-URL", "HTTPS://open.example.net/page"),
        ("X-Forwarded-Proto", "https, https"),
    ];
    assert_eq!(
        say(&client, AUTH_REQUEST, &owned(&said)).await.status,
        200,
        "nginx"
    );
    let said = [
        ("Host", "open.example.net"),
        ("X-Forwarded-Proto", "HTTPS,https"),
    ];
    let answer = say(&client, "/api/authz/ext-authz/page", &owned(&said)).await;
    assert_eq!(answer.status, 200, "Envoy");
}

#[rocket::async_test]
async fn fwd_06_schemes_that_contradict_each_other_are_a_refusal_that_names_the_header() {
    let app = service().await;
    let client = app.anonymous();
    for values in [
        &["https,http"][..],
        &["http,https"],
        &["https", "http"],
        &["https, "],
        &[","],
        &["https;https"],
        &["https https"],
    ] {
        let (answer, log) = logged(say_scheme(&client, values)).await;
        assert_eq!(answer.status, 400, "{values:?}");
        let about = answer.json()["about"].to_string();
        assert!(about.contains("X-Forwarded-Proto"), "{values:?}: {about}");
        assert!(log.contains("X-Forwarded-Proto"), "{log}");
    }
}

#[rocket::async_test]
async fn fwd_06_http_behind_a_proxy_that_ends_tls_is_told_whose_line_to_change() {
    let app = service().await;
    let client = app.anonymous();
    for (endpoint, header, value) in [
        (FORWARD_AUTH, "X-Forwarded-Proto", "http"),
        (
            AUTH_REQUEST,
            "X-Original-URL",
            "http://open.example.net/page?x=1",
        ),
        (DIALECTS[2].0, "X-Forwarded-Proto", "http"),
    ] {
        let (_, said) = DIALECTS.iter().find(|(of, _)| *of == endpoint).unwrap();
        let mut headers = owned(said);
        let line = headers.iter_mut().find(|(name, _)| name == header).unwrap();
        line.1 = value.to_owned();
        let (answer, log) = logged(say(&client, endpoint, &headers)).await;
        assert_eq!(answer.status, refused_status(endpoint), "{endpoint}");
        let about = answer.json()["about"].to_string();
        for word in [header, "public_url", "farther out", "the proxy that asks"] {
            assert!(about.contains(word), "{endpoint}: {word}: {about}");
        }
        assert!(log.contains(header) && log.contains("farther out"), "{log}");
    }
}

#[rocket::async_test]
async fn a_host_that_is_said_twice_in_a_list_is_one_and_two_are_none() {
    let app = service().await;
    let client = app.anonymous();
    for (hosts, expected) in [
        ("open.example.net, open.example.net", 200),
        ("open.example.net,OPEN.example.net", 200),
        ("open.example.net, app.example.net", 400),
        ("open.example.net,", 400),
    ] {
        let mut headers = owned(DIALECTS[0].1);
        headers[2].1 = hosts.to_owned();
        let answer = say(&client, FORWARD_AUTH, &headers).await;
        assert_eq!(answer.status, expected, "{hosts}");
        if expected == 400 {
            let about = answer.json()["about"].to_string();
            assert!(about.contains("X-Forwarded-Host"), "{about}");
        }
    }
}

#[rocket::async_test]
async fn what_cannot_be_used_is_told_by_the_header_s_name() {
    let app = service().await;
    let client = app.anonymous();
    for (header, value) in [
        ("X-Forwarded-Method", Some("get")),
        ("X-Forwarded-Uri", None),
        ("X-Original-Method", Some("POST")),
        ("X-Original-URL", Some("https://app.example.net/page?x=1")),
    ] {
        let mut headers = owned(DIALECTS[0].1);
        headers.retain(|(name, _)| name != header);
        headers.extend(value.map(|value| (header.to_owned(), value.to_owned())));
        let answer = say(&client, FORWARD_AUTH, &headers).await;
        let about = answer.json()["about"].to_string();
        assert!(about.contains(header), "{header}: {about}");
    }
}

/// Old and hand-written links: bytes of another encoding, a percent sign of its own, letters that are not escaped.
const ODD_PATHS: [&str; 3] = ["/caf%E9.jpg", "/100%", "/p\u{e4}ge"];

async fn ask_everywhere(client: &mut Client, url: &str) -> [u16; 3] {
    [
        client.ask("GET", url, &[]).await.status,
        client.ask_as_nginx("GET", url, &[]).await.status,
        client.ask_as_envoy(Method::Get, url, &[]).await.status,
    ]
}

#[rocket::async_test]
async fn fwd_07_an_odd_path_is_a_path_where_no_rule_names_any() {
    let app = service().await;
    app.site("all.example.net", "deny", &["allow /* for anyone by GET"])
        .await;
    app.site("some.example.net", "public", &["deny /x for anyone"])
        .await;
    let mut client = app.anonymous();
    for path in ODD_PATHS {
        for (host, expected) in [
            ("open.example.net", [200; 3]),
            ("all.example.net", [200; 3]),
            ("app.example.net", [401; 3]),
            ("some.example.net", [403; 3]),
        ] {
            let url = format!("https://{host}{path}");
            assert_eq!(ask_everywhere(&mut client, &url).await, expected, "{url}");
        }
    }
    for path in [
        "/a%00",
        "/%0d%0a",
        "/caf%E9%00",
        "/100%%0a",
        "/%25%30%30%E9",
        "/\u{85}",
    ] {
        let url = format!("https://open.example.net{path}");
        let found = ask_everywhere(&mut client, &url).await;
        assert!(
            found.iter().all(|status| [400, 403].contains(status)),
            "{path:?}: {found:?}"
        );
    }
}

#[rocket::async_test]
async fn letters_in_a_query_that_are_not_escaped_disturb_nobody() {
    let app = service().await;
    app.site("some.example.net", "public", &["deny /x for anyone"])
        .await;
    let mut client = app.anonymous();
    let url = "https://some.example.net/page?q=\u{e4}";
    assert_eq!(ask_everywhere(&mut client, url).await, [200; 3]);
    let wire = Wire::of(&app).await;
    let request = "GET /api/authz/ext-authz/page?q=\u{e4} HTTP/1.1\r\nHost: some.example.net\r\n\
                   X-Forwarded-Proto: https\r\nConnection: close\r\n\r\n";
    let answer = wire.exchange(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A question about a page of the public site with headers of its own, over a socket.
async fn ask_with(wire: &Wire, endpoint: &str, lines: &str) -> String {
    let request = format!(
        "GET {endpoint} HTTP/1.1\r\nHost: open.example.net\r\nX-Forwarded-Method: GET\r\n\
         X-Forwarded-Proto: https\r\nX-Forwarded-Host: open.example.net\r\nX-Forwarded-Uri: /\r\n\
         X-Original-URL: https://open.example.net/\r\nX-Original-Method: GET\r\n{lines}Connection: close\r\n\r\n"
    );
    wire.exchange(request.as_bytes()).await
}

fn cookie(bytes: usize) -> String {
    format!("Cookie: a={}\r\n", "x".repeat(bytes - "a=".len()))
}

#[rocket::async_test]
async fn a_trusted_proxy_may_hand_on_32_kib_of_cookies() {
    let app = service().await;
    let wire = Wire::of(&app).await;
    for kib in [8, 12, 16, 32] {
        for endpoint in [FORWARD_AUTH, "/api/authz/ext-authz/"] {
            let answer = ask_with(&wire, endpoint, &cookie(kib * 1_024)).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{kib}: {answer:.300}");
            let handed_on = format!("cookie: a={}\r\n", "x".repeat(kib * 1_024 - 2));
            assert!(answer.contains(&handed_on), "{kib} at {endpoint}");
        }
        // nginx has room for so much of an answer, and says 500 to more.
        let answer = ask_with(&wire, AUTH_REQUEST, &cookie(kib * 1_024)).await;
        let expected = if kib > 12 { "401" } else { "200" };
        assert_eq!(&answer[9..12], expected, "{kib}");
        if kib > 12 {
            assert!(answer.contains("cookies_too_large"), "{answer:.2000}");
            assert!(answer.len() < 4 * 1_024, "{answer:.2000}");
        }
    }
    // A page says why, where the listener does not.
    let browser = format!(
        "Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\n{}",
        cookie(8_000).repeat(2)
    );
    let answer = ask_with(&wire, AUTH_REQUEST, &browser).await;
    let page = "location: https://open.example.net/.vestibule/cookies\r\n";
    assert!(answer.contains(page), "{answer}");
    let answer = ask_with(&wire, "/.vestibule/cookies", &browser).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer:.300}");
    assert!(answer.contains("Too many cookies"), "{answer:.2000}");
    // A browser brings them back from the sign-in page, too.
    let answer = ask_with(&wire, "/.vestibule/enter?ticket=a", &cookie(32 * 1_024)).await;
    assert!(answer.starts_with("HTTP/1.1 302"), "{answer:.300}");
    // In several headers, as HTTP/2 has them, too.
    let many = cookie(1_024).repeat(32);
    let answer = ask_with(&wire, FORWARD_AUTH, &many).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.300}");
    let more = cookie(33 * 1_024);
    let answer = ask_with(&wire, FORWARD_AUTH, &more).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer:.300}");
    let more = cookie(20 * 1_024).repeat(4);
    let answer = ask_with(&wire, FORWARD_AUTH, &more).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer:.300}");
    assert!(answer.contains("content-security-policy"), "{answer:.900}");
}

#[rocket::async_test]
async fn nobody_else_and_no_other_address_takes_more_cookies_than_before() {
    let app = service().await;
    let wire = Wire::of(&app).await;
    let ask = async |wire: &Wire, target: &str, lines: &str| {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: auth.example.com\r\nConnection: close\r\n{lines}\r\n"
        );
        wire.exchange(request.as_bytes()).await[9..12].to_owned()
    };
    for target in [
        "/login",
        "/api/session",
        "/api/authzz",
        "/.vestibule/icon.svg",
    ] {
        assert_eq!(ask(&wire, target, &cookie(9_000)).await, "431", "{target}");
        let fields = cookie(8_180).repeat(3);
        assert_eq!(ask(&wire, target, &fields).await, "431", "{target}");
    }
    assert_eq!(ask(&wire, "/login", &cookie(8_000)).await, "200");
    let stranger = TestApp::with("trusted_proxies = [\"10.0.0.1\"]").await;
    let wire = Wire::of(&stranger).await;
    for lines in [cookie(9_000), cookie(8_180).repeat(3)] {
        assert_eq!(ask(&wire, FORWARD_AUTH, &lines).await, "431");
    }
}

#[rocket::async_test]
async fn fwd_05_nobody_but_a_trusted_proxy_is_answered() {
    let app = service().await;
    let client = app.anonymous();
    let (_, log) = logged(async {
        for (endpoint, headers) in DIALECTS {
            for socket in ["192.0.2.9:1", "[2001:db8::9]:1", "127.0.0.2:1"] {
                let answer = client
                    .send_from(socket, Method::Get, endpoint, &owned(headers), "")
                    .await;
                assert_eq!(answer.status, 403, "{endpoint} from {socket}");
                assert_eq!(answer.json()["error"], "untrusted_proxy");
            }
        }
    })
    .await;
    let told = "192.0.2.9; if it is yours";
    assert!(
        log.contains("peer=192.0.2.9") && log.contains("trusted_proxies"),
        "{told}: {log}"
    );
    assert_eq!(
        log.matches("trusted_proxies").count(),
        1,
        "once a minute: {log}"
    );
    // An IPv4 address in IPv6 clothes is the same address.
    let (endpoint, headers) = DIALECTS[0];
    let mapped = client
        .send_from(
            "[::ffff:127.0.0.1]:1",
            Method::Get,
            endpoint,
            &owned(headers),
            "",
        )
        .await;
    assert_eq!(mapped.status, 200);
}

#[rocket::async_test]
async fn fwd_05_no_proxy_is_trusted_by_default() {
    let app = TestApp::with("public_url = \"http://localhost:8000\"\ntrusted_proxies = []").await;
    app.site("open.localhost", "public", &[]).await;
    let answer = app
        .anonymous()
        .ask("GET", "http://open.localhost/", &[])
        .await;
    assert_eq!(answer.status, 403);
}

#[rocket::async_test]
async fn a_request_that_carries_a_body_is_refused() {
    let app = service().await;
    let client = app.anonymous();
    for (endpoint, headers) in DIALECTS {
        for (method, more, body) in [
            (
                Method::Post,
                ("Content-Type", "application/x-www-form-urlencoded"),
                "_method=get",
            ),
            (
                Method::Post,
                ("Content-Type", "application/x-www-form-urlencoded"),
                "_method=put",
            ),
            (Method::Post, ("Content-Type", "text/plain"), "x"),
            (Method::Get, ("Content-Length", "1"), ""),
            (Method::Get, ("Content-Length", "00"), ""),
            (Method::Get, ("Transfer-Encoding", "chunked"), ""),
            (Method::Put, ("Accept", "*/*"), "x"),
        ] {
            let mut headers = owned(headers);
            headers.push((more.0.to_owned(), more.1.to_owned()));
            let answer = client.send_only(method, endpoint, &headers, body).await;
            assert_eq!(
                answer.status,
                refused_status(endpoint),
                "{endpoint}: {method} {more:?}"
            );
        }
        // A form's headers without its body are what proxies send on.
        let mut headers = owned(headers);
        headers.extend(owned(&[
            ("Content-Length", "0"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ]));
        let answer = client.send_only(Method::Get, endpoint, &headers, "").await;
        assert_eq!(answer.status, 200, "{endpoint}");
    }
}

#[rocket::async_test]
async fn a_body_over_a_socket_is_refused() {
    let app = service().await;
    let wire = Wire::of(&app).await;
    let said = "Host: open.example.net\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: open.example.net\r\n\
                X-Forwarded-Uri: /\r\nX-Forwarded-Method: GET\r\nX-Original-URL: https://open.example.net/\r\n\
                X-Original-Method: GET\r\nConnection: close\r\n";
    for endpoint in [FORWARD_AUTH, AUTH_REQUEST, "/api/authz/ext-authz/"] {
        for (method, more, expected) in [
            ("GET", "\r\n", "200"),
            ("POST", "Content-Length: 1\r\n\r\nx", "40"),
            ("POST", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "40"),
            (
                "POST",
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\n_method=GET",
                "40",
            ),
            ("PROPFIND", "Content-Length: 1\r\n\r\nx", "40"),
        ] {
            let request = format!("{method} {endpoint} HTTP/1.1\r\n{said}{more}");
            let answer = wire.exchange(request.as_bytes()).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {expected}")),
                "{request}\n{answer}"
            );
        }
    }
}

#[rocket::async_test]
async fn a_method_and_a_target_that_rocket_does_not_know_are_decided_as_they_came() {
    let app = service().await;
    let wire = Wire::of(&app).await;
    let ask = async |method: &str, target: &str, more: &str| {
        let request = format!(
            "{method} /api/authz/ext-authz{target} HTTP/1.1\r\nHost: open.example.net\r\n\
             X-Forwarded-Proto: https\r\nConnection: close\r\n{more}\r\n"
        );
        let answer = wire.exchange(request.as_bytes()).await;
        answer[9..12].to_owned()
    };
    for method in ["PROPFIND", "VERSION-CONTROL", "M-SEARCH", "TRACE", "PUT"] {
        assert_eq!(ask(method, "/a|b?c={d}", "").await, "200", "{method}");
        let same = format!("X-Forwarded-Method: {method}\r\nX-Forwarded-Uri: /a|b\r\n");
        assert_eq!(ask(method, "/a|b", &same).await, "200", "{method}");
        let other = "X-Forwarded-Method: GET\r\n";
        assert_eq!(ask(method, "/a|b", other).await, "400", "{method}");
    }
    let encoded = "X-Forwarded-Uri: /a%7Cb\r\n";
    assert_eq!(ask("GET", "/a|b", encoded).await, "400");
}

#[rocket::async_test]
async fn a_method_that_rocket_does_not_know_is_decided_where_a_header_names_it() {
    let app = service().await;
    let mut client = app.anonymous();
    for method in [
        "PROPFIND",
        "REPORT",
        "BASELINE-CONTROL",
        "M-SEARCH",
        "TRACE",
        "CONNECT",
        "OPTIONS",
    ] {
        let open = "https://open.example.net/";
        assert_eq!(client.ask(method, open, &[]).await.status, 200, "{method}");
        assert_eq!(
            client.ask_as_nginx(method, open, &[]).await.status,
            200,
            "{method}"
        );
        assert_eq!(
            client
                .ask(method, &format!("{SITE}/"), &SCRIPT)
                .await
                .status,
            401,
            "{method}"
        );
    }
}

#[rocket::async_test]
async fn fwd_09_no_user_agent_method_or_health_path_opens_a_site() {
    let app = service().await;
    let mut client = app.anonymous();
    for agent in ["kube-probe/1.0", "GoogleHC/1.0", "ELB-HealthChecker/2.0"] {
        let headers = [("User-Agent", agent)];
        for path in [
            "/",
            "/healthz",
            "/ping",
            "/ready",
            "/oauth2/auth",
            "/robots.txt",
            "/favicon.ico",
            "/api/authz/forward-auth",
        ] {
            let url = format!("{SITE}{path}");
            for method in ["GET", "OPTIONS", "HEAD", "TRACE"] {
                assert_eq!(
                    client.ask_as_nginx(method, &url, &headers).await.status,
                    401,
                    "{agent} {method} {path}"
                );
                assert_eq!(
                    client.ask(method, &url, &headers).await.status,
                    401,
                    "{agent} {method} {path}"
                );
            }
        }
        for method in [Method::Options, Method::Head, Method::Trace] {
            let answer = client
                .ask_as_envoy(method, &format!("{SITE}/healthz"), &headers)
                .await;
            assert_eq!(answer.status, 401, "{agent} {method}");
        }
    }
}

#[rocket::async_test]
async fn fwd_08_each_spelling_of_a_host_gets_the_same_answer() {
    let app = TestApp::start().await;
    app.site("a.b.example.com", "public", &["deny /admin/* for anyone"])
        .await;
    let mut client = app.anonymous();
    for host in [
        "A.B.example.com",
        "a.B.example.com",
        "a.b.example.com.",
        "a.b.example.com:443",
    ] {
        for (path, expected) in [
            ("/", 200),
            ("/admin", 403),
            ("/x?/admin", 200),
            ("/admin?x=/y", 403),
            ("/admin#/y", 403),
        ] {
            let url = format!("https://{host}{path}");
            assert_eq!(client.ask("GET", &url, &[]).await.status, expected, "{url}");
            assert_eq!(
                client.ask_as_nginx("GET", &url, &[]).await.status,
                expected,
                "{url}"
            );
        }
        let answer = client
            .ask_as_envoy(Method::Get, &format!("https://{host}/admin"), &[])
            .await;
        assert_eq!(answer.status, 403, "{host}");
    }
    for host in [
        "b.example.com",
        "x.a.b.example.com",
        "a.b.example.com:8443",
        "auth.example.com",
        "a.b.example.com.evil.example",
    ] {
        let answer = client.ask("GET", &format!("https://{host}/"), &[]).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (403, Some("unknown_site")),
            "{host}"
        );
    }
}

#[rocket::async_test]
async fn fwd_07_a_query_or_fragment_is_no_part_of_the_path() {
    let app = TestApp::start().await;
    app.site(
        "app.example.net",
        "signed-in",
        &["allow /public/* for anyone"],
    )
    .await;
    let mut client = app.anonymous();
    for (uri, expected) in [
        ("/public/x", 200),
        ("/admin#/public/x", 401),
        ("/admin?x=/public/", 401),
        ("/admin?/../public/x", 401),
        ("/public/../admin", 401),
        ("/public/x?/../../admin", 200),
        ("//public/..//admin", 401),
    ] {
        let url = format!("{SITE}{uri}");
        assert_eq!(client.ask("GET", &url, &[]).await.status, expected, "{uri}");
        assert_eq!(
            client.ask_as_nginx("GET", &url, &[]).await.status,
            expected,
            "{uri}"
        );
    }
}

#[rocket::async_test]
async fn bru_06_and_07_the_client_s_address_is_what_trusted_proxies_say() {
    let app =
        TestApp::with("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\", \"2001:db8::/32\"]").await;
    app.site(
        "in.example.net",
        "deny",
        &["allow /* for anyone from 203.0.113.0/24"],
    )
    .await;
    app.site(
        "out.example.net",
        "public",
        &["deny /* for anyone from 203.0.113.0/24"],
    )
    .await;
    app.site(
        "lan.example.net",
        "deny",
        &["allow /* for anyone from 10.0.0.0/8"],
    )
    .await;
    let many = vec!["198.51.100.1"; 300].join(", ");
    let client = app.anonymous();
    for (forwarded_for, expected) in [
        (Some("203.0.113.9"), [200, 403, 403]),
        (Some("198.51.100.1"), [403, 200, 403]),
        // A client's own claim stands farther left.
        (Some("203.0.113.9, 198.51.100.1"), [403, 200, 403]),
        (Some("203.0.113.9, 198.51.100.1, 10.1.2.3"), [403, 200, 403]),
        (
            Some("198.51.100.1, 203.0.113.9,10.1.2.3 , 2001:db8::1"),
            [200, 403, 403],
        ),
        (
            Some("198.51.100.1, ::ffff:203.0.113.9, ::ffff:10.1.2.3"),
            [200, 403, 403],
        ),
        // All trusted: a client on the proxies' own network.
        (Some("10.9.9.9, 10.1.2.3"), [403, 200, 200]),
        (Some(&many), [403, 200, 403]),
        (None, [403, 403, 403]),
        (Some(""), [403, 403, 403]),
        (Some("a"), [403, 403, 403]),
        (Some("203.0.113.9, a"), [403, 403, 403]),
        (Some("203.0.113.9, a, 10.1.2.3"), [403, 403, 403]),
        (Some("203.0.113.9,"), [403, 403, 403]),
        // Some load balancers write the client's port.
        (Some("203.0.113.9:51234"), [200, 403, 403]),
        (
            Some("198.51.100.1:1, 203.0.113.9:51234, [2001:db8::1]:443"),
            [200, 403, 403],
        ),
        (Some("[::ffff:203.0.113.9]:443"), [200, 403, 403]),
        (Some("[::ffff:203.0.113.9]"), [200, 403, 403]),
        // No port: an IPv6 address of eight groups.
        (Some("2001:db9::203:443"), [403, 200, 403]),
        (Some("203.0.113.9:"), [403, 403, 403]),
        (Some("203.0.113.9:65536"), [403, 403, 403]),
        (Some("203.0.113.9:x"), [403, 403, 403]),
        (Some("[203.0.113.9]"), [403, 403, 403]),
        (Some("[203.0.113.9]:80"), [403, 403, 403]),
        (Some("[::ffff:203.0.113.9"), [403, 403, 403]),
        (Some("[[::ffff:203.0.113.9]]"), [403, 403, 403]),
        (Some("unknown"), [403, 403, 403]),
        (Some("203.0.113.009"), [403, 403, 403]),
    ] {
        let mut found = [0; 3];
        for (at, host) in ["in.example.net", "out.example.net", "lan.example.net"]
            .iter()
            .enumerate()
        {
            let mut headers = owned(&[
                ("X-Forwarded-Method", "GET"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", host),
                ("X-Forwarded-Uri", "/"),
                // Nobody's word.
                ("X-Real-IP", "203.0.113.9"),
                ("Forwarded", "for=203.0.113.9"),
                ("X_Forwarded_For", "203.0.113.9"),
            ]);
            headers.extend(
                forwarded_for.map(|value| ("X-Forwarded-For".to_owned(), value.to_owned())),
            );
            found[at] = say(&client, FORWARD_AUTH, &headers).await.status;
        }
        assert_eq!(found, expected, "{forwarded_for:?}");
    }
}

#[rocket::async_test]
async fn bru_06_and_07_no_header_dodges_or_poisons_the_throttle() {
    let app = TestApp::with("throttle.address_tries = 3").await;
    let attempt = async |socket: &'static str, at: usize, header: &'static str, value: String| {
        let headers = owned(&[
            ("Host", "auth.example.com"),
            ("Origin", "https://auth.example.com"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            (header, &value),
        ]);
        let body = format!("username=user{at}&password=wrong");
        app.anonymous()
            .send_from(socket, Method::Post, "/login", &headers, &body)
            .await
            .status
    };
    // A stranger's word of its address counts for nothing; a proxy that says nothing readable counts itself.
    let mut at = 0;
    for (socket, headers) in [
        (
            "192.0.2.7:1",
            [
                "X-Real-IP",
                "X-Forwarded-For",
                "Forwarded",
                "X_Forwarded_For",
            ],
        ),
        (
            "127.0.0.1:1",
            ["X-Real-IP", "X-Real-IP", "Forwarded", "X_Forwarded_For"],
        ),
    ] {
        let mut statuses = Vec::new();
        for header in headers {
            at += 1;
            statuses.push(attempt(socket, at, header, format!("203.0.113.{at}")).await);
        }
        assert_eq!(statuses, [401, 401, 401, 429], "{socket}");
    }
    for garbage in ["a", "", "203.0.113.1, a"] {
        assert_eq!(
            attempt("127.0.0.1:1", 99, "X-Forwarded-For", garbage.to_owned()).await,
            429,
            "{garbage:?}"
        );
    }
    // Whoever the trusted proxy names is still heard.
    assert_eq!(
        attempt(
            "127.0.0.1:1",
            100,
            "X-Forwarded-For",
            "203.0.113.200".to_owned()
        )
        .await,
        401
    );
    let addresses = app
        .sql("SELECT DISTINCT address FROM audit WHERE address IS NOT NULL ORDER BY 1")
        .await;
    assert_eq!(addresses, ["127.0.0.1", "192.0.2.7", "203.0.113.200"]);
}
