//! Cookies of protected hosts: each good for its host alone, each ended with its session.

use std::time::Duration;

use rocket::http::Method;
use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::people::passwords::Password;
use vestibule::people::users::Changes;

use crate::support::proxy::{PAGE, Person, SCRIPT, way};
use crate::support::{Client, PASSWORD, TestApp};

const SITE: &str = "__Host-vestibule-site";
const FLOW: &str = "__Host-vestibule-flow";
const PAGE_A: &str = "https://a.example.net/page?x=1";
const PAGE_B: &str = "https://b.example.net/";

/// A service with a wildcard over two hosts, and alice signed in.
async fn service() -> (TestApp, Person) {
    let app = TestApp::start().await;
    app.site("*.example.net", "signed-in", &[]).await;
    let alice = Person::signed_in(&app, "alice").await;
    (app, alice)
}

#[rocket::async_test]
async fn a_page_without_a_cookie_sets_a_flow_that_the_sign_in_page_knows_by_its_hash() {
    use base64::Engine as _;
    use sha2::{Digest, Sha256};
    let (app, mut alice) = service().await;
    let before = app.files();
    let sent = alice.there.open(PAGE_A).await;
    let set = sent.header("set-cookie");
    assert!(
        set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600"),
        "{set}"
    );
    let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let flow = base64
        .decode(&alice.there.cookies[FLOW])
        .expect("base64url");
    assert_eq!(flow.len(), 32);
    assert!(way(&sent).ends_with(&format!("&flow={}", base64.encode(Sha256::digest(&flow)))));
    assert_eq!(before, app.files(), "nothing is written");
    // A well-formed one is set again, so that several tabs work; anything else is replaced.
    let again = alice.there.open(PAGE_A).await;
    assert_eq!((again.header("set-cookie"), way(&again)), (set, way(&sent)));
    for bad in ["", "x", &"A".repeat(42), &"A".repeat(44), &"*".repeat(43)] {
        let cookie = format!("{FLOW}={bad}");
        let headers = [PAGE[0], PAGE[1], ("Cookie", &cookie)];
        let answer = alice.there.ask("GET", PAGE_A, &headers).await;
        let value = answer
            .header("set-cookie")
            .split(['=', ';'])
            .nth(1)
            .expect("a value")
            .to_owned();
        assert_eq!(base64.decode(&value).expect("base64url").len(), 32, "{bad}");
        assert_ne!(value, bad);
    }
}

#[rocket::async_test]
async fn one_sign_in_opens_any_number_of_hosts_each_with_a_cookie_of_its_own() {
    let (app, mut alice) = service().await;
    app.site("other.example.org", "signed-in", &[]).await;
    let mut seen = vec![alice.here.token()];
    for page in [PAGE_A, PAGE_B, "https://other.example.org/"] {
        alice.there = app.anonymous();
        alice.enter(page).await;
        let allowed = alice.there.open(page).await;
        assert_eq!(
            (allowed.status, allowed.header("remote-user")),
            (200, "alice")
        );
        seen.push(alice.there.cookies[SITE].clone());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "no secret is another's");
    let stored = app.dump().await.join("\n");
    assert!(
        seen.iter().all(|secret| !stored.contains(secret.as_str())),
        "hashes alone are stored"
    );
}

#[rocket::async_test]
async fn the_site_cookie_lives_as_long_as_the_session_and_no_longer() {
    let (app, mut alice) = service().await;
    let entrance = alice.ticket(PAGE_A).await;
    let entered = alice.there.open(&entrance).await;
    assert!(
        entered
            .header("set-cookie")
            .ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure")
    );
    let fields = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("remember", "on"),
    ];
    alice.here.post("/login", &fields).await;
    app.wait(Duration::from_secs(1_000)).await;
    alice.there = app.anonymous();
    let entrance = alice.ticket(PAGE_A).await;
    let entered = alice.there.open(&entrance).await;
    let left = app.app.settings.sessions.remember_max_lifetime.as_secs() - 1_000;
    assert!(
        entered
            .header("set-cookie")
            .ends_with(&format!("; Secure; Max-Age={left}"))
    );
}

#[rocket::async_test]
async fn a_site_cookie_is_good_at_its_host_alone() {
    let (app, mut alice) = service().await;
    app.site("other.example.org", "signed-in", &[]).await;
    alice.enter(PAGE_A).await;
    let stolen = alice.there.cookies[SITE].clone();
    let as_site = format!("{SITE}={stolen}");
    for url in [PAGE_B, "https://other.example.org/"] {
        let answer = app
            .anonymous()
            .ask("GET", url, &[("Cookie", &as_site)])
            .await;
        assert_eq!(answer.status, 401, "{url}");
    }
    for name in [SITE, "__Host-vestibule", "vestibule"] {
        let mut thief = app.anonymous();
        thief.cookies.insert(name.to_owned(), stolen.clone());
        assert_eq!(thief.session().await.status, 401, "{name}");
        let headers = PAGE;
        let page = thief.send(Method::Get, "/account", &headers, "").await;
        assert_eq!(
            (page.status, page.header("location")),
            (303, "/login?rd=%2Faccount"),
            "{name}"
        );
    }
    // Nor is the session's own cookie good at a site, under whatever name.
    for name in [SITE, "__Host-vestibule"] {
        let cookie = format!("{name}={}", alice.here.token());
        assert_eq!(
            app.anonymous()
                .ask("GET", PAGE_A, &[("Cookie", &cookie)])
                .await
                .status,
            401,
            "{name}"
        );
    }
}

#[rocket::async_test]
async fn a_cookie_planted_by_a_sibling_is_not_believed() {
    let (app, mut mallory) = service().await;
    mallory.enter(PAGE_A).await;
    let planted = mallory.there.cookies[SITE].clone();
    let mut victim = Person::signed_in(&app, "victim").await;
    victim.enter(PAGE_A).await;
    let own = victim.there.cookies[SITE].clone();
    for cookie in [
        format!("{SITE}={planted}; {SITE}={own}"),
        format!("{SITE}={own}; {SITE}={planted}"),
        format!("{SITE}={own}; {SITE}={own}"),
    ] {
        let headers = [PAGE[0], PAGE[1], ("Cookie", &cookie)];
        let answer = app.anonymous().ask("GET", PAGE_A, &headers).await;
        assert_eq!(answer.status, 302, "{cookie}");
        let cookies: Vec<&str> = answer.all("set-cookie").collect();
        assert_eq!(
            cookies[0],
            format!("{SITE}=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0")
        );
        assert!(
            cookies[1].starts_with(FLOW) && cookies.len() == 2,
            "{cookies:?}"
        );
        // nginx hands on one, and it is the one that is needed.
        let answer = app.anonymous().ask_as_nginx("GET", PAGE_A, &headers).await;
        assert!(answer.header("set-cookie").starts_with(FLOW));
    }
    // What a sibling can plant has no prefix, and is nothing over https.
    for name in [
        "vestibule-site",
        "%5F%5FHost-vestibule-site",
        "__host-vestibule-site",
        "__Secure-vestibule-site",
    ] {
        let alone = format!("{name}={planted}");
        assert_eq!(
            app.anonymous()
                .ask("GET", PAGE_A, &[("Cookie", &alone)])
                .await
                .status,
            401,
            "{name}"
        );
        let beside = format!("{alone}; {SITE}={own}");
        let answer = app
            .anonymous()
            .ask("GET", PAGE_A, &[("Cookie", &beside)])
            .await;
        assert_eq!(
            (answer.status, answer.header("remote-user")),
            (200, "victim"),
            "{name}"
        );
    }
}

#[rocket::async_test]
async fn over_plain_http_names_have_no_prefix_and_planted_ones_are_expired() {
    let lines = "public_url = \"http://auth.lan\"\ninsecure_http = true";
    let app = TestApp::with(lines).await;
    app.site("a.home.lan", "signed-in", &[]).await;
    app.user("alice").await;
    let page = "http://a.home.lan/";
    let mut there = app.anonymous();
    let sent = there.open(page).await;
    assert!(way(&sent).starts_with("http://auth.lan/login?rd=http%3A%2F%2Fa.home.lan%2F"));
    assert!(sent.header("set-cookie").starts_with("vestibule-flow="));
    assert!(!sent.header("set-cookie").contains("Secure"));
    let flow = there.cookies["vestibule-flow"].clone();
    let doubled = format!("vestibule-site=x; vestibule-site=y; vestibule-flow={flow}");
    let headers = [PAGE[0], PAGE[1], ("Cookie", &doubled)];
    let expired = ["", "; Domain=a.home.lan", "; Domain=home.lan"].map(|domain| {
        format!("vestibule-site=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{domain}")
    });
    for answer in [
        app.anonymous().ask("GET", page, &headers).await,
        app.anonymous()
            .ask(
                "GET",
                "http://a.home.lan/.vestibule/enter?ticket=x",
                &headers,
            )
            .await,
    ] {
        let cookies: Vec<&str> = answer.all("set-cookie").collect();
        assert_eq!(cookies[..3], expired);
        assert!(
            cookies[3].starts_with(&format!("vestibule-flow={flow}")),
            "{cookies:?}"
        );
    }
    let prefixed = format!("{SITE}=x; {SITE}=y");
    let headers = [PAGE[0], PAGE[1], ("Cookie", &prefixed)];
    let answer = app.anonymous().ask("GET", page, &headers).await;
    assert!(
        answer.header("set-cookie").starts_with("vestibule-flow="),
        "names of https mean nothing here"
    );
}

type Deed =
    for<'a> fn(&'a TestApp, &'a mut Client) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Whatever ends or rotates a session.
const DEEDS: [(&str, Deed); 9] = [
    ("sign-out", |_, here| {
        Box::pin(async {
            here.post("/logout", &[]).await;
        })
    }),
    ("sign in again", |_, here| {
        Box::pin(async {
            here.sign_in("alice", PASSWORD).await;
        })
    }),
    ("reauthenticate", |_, here| {
        Box::pin(async {
            here.post("/reauthenticate", &[("password", PASSWORD)])
                .await;
        })
    }),
    ("own password change", |_, here| {
        Box::pin(async {
            let fields = [
                ("current_password", PASSWORD),
                ("new_password", "another horse battery"),
            ];
            assert_eq!(here.post("/account/password", &fields).await.status, 303);
        })
    }),
    ("revoke", |app, _| {
        Box::pin(async {
            let mut phone = app.sign_in_again("alice").await;
            assert_eq!(
                phone
                    .post("/account/sessions/revoke-others", &[])
                    .await
                    .status,
                303
            );
        })
    }),
    ("password set by an operator", |app, _| {
        Box::pin(async {
            let password = Password::new("another horse battery".to_owned());
            let set =
                lifecycle::set_password(&app.app, &Actor::operator(), "alice", &password).await;
            set.expect("a database").expect("a password");
        })
    }),
    ("disable", |app, _| {
        Box::pin(async {
            let done = lifecycle::disable(&app.app, &Actor::operator(), "alice").await;
            done.expect("a database").expect("a user");
        })
    }),
    ("change of rights", |app, _| {
        Box::pin(async {
            let changes = Changes {
                admin: Some(true),
                ..Changes::default()
            };
            let done = lifecycle::change(&app.app, &Actor::operator(), "alice", changes).await;
            done.expect("a database").expect("a user");
        })
    }),
    ("delete", |app, _| {
        Box::pin(async {
            let done = lifecycle::delete(&app.app, &Actor::operator(), "alice").await;
            done.expect("a database").expect("a user");
        })
    }),
];

#[rocket::async_test]
async fn what_ends_or_rotates_a_session_ends_its_site_secrets_and_tickets_at_once() {
    for (deed, act) in DEEDS {
        let (app, mut alice) = service().await;
        alice.enter(PAGE_A).await;
        let mut second = Person {
            here: alice.here.clone(),
            there: app.anonymous(),
        };
        let entrance = second.ticket(PAGE_B).await;
        assert_eq!(alice.there.ask("GET", PAGE_A, &SCRIPT).await.status, 200);
        act(&app, &mut alice.here).await;
        assert_eq!(
            alice.there.ask("GET", PAGE_A, &SCRIPT).await.status,
            401,
            "{deed}"
        );
        let back = way(&second.there.open(&entrance).await);
        assert!(back.ends_with("&retry=1"), "{deed}: {back}");
    }
}

#[rocket::async_test]
async fn time_ends_site_secrets_with_their_session_and_use_of_a_site_keeps_it() {
    let (app, mut alice) = service().await;
    alice.enter(PAGE_A).await;
    let idle = app.app.settings.sessions.idle_timeout;
    for _ in 0..3 {
        app.wait(idle - Duration::from_secs(1)).await;
        assert_eq!(alice.there.ask("GET", PAGE_A, &SCRIPT).await.status, 200);
    }
    assert_eq!(
        alice.here.session().await.status,
        200,
        "used at the site, kept at the sign-in host"
    );
    app.wait(idle).await;
    assert_eq!(alice.there.ask("GET", PAGE_A, &SCRIPT).await.status, 401);
}

#[rocket::async_test]
async fn of_doubled_session_cookies_none_is_believed_and_a_planted_one_goes() {
    let lines = "public_url = \"http://auth.home.lan\"\ninsecure_http = true";
    let app = TestApp::with(lines).await;
    app.user("alice").await;
    let own = [
        ("Host", "auth.home.lan"),
        ("Origin", "http://auth.home.lan"),
        PAGE[0],
    ];
    let doubled = [
        own[0],
        own[1],
        own[2],
        ("Cookie", "vestibule=x; vestibule=y"),
    ];
    let planted = ["auth.home.lan", "home.lan"].map(|domain| {
        format!("vestibule=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Domain={domain}")
    });
    let page = app
        .anonymous()
        .send(Method::Get, "/account", &doubled, "")
        .await;
    let cookies: Vec<&str> = page.all("set-cookie").collect();
    assert_eq!(page.status, 303);
    assert_eq!(
        cookies[0],
        "vestibule=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
    );
    assert_eq!(cookies[1..], planted);
    // A sign-in beside them stands.
    let mut form = doubled.to_vec();
    form.push(("Content-Type", "application/x-www-form-urlencoded"));
    let body = "username=alice&password=correct+horse+battery";
    let answer = app
        .anonymous()
        .send(Method::Post, "/login", &form, body)
        .await;
    let cookies: Vec<&str> = answer.all("set-cookie").collect();
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert!(
        !cookies[0].contains("Max-Age=0") && cookies[1..] == planted,
        "{cookies:?}"
    );
}
