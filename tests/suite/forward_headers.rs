//! What proxies say and what they are answered: read once, from a trusted one, or not at all.

use rocket::http::Method;
use vestibule::users::NewUser;

use crate::support::proxy::{AUTH_REQUEST, EXT_AUTHZ, FORWARD_AUTH, PAGE, Person, SCRIPT, way};
use crate::support::{Answer, Client, TestApp, Wire, logged};

const SITE: &str = "https://app.example.net";
const IDENTITY: [&str; 4] = [
    "remote-user",
    "remote-name",
    "remote-email",
    "remote-groups",
];

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
            for (what, headers) in [("no", missing), ("two", doubled), ("an empty", empty)] {
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
        for host in ["open.example.net", "app.example.net"] {
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
        let url = format!("https://open.example.net{uri}");
        let headers = owned(&[("X-Original-Method", "GET"), ("X-Original-URL", &url)]);
        // With nothing between host and address, "%" and "page" belong to the host's name.
        let answer = say(&client, AUTH_REQUEST, &headers).await;
        assert!(
            [401, 403].contains(&answer.status),
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
    for method in ["get", "GET ", "G3T", "GET\u{7f}", "ÄB", &"A".repeat(21)] {
        let answer = client.ask(method, "https://open.example.net/", &[]).await;
        assert_eq!(answer.status, 400, "{method:?}");
    }
    for (scheme, expected) in [
        ("https", 200),
        ("wss", 200),
        ("http", 400),
        ("ws", 400),
        ("HTTPS", 400),
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
async fn a_body_over_a_socket_is_refused_and_an_unknown_method_never_allowed() {
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
            ("PROPFIND", "\r\n", "400"),
            ("REPORT", "\r\n", "400"),
            ("get", "\r\n", "400"),
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
async fn a_method_that_rocket_does_not_know_is_decided_where_a_header_names_it() {
    let app = service().await;
    let mut client = app.anonymous();
    for method in ["PROPFIND", "REPORT", "MKCOL", "TRACE", "CONNECT", "OPTIONS"] {
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
async fn fwd_03_and_04_an_allowance_says_who_it_is_from_the_session_alone() {
    let app = service().await;
    let mut bare = Person::signed_in(&app, "alice").await;
    bare.enter("https://app.example.net/").await;
    app.add(NewUser {
        username: "bob".to_owned(),
        display_name: Some("Bob Böhm".to_owned()),
        email: Some("bob@example.org".to_owned()),
        groups: vec!["staff".to_owned(), "cooks".to_owned()],
        ..NewUser::default()
    })
    .await;
    let mut full = Person::signed_in(&app, "bob").await;
    full.enter("https://app.example.net/").await;
    let spoofed = [
        ("Remote-User", "root"),
        ("Remote-Groups", "admins"),
        ("REMOTE_USER", "root"),
        ("Remote_Groups", "admins"),
        ("X-Remote-User", "root"),
        ("X-Forwarded-User", "root"),
        ("Remote-Email", "root@example.org"),
        ("Remote-Name", "Root"),
        ("Authorization", "Basic cm9vdDpyb290"),
    ];
    let open = "https://open.example.net/";
    let app_page = "https://app.example.net/";
    for (browser, url, expected) in [
        (&mut app.anonymous(), open, ["", "", "", ""]),
        (&mut bare.there, app_page, ["alice", "alice", "", ""]),
        (
            &mut full.there,
            app_page,
            ["bob", "Bob Böhm", "bob@example.org", "cooks,staff"],
        ),
    ] {
        for headers in [&[][..], &spoofed[..]] {
            for answer in [
                browser.ask("GET", url, headers).await,
                browser.ask_as_nginx("GET", url, headers).await,
                browser.ask_as_envoy(Method::Get, url, headers).await,
            ] {
                assert_eq!(answer.status, 200, "{}", answer.body);
                let values = IDENTITY.map(|name| answer.all(name).collect::<Vec<_>>());
                assert_eq!(values, expected.map(|value| vec![value]));
                assert!(!format!("{answer:?}").contains("oot"), "{answer:?}");
            }
        }
    }
    for headers in [&[][..], &spoofed[..]] {
        let answer = app.anonymous().ask("GET", app_page, headers).await;
        assert_eq!(answer.status, 401);
        assert!(
            IDENTITY
                .iter()
                .all(|name| answer.all(name).next().is_none())
        );
    }
}

#[rocket::async_test]
async fn fwd_10_no_two_users_give_the_same_header_and_none_breaks_one() {
    use vestibule::audit::Actor;
    use vestibule::passwords::Password;
    let app = service().await;
    let make = async |username: &str, group: &str, display_name: &str| {
        let new = NewUser {
            username: username.to_owned(),
            groups: vec![group.to_owned()],
            display_name: Some(display_name.to_owned()),
            ..NewUser::default()
        };
        let password = Password::new(crate::support::PASSWORD.to_owned());
        vestibule::users::create(&app.app, &Actor::operator(), new, &password)
            .await
            .expect("a database")
            .is_ok()
    };
    for name in [
        "a,b",
        "a;b",
        "a\nb",
        "a\r\nx: y",
        "ä",
        "a b",
        "",
        "a\u{200b}",
        "а",
    ] {
        assert!(!make(name, "staff", "").await, "{name:?} as a user");
        assert!(!make("alice", name, "").await, "{name:?} as a group");
    }
    for name in ["a\nb", "a\r\nRemote-User: root", "a\0", "\u{202e}b"] {
        assert!(
            !make("alice", "staff", name).await,
            "{name:?} as a display name"
        );
    }
    assert!(make("Alice", "Staff", "Älice, the first; \"A\"").await);
    assert!(
        !make("aLICE", "staff", "").await,
        "the same name in another spelling"
    );
    let mut alice = Person {
        here: app.sign_in_again("alice").await,
        there: app.anonymous(),
    };
    alice.enter("https://app.example.net/").await;
    let answer = alice.there.open("https://app.example.net/").await;
    let values = IDENTITY.map(|name| answer.header(name).to_owned());
    assert_eq!(values, ["alice", "Älice, the first; \"A\"", "", "staff"]);
}

#[rocket::async_test]
async fn an_allowance_hands_on_the_cookies_without_ours() {
    let app = service().await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter("https://app.example.net/").await;
    let ours = alice.there.cookies["__Host-vestibule-site"].clone();
    let cookie = format!(
        "a=1; __Host-vestibule-site={ours}; b=__Host-vestibule-site; \tvestibule=x ;__Host-vestibule=y; vestibule-flow=z;\
         vestibule-site=; __Host-vestibule-flow; c=\"2;3\"; vestibule-site-2=4; Vestibule=5"
    );
    let headers = [("Cookie", cookie.as_str())];
    for answer in [
        alice.there.ask("GET", &format!("{SITE}/"), &headers).await,
        alice
            .there
            .ask_as_nginx("GET", &format!("{SITE}/"), &headers)
            .await,
        alice
            .there
            .ask_as_envoy(Method::Get, &format!("{SITE}/"), &headers)
            .await,
    ] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(
            answer.header("cookie"),
            "a=1; b=__Host-vestibule-site; c=\"2; 3\"; vestibule-site-2=4; Vestibule=5"
        );
        assert!(!format!("{answer:?}").contains(&ours));
    }
    // Without any, the header is there and says so.
    let answer = app
        .anonymous()
        .ask("GET", "https://open.example.net/", &[])
        .await;
    assert_eq!(answer.all("cookie").collect::<Vec<_>>(), [""]);
    // Envoy is told which other spellings to take away.
    let answer = alice
        .there
        .ask_as_envoy(Method::Get, &format!("{SITE}/"), &[])
        .await;
    assert!(
        answer
            .header("x-envoy-auth-headers-to-remove")
            .contains("remote_user")
    );
    assert_eq!(
        alice
            .there
            .open(&format!("{SITE}/"))
            .await
            .header("x-envoy-auth-headers-to-remove"),
        ""
    );
}

#[rocket::async_test]
async fn fwd_13_a_page_is_sent_to_sign_in_and_a_script_is_told() {
    let app = service().await;
    let page = format!("{SITE}/page?a=b&c=d");
    for headers in [&PAGE[..], &[("Accept", "text/html,*/*;q=0.8")]] {
        for (method, expected) in [
            ("GET", 302),
            ("HEAD", 302),
            ("POST", 303),
            ("PROPFIND", 303),
        ] {
            let answer = app.anonymous().ask(method, &page, headers).await;
            assert_eq!(answer.status, expected, "{method} {headers:?}");
            let login = url::Url::parse(&way(&answer)).expect("an absolute address");
            assert_eq!(
                (login.host_str(), login.path()),
                (Some("auth.example.com"), "/login")
            );
            let query: Vec<(String, String)> = login.query_pairs().into_owned().collect();
            let names: Vec<&str> = query.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["rd", "rm", "flow"]);
            assert_eq!(
                (query[0].1.as_str(), query[1].1.as_str()),
                (page.as_str(), method)
            );
            assert!(
                answer
                    .header("set-cookie")
                    .starts_with("__Host-vestibule-flow=")
            );
        }
        for method in ["GET", "POST"] {
            let answer = app.anonymous().ask_as_nginx(method, &page, headers).await;
            assert_eq!(
                (answer.status, answer.header("www-authenticate")),
                (401, "Vestibule"),
                "{method}"
            );
            assert!(way(&answer).starts_with("https://auth.example.com/login?rd="));
            assert!(
                answer
                    .header("set-cookie")
                    .starts_with("__Host-vestibule-flow=")
            );
        }
        let answer = app
            .anonymous()
            .ask_as_envoy(Method::Post, &page, headers)
            .await;
        assert_eq!(answer.status, 303);
    }
    for headers in [
        &SCRIPT[..],
        &[("Accept", "text/html"), ("Sec-Fetch-Mode", "cors")],
        &[("Accept", "text/html"), ("Sec-Fetch-Mode", "no-cors")],
        &[
            ("Accept", "text/html"),
            ("Sec-Fetch-Mode", "websocket"),
            ("Upgrade", "websocket"),
        ],
        &[
            ("Accept", "text/html"),
            ("X-Requested-With", "XMLHttpRequest"),
        ],
        &[("Accept", "application/json")],
        &[],
    ] {
        for answer in [
            app.anonymous().ask("GET", &page, headers).await,
            app.anonymous().ask_as_nginx("POST", &page, headers).await,
            app.anonymous()
                .ask_as_envoy(Method::Get, &page, headers)
                .await,
        ] {
            assert_eq!(
                (answer.status, answer.header("www-authenticate")),
                (401, "Vestibule"),
                "{headers:?}"
            );
            assert_eq!(
                (answer.header("location"), answer.header("set-cookie")),
                ("", ""),
                "{headers:?}"
            );
            assert_eq!(answer.json()["error"], "unauthenticated");
        }
    }
}

#[rocket::async_test]
async fn an_address_over_2000_bytes_becomes_the_site_s_beginning() {
    let app = service().await;
    let rd = |answer: &Answer| {
        let url = url::Url::parse(&way(answer)).expect("an address");
        let mut pairs = url.query_pairs().into_owned();
        pairs
            .find(|(name, _)| name == "rd")
            .map(|(_, rd)| rd)
            .unwrap_or_default()
    };
    let fits = format!("{SITE}/{}", "a".repeat(2_000 - SITE.len() - 1));
    let long = format!("{fits}a");
    for (url, expected) in [(&fits, fits.as_str()), (&long, "https://app.example.net/")] {
        assert_eq!(rd(&app.anonymous().open(url).await), expected);
        assert_eq!(
            rd(&app.anonymous().ask_as_nginx("GET", url, &PAGE).await),
            expected
        );
    }
    // Each byte escaped, it is still within what nginx holds.
    let worst = format!("{SITE}/{}", "%2F".repeat(660));
    let answer = app.anonymous().open(&worst).await;
    assert!(way(&answer).len() < 8_192, "{}", way(&answer).len());
}

#[rocket::async_test]
async fn a_user_who_is_not_let_in_is_told_who_is_signed_in_and_offered_another() {
    let app = TestApp::start().await;
    app.site("app.example.net", "group:staff", &[]).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    let entrance = alice.ticket("https://app.example.net/x").await;
    alice.there.open(&entrance).await;
    let page = alice.there.open("https://app.example.net/x").await;
    assert_eq!(page.status, 403);
    let body = page.body.replace("&#x2f;", "/").replace("&amp;", "&");
    assert!(
        body.contains("alice") && body.contains("app.example.net"),
        "{body}"
    );
    assert!(
        body.contains("https://auth.example.com/login?rd=") && body.contains("&switch=1"),
        "{body}"
    );
    let told = alice
        .there
        .ask("GET", "https://app.example.net/x", &SCRIPT)
        .await;
    assert_eq!(
        (told.status, told.json()["error"].as_str()),
        (403, Some("forbidden"))
    );
    assert_eq!(
        alice
            .there
            .ask_as_nginx("GET", "https://app.example.net/x", &SCRIPT)
            .await
            .status,
        403
    );
}

/// Each kind of answer that the endpoints have.
async fn answers(app: &TestApp) -> Vec<(&'static str, Answer)> {
    let long = format!("{}.{}", "a".repeat(63), "example.org");
    app.site(&long, "group:staff", &[]).await;
    let url = format!("https://{long}/{}", "b".repeat(1_900));
    let mut alice = Person::signed_in(app, &"a".repeat(64)).await;
    let entrance = alice.ticket(&url).await;
    let entered = alice.there.open(&entrance).await;
    let mut nobody = app.anonymous();
    let retried = format!("https://{long}/.vestibule/enter?ticket=x&retry=1");
    vec![
        ("allowed", nobody.open("https://open.example.net/").await),
        ("sent to sign in", nobody.open(&url).await),
        (
            "sent to sign in by nginx",
            nobody.ask_as_nginx("GET", &url, &PAGE).await,
        ),
        ("told to sign in", nobody.ask("GET", &url, &SCRIPT).await),
        ("entered", entered),
        ("shown the door", alice.there.open(&url).await),
        ("told no", alice.there.ask("GET", &url, &SCRIPT).await),
        ("malformed", nobody.ask("get", &url, &PAGE).await),
        ("unknown", nobody.open("https://unknown.example/").await),
        (
            "not here",
            nobody.open(&format!("https://{long}/.vestibule/x")).await,
        ),
        (
            "sent back",
            nobody
                .open(&format!("https://{long}/.vestibule/enter"))
                .await,
        ),
        ("refused", nobody.open(&retried).await),
        (
            "refused by nginx",
            nobody.ask_as_nginx("GET", &retried, &PAGE).await,
        ),
    ]
}

#[rocket::async_test]
async fn fwd_11_no_answer_is_cached_and_each_header_is_there_once() {
    let app = service().await;
    for (what, answer) in answers(&app).await {
        assert_eq!(answer.header("cache-control"), "no-store", "{what}");
        assert!(answer.header("vary").contains("Cookie"), "{what}");
        for (name, _) in &answer.headers {
            assert_eq!(answer.all(name).count(), 1, "{what}: {name}");
        }
    }
}

#[rocket::async_test]
async fn no_denial_is_larger_than_traefik_hands_on() {
    let app = service().await;
    for (what, answer) in answers(&app).await {
        assert!(answer.body.len() < 4_096, "{what}: {}", answer.body.len());
        let headers: usize = answer
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        assert!(headers < 8_192, "{what}: {headers}");
    }
}

#[rocket::async_test]
async fn fwd_01_without_a_live_session_nothing_is_allowed() {
    let app = service().await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter("https://app.example.net/").await;
    let secret = alice.there.cookies["__Host-vestibule-site"].clone();
    let url = format!("{SITE}/");
    assert_eq!(alice.there.open(&url).await.status, 200);
    app.execute("ALTER TABLE site_secrets RENAME TO gone").await;
    for answer in [
        alice.there.open(&url).await,
        alice.there.ask_as_nginx("GET", &url, &PAGE).await,
        alice.there.ask_as_envoy(Method::Get, &url, &PAGE).await,
    ] {
        assert!(answer.status >= 500, "{}", answer.status);
        assert!(
            IDENTITY
                .iter()
                .all(|name| answer.all(name).next().is_none())
        );
    }
    app.execute("ALTER TABLE gone RENAME TO site_secrets").await;
    assert_eq!(alice.there.open(&url).await.status, 200);
    // Rules that cannot be read let nobody in, not even where all was public.
    app.execute("UPDATE sites SET fallback = 'all'").await;
    app.execute("UPDATE policy SET version = version + 1").await;
    let unreadable = app.anonymous().open("https://open.example.net/").await;
    assert!(unreadable.status >= 500, "{}", unreadable.status);
    app.execute("UPDATE sites SET fallback = 'signed-in'").await;
    assert_eq!(alice.there.open(&url).await.status, 200);
    app.wait(app.app.settings.sessions.idle_timeout).await;
    let cookie = format!("__Host-vestibule-site={secret}");
    let late = app
        .anonymous()
        .ask("GET", &url, &[("Cookie", &cookie)])
        .await;
    assert_eq!(late.status, 401);
}

#[rocket::async_test]
async fn fwd_02_a_malformed_cookie_is_nobodys() {
    let app = service().await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter("https://app.example.net/").await;
    let good = alice.there.cookies["__Host-vestibule-site"].clone();
    let master = alice.here.token();
    let flipped: String = good
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    let name = "__Host-vestibule-site";
    let mut cookies: Vec<String> = [
        "",
        "x",
        "%00",
        "\"",
        "!!!!",
        &"a".repeat(8_192),
        &good[..42],
        &format!("{good}A"),
        &format!("{good}="),
        &flipped,
        &format!("\"{good}\""),
        &format!("%{:02x}{}", good.as_bytes()[0], &good[1..]),
        &master,
    ]
    .iter()
    .map(|value| format!("{name}={value}"))
    .collect();
    cookies.extend([
        format!("{name}={good}; {name}={good}"),
        format!("{name}={good}; {name}="),
        format!("vestibule-site={good}"),
        format!("__Host-vestibule={good}"),
        format!("__Host-vestibule={master}"),
        format!("__host-vestibule-site={good}"),
        format!("%5F%5FHost-vestibule-site={good}"),
        format!("\u{2000}{name}={good}"),
        format!("{name}\u{a0}={good}"),
        name.to_owned(),
    ]);
    for cookie in &cookies {
        let headers = [("Cookie", cookie.as_str())];
        for answer in [
            app.anonymous()
                .ask("GET", &format!("{SITE}/"), &headers)
                .await,
            app.anonymous()
                .ask_as_nginx("GET", &format!("{SITE}/"), &headers)
                .await,
            app.anonymous()
                .ask_as_envoy(Method::Get, &format!("{SITE}/"), &headers)
                .await,
        ] {
            assert_eq!(answer.status, 401, "{cookie:?}");
        }
    }
    let two = [("Cookie", "a=1"), ("Cookie", &format!("{name}={good}"))];
    assert_eq!(
        app.anonymous()
            .ask("GET", &format!("{SITE}/"), &two)
            .await
            .status,
        200,
        "in the second header"
    );
    let wire = Wire::of(&app).await;
    let mut request = format!("GET {EXT_AUTHZ}/ HTTP/1.1\r\nHost: app.example.net\r\nX-Forwarded-Proto: https\r\nConnection: close\r\nCookie: {name}=").into_bytes();
    request.extend(b"\xff\xfe\r\n\r\n");
    assert!(wire.exchange(&request).await.starts_with("HTTP/1.1 401"));
}

#[rocket::async_test]
async fn a_denial_writes_nothing_to_the_database() {
    let app = service().await;
    app.site("shut.example.net", "deny", &[]).await;
    let mut nobody = app.anonymous();
    nobody.open("https://app.example.net/").await;
    let before = app.files();
    for url in [
        "https://app.example.net/",
        "https://shut.example.net/",
        "https://unknown.example/",
        "https://app.example.net/%00",
    ] {
        for headers in [&PAGE[..], &SCRIPT[..]] {
            for answer in [
                nobody.ask("POST", url, headers).await,
                nobody.ask_as_nginx("GET", url, headers).await,
                nobody.ask_as_envoy(Method::Get, url, headers).await,
            ] {
                assert!(answer.status >= 300, "{url}");
            }
        }
    }
    app.app.last_seen.write(&app.app).await.expect("a database");
    assert_eq!(before, app.files());
}

#[rocket::async_test]
async fn a_denial_is_logged_and_a_flood_of_them_is_not() {
    let app = service().await;
    app.site("shut.example.net", "deny", &[]).await;
    let mut nobody = app.anonymous();
    let (_, log) = logged(async {
        for url in ["https://shut.example.net/x", "https://unknown.example/"] {
            nobody.open(url).await;
        }
        nobody.ask("get", "https://shut.example.net/", &[]).await;
    })
    .await;
    for text in [
        "host=shut.example.net",
        "host=unknown.example",
        "what=\"the method\"",
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
    let (_, log) = logged(async {
        for _ in 0..200 {
            nobody.open("https://unknown.example/").await;
        }
    })
    .await;
    assert_eq!(log.matches("denied").count(), 57, "sixty a minute: {log}");
    app.wait(std::time::Duration::from_secs(60)).await;
    let (_, log) = logged(nobody.open("https://unknown.example/")).await;
    assert!(log.contains("left_out=143"), "{log}");
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
        (Some("203.0.113.9:1234"), [403, 403, 403]),
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
