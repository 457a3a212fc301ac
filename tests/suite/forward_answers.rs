//! What proxies are answered: who it is, where to sign in, or no.

use rocket::http::Method;
use vestibule::people::users::NewUser;
use vestibule::sessions::write_last_uses;

use crate::support::proxy::{EXT_AUTHZ, PAGE, Person, SCRIPT, way};
use crate::support::{Answer, TestApp, Wire, logged};

const SITE: &str = "https://app.example.net";
const IDENTITY: [&str; 5] = [
    "remote-user",
    "remote-name",
    "remote-email",
    "remote-groups",
    "remote-methods",
];

/// A service with a public site and one for those who are signed in.
async fn service() -> TestApp {
    let app = TestApp::start().await;
    app.site("app.example.net", "signed-in", &[]).await;
    app.site("open.example.net", "public", &[]).await;
    app
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
        ("Remote-Methods", "root"),
        ("Authorization", "Basic cm9vdDpyb290"),
    ];
    let open = "https://open.example.net/";
    let app_page = "https://app.example.net/";
    for (browser, url, expected) in [
        (&mut app.anonymous(), open, ["", "", "", "", ""]),
        (
            &mut bare.there,
            app_page,
            ["alice", "alice", "", "", "password"],
        ),
        (
            &mut full.there,
            app_page,
            [
                "bob",
                "Bob Böhm",
                "bob@example.org",
                "cooks,staff",
                "password",
            ],
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
    use vestibule::foundation::audit::Actor;
    use vestibule::people::passwords::Password;
    let app = service().await;
    let make = async |username: &str, group: &str, display_name: &str| {
        let new = NewUser {
            username: username.to_owned(),
            groups: vec![group.to_owned()],
            display_name: Some(display_name.to_owned()),
            ..NewUser::default()
        };
        let password = Password::new(crate::support::PASSWORD.to_owned());
        vestibule::people::users::create(&app.app, &Actor::operator(), new, &password)
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
        "a\u{200b}b",
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
    assert_eq!(
        values,
        ["alice", "Älice, the first; \"A\"", "", "staff", "password"]
    );
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
    let (page, home) = (format!("{SITE}/page?a=b&c=d"), format!("{SITE}/"));
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
            // What GET does not ask for leads to the beginning.
            let rd = if expected == 302 { &page } else { &home };
            assert_eq!((&query[0].1, query[1].1.as_str()), (rd, method));
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
    app.execute("INSERT INTO invalidations (key) VALUES (NULL)")
        .await;
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
    write_last_uses(&app.app).await.expect("a database");
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
        "X-Forwarded-Method",
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
