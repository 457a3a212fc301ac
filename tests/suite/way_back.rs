//! Where a browser comes to after a sign-in: where it wanted to go, or it is told why not.

use rocket::http::Method;
use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::people::users::Changes;

use crate::support::proxy::{PAGE, Person, way};
use crate::support::{Answer, Client, ORIGIN, PASSWORD, TestApp};

const SITE: &str = "https://a.example.net";
const ANOTHER: &str = "another long password";

/// A service with a wildcard over two hosts, and alice signed in.
async fn service() -> (TestApp, Person) {
    let app = TestApp::start().await;
    app.site("*.example.net", "signed-in", &[]).await;
    let alice = Person::signed_in(&app, "alice").await;
    (app, alice)
}

/// The same with alice's password known to others.
async fn service_with_a_forced_change() -> (TestApp, Person) {
    let (app, _) = service().await;
    let changes = Changes {
        must_change_password: Some(true),
        ..Changes::default()
    };
    let changed = lifecycle::change(&app.app, &Actor::operator(), "alice", changes).await;
    changed.expect("a database").expect("a user");
    let here = app.anonymous();
    let there = app.anonymous();
    (app, Person { here, there })
}

/// A page as it is read, without escapes.
fn html(page: &Answer) -> String {
    page.body
        .replace("&#x2f;", "/")
        .replace("&amp;", "&")
        .replace("&quot;", "\"")
}

/// A parameter of an address.
fn parameter(address: &str, name: &str) -> Option<String> {
    let base = url::Url::parse(ORIGIN).expect("an address");
    let url = base.join(address).expect("an address");
    let mut pairs = url.query_pairs().into_owned();
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

/// Where a page goes by itself.
fn refresh(page: &Answer) -> String {
    let html = html(page);
    let target = html.split("content=\"0;url=").nth(1);
    let target = target.unwrap_or_else(|| panic!("a refresh: {html}"));
    target.split('"').next().expect("an end").to_owned()
}

/// An address at the sign-in host, without the origin.
fn path(address: &str) -> String {
    let path = address
        .strip_prefix(ORIGIN)
        .expect("it is at the sign-in host");
    path.to_owned()
}

/// Opens a page in a frame.
async fn open_in_frame(browser: &mut Client, url: &str) -> Answer {
    let headers = [PAGE.as_slice(), &[("Sec-Fetch-Dest", "iframe")]].concat();
    match url.strip_prefix(ORIGIN) {
        Some(path) => browser.send(Method::Get, path, &headers, "").await,
        None => browser.ask("GET", url, &headers).await,
    }
}

#[rocket::async_test]
async fn after_too_many_tries_the_way_back_leads_where_one_was_going() {
    let (app, mut alice) = service().await;
    let login = path(&way(&alice.there.open(&format!("{SITE}/page?x=1")).await));
    let login = login.replace("&rm=GET", "");
    let (rd, flow) = (parameter(&login, "rd"), parameter(&login, "flow"));
    let wrong = |password: &'static str| {
        let (rd, flow) = (rd.clone().expect("rd"), flow.clone().expect("flow"));
        let mut nobody = app.anonymous().at("198.51.100.9");
        async move {
            let fields = [
                ("username", "alice"),
                ("password", password),
                ("rd", &rd),
                ("flow", &flow),
            ];
            nobody.post("/login", &fields).await
        }
    };
    for _ in 0..5 {
        assert_eq!(wrong("not that password").await.status, 401);
    }
    let throttled = wrong(PASSWORD).await;
    assert_eq!(throttled.status, 429);
    let link = format!("href=\"{login}\"");
    assert!(
        html(&throttled).contains(&link),
        "{link}: {}",
        html(&throttled)
    );
    let again = alice.here.post(
        "/reauthenticate",
        &[("password", "x"), ("rd", "/account?a=b")],
    );
    assert_eq!(again.await.status, 403);
    app.app.close().await;
    let broken = wrong(PASSWORD).await;
    assert_eq!((broken.status, broken.header("retry-after")), (503, "1"));
    assert!(html(&broken).contains(&link), "{link}: {}", html(&broken));
}

#[rocket::async_test]
async fn each_other_form_that_asks_for_a_password_keeps_its_way_back_too() {
    let (_app, mut alice) = service().await;
    for _ in 0..5 {
        alice
            .here
            .post("/reauthenticate", &[("password", "x")])
            .await;
    }
    let way = [("rd", "/account?a=b"), ("flow", "x")];
    let proof = [("password", PASSWORD), way[0]];
    let change = [
        ("current_password", PASSWORD),
        ("new_password", ANOTHER),
        way[0],
        way[1],
    ];
    for (form, fields, back) in [
        (
            "/reauthenticate",
            &proof[..],
            "/reauthenticate?rd=%2Faccount%3Fa%3Db",
        ),
        (
            "/account/password",
            &change[..],
            "/account/password?rd=%2Faccount%3Fa%3Db&flow=x",
        ),
    ] {
        let answer = alice.here.post(form, fields).await;
        assert_eq!(answer.status, 429, "{form}");
        let link = format!("href=\"{back}\"");
        assert!(html(&answer).contains(&link), "{link}: {}", html(&answer));
    }
}

#[rocket::async_test]
async fn a_forced_change_of_password_goes_on_to_the_site_and_no_ticket_is_made_before() {
    let (app, mut alice) = service_with_a_forced_change().await;
    let page = format!("{SITE}/page?x=1");
    let login = way(&alice.there.open(&page).await);
    let sent = alice.here.sign_in_on_the_way("alice", &login).await;
    let change = way(&sent);
    assert_eq!(sent.status, 303);
    assert!(change.starts_with("/account/password?"), "{change}");
    // The same for who is signed in already, and comes by a link.
    assert_eq!(way(&alice.here.follow(&login).await), change);
    assert_eq!(app.unspent_tickets().await, 0);
    let form = alice.here.get(&change).await;
    let (rd, flow) = (parameter(&change, "rd"), parameter(&change, "flow"));
    let (rd, flow) = (rd.expect("rd"), flow.expect("flow"));
    for (name, value) in [("rd", &rd), ("flow", &flow)] {
        let field = format!("name=\"{name}\" value=\"{value}\"");
        assert!(html(&form).contains(&field), "{field}: {}", html(&form));
    }
    let fields = |new| {
        [
            ("current_password", PASSWORD),
            ("new_password", new),
            ("rd", rd.as_str()),
            ("flow", flow.as_str()),
        ]
    };
    let weak = alice.here.post("/account/password", &fields("short")).await;
    assert!(weak.status == 422 && html(&weak).contains(&format!("value=\"{flow}\"")));
    let changed = alice.here.post("/account/password", &fields(ANOTHER)).await;
    let entered = alice.there.open(&refresh(&changed)).await;
    assert_eq!((entered.status, way(&entered)), (302, page.clone()));
    assert_eq!(alice.there.open(&page).await.status, 200);
}

#[rocket::async_test]
async fn a_forced_change_of_password_goes_on_to_the_page_of_this_host() {
    let (_app, mut alice) = service_with_a_forced_change().await;
    let fields = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("rd", "/account/sessions"),
    ];
    let sent = alice.here.post("/login", &fields).await;
    let change = "/account/password?rd=%2Faccount%2Fsessions";
    assert_eq!((sent.status, way(&sent).as_str()), (303, change));
    // A page that is opened before it is done leads there and back, too.
    let guarded = alice.here.get("/account/sessions").await;
    assert_eq!((guarded.status, way(&guarded).as_str()), (303, change));
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", ANOTHER),
        ("rd", "/account/sessions"),
    ];
    let changed = alice.here.post("/account/password", &fields).await;
    assert_eq!(
        (changed.status, way(&changed).as_str()),
        (303, "/account/sessions")
    );
}

#[rocket::async_test]
async fn a_form_that_nobody_was_signed_in_for_leads_back_to_its_page_and_says_so() {
    let (app, mut alice) = service().await;
    let orders = format!("{SITE}/orders?page=2");
    for (referer, expected) in [
        (orders.as_str(), orders.as_str()),
        ("https://b.example.net/orders", "https://a.example.net/"),
        ("https://a.example.net:444/orders", "https://a.example.net/"),
        ("http://a.example.net/orders", "https://a.example.net/"),
        (
            "https://a.example.net/.vestibule/enter?ticket=x",
            "https://a.example.net/",
        ),
        (
            "https://a.example.net/%2Evestibule/enter",
            "https://a.example.net/",
        ),
        (
            "https://a.example.net/x/../.vestibule/enter",
            "https://a.example.net/",
        ),
        (
            "https://a.example.net\\@evil.example/",
            "https://a.example.net/",
        ),
        ("about:blank", "https://a.example.net/"),
        ("", "https://a.example.net/"),
    ] {
        let headers = [PAGE.as_slice(), &[("Referer", referer)]].concat();
        let sent = app
            .anonymous()
            .ask("POST", &format!("{SITE}/orders/7/delete"), &headers)
            .await;
        assert_eq!(sent.status, 303);
        assert_eq!(
            parameter(&way(&sent), "rd").as_deref(),
            Some(expected),
            "{referer}"
        );
        let page = app.anonymous().follow(&way(&sent)).await;
        assert!(
            html(&page).contains("The form that you sent was not taken"),
            "{}",
            html(&page)
        );
    }
    // Whom a session is there for is told as well, and goes on by a click.
    let headers = [PAGE.as_slice(), &[("Referer", orders.as_str())]].concat();
    let sent = alice
        .there
        .ask("POST", &format!("{SITE}/orders/7/delete"), &headers)
        .await;
    let told = alice.here.follow(&way(&sent)).await;
    let html = html(&told);
    assert!(
        told.status == 200 && html.contains("The form that you sent was not taken"),
        "{html}"
    );
    assert!(!html.contains("http-equiv"), "{html}");
    assert_eq!(app.unspent_tickets().await, 0);
    let at = html.find("/login?rd=").expect("a link");
    let next = html[at..].split('"').next().expect("an end").to_owned();
    let entrance = way(&alice.here.get(&next).await);
    assert_eq!(way(&alice.there.open(&entrance).await), orders);
}

#[rocket::async_test]
async fn a_form_of_this_host_that_nobody_was_signed_in_for_leads_back_to_its_page() {
    let app = TestApp::start().await;
    for (referer, expected) in [
        (
            "https://auth.example.com/account/sessions",
            "/account/sessions",
        ),
        ("https://evil.example/account/sessions", "/"),
        ("https://auth.example.com/.vestibule/forget.svg", "/"),
        ("", "/"),
    ] {
        let headers = [
            ("Accept", "text/html"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", ORIGIN),
            ("Sec-Fetch-Site", "same-origin"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Referer", referer),
        ];
        let mut nobody = app.anonymous();
        let sent = nobody
            .send(
                Method::Post,
                "/account/sessions/revoke-others",
                &headers,
                "",
            )
            .await;
        let login = way(&sent);
        assert_eq!(
            (sent.status, parameter(&login, "rd").as_deref()),
            (303, Some(expected)),
            "{referer}"
        );
        let page = nobody.get(&login).await;
        assert!(
            page.body.contains("The form that you sent was not taken"),
            "{}",
            page.body
        );
    }
}

#[rocket::async_test]
async fn every_character_that_browsers_send_in_a_query_comes_back() {
    let (app, mut alice) = service().await;
    // All that is printable, but what browsers escape: a blank, quotes, angles, the fragment's sign.
    let sent: String = (0x21..0x7f_u8)
        .map(char::from)
        .filter(|c| !"\"'<>#".contains(*c))
        .collect();
    let query = format!("q=\\d+&all={sent}&escaped=%20%22%23%27%3C%3E%c3%A4");
    let page = format!("{SITE}/search?{query}");
    alice.enter(&page).await;
    let own = format!("/login?switch=1&{query}");
    let fields = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("rd", own.as_str()),
    ];
    let answer = app.anonymous().post("/login", &fields).await;
    assert_eq!(way(&answer), own);
}

#[rocket::async_test]
async fn a_deep_link_is_kept_as_long_as_servers_take_it() {
    let (app, mut alice) = service().await;
    let deep = format!("{SITE}/report?{}", "filter=a&".repeat(600));
    assert_eq!(deep.len(), 5_429);
    alice.enter(&deep).await;
    let sent = app.anonymous().ask_as_nginx("GET", &deep, &PAGE).await;
    assert_eq!(parameter(&way(&sent), "rd").as_deref(), Some(deep.as_str()));
    let own = format!("/account?{}", "filter=a&".repeat(600));
    let login = way(&app.anonymous().get(&own).await);
    assert_eq!(parameter(&login, "rd"), Some(own));
}

#[rocket::async_test]
async fn a_deep_link_that_is_too_long_is_said_to_be_lost() {
    const LOST: &str = "is too long to be kept";
    let (app, mut alice) = service().await;
    // Each byte takes three in the address of the sign-in page.
    let deep = format!("{SITE}/{}", "%2F".repeat(2_000));
    for sent in [
        alice.there.open(&deep).await,
        app.anonymous().ask_as_nginx("GET", &deep, &PAGE).await,
    ] {
        let login = way(&sent);
        assert_eq!(
            parameter(&login, "rd").as_deref(),
            Some("https://a.example.net/")
        );
        assert!(html(&app.anonymous().follow(&login).await).contains(LOST));
        let told = alice.here.follow(&login).await;
        assert!(
            told.status == 200 && html(&told).contains(LOST),
            "{}",
            html(&told)
        );
    }
    let mut nobody = app.anonymous();
    let login = way(&nobody
        .get(&format!("/account?{}", "%2F".repeat(2_000)))
        .await);
    assert_eq!(login, "/login?rd=%2F&cut=1");
    assert!(html(&nobody.get(&login).await).contains(LOST));
}

#[rocket::async_test]
async fn no_way_to_sign_in_is_longer_than_nginx_takes() {
    let (app, _) = service().await;
    let longest = (0..8_100).step_by(100).map(|length| {
        let url = format!("{SITE}/{}", "a".repeat(length));
        let app = &app;
        async move { way(&app.anonymous().open(&url).await).len() }
    });
    let lengths = rocket::futures::future::join_all(longest).await;
    let longest = lengths.into_iter().max().expect("one");
    assert!((7_800..=8_000).contains(&longest), "{longest}");
}

#[rocket::async_test]
async fn a_browser_on_its_way_asks_again_where_the_database_had_no_turn_for_it() {
    let (app, mut alice) = service().await;
    let page = format!("{SITE}/page");
    let entrance = alice.ticket(&page).await;
    let login = way(&alice.there.open(&page).await);
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(app.app.db.path().expect("a file"));
    let mut other = sqlx::ConnectOptions::connect(&options)
        .await
        .expect("a connection");
    let lock = sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await;
    lock.expect("a lock");
    let waits = alice.here.follow(&login).await;
    assert_eq!(waits.status, 503);
    assert!(
        html(&waits).contains("content=\"2;url=/login?"),
        "{}",
        html(&waits)
    );
    for answer in [
        alice.there.open(&entrance).await,
        alice.there.pass_on(Method::Get, &entrance).await,
    ] {
        assert_eq!((answer.status, answer.header("refresh")), (503, "2"));
        assert_eq!(answer.header("set-cookie"), "");
    }
    let unlock = sqlx::query("ROLLBACK").execute(&mut other).await;
    unlock.expect("no lock");
    assert_eq!(way(&alice.there.open(&entrance).await), page);
}

#[rocket::async_test]
async fn a_frame_that_nobody_is_signed_in_for_shows_a_way_out_of_it() {
    let (app, _) = service().await;
    let page = format!("{SITE}/page?x=1");
    let (mut here, mut there) = (app.anonymous(), app.anonymous());
    let login = way(&open_in_frame(&mut there, &page).await);
    let sent = open_in_frame(&mut here, &login).await;
    let frame = way(&sent);
    assert_eq!(sent.status, 303);
    assert!(
        frame.starts_with("https://a.example.net/.vestibule/frame?rd="),
        "{frame}"
    );
    let asked = open_in_frame(&mut there, &frame).await;
    let passed_on = there.pass_on(Method::Get, &frame).await;
    for shown in [asked, passed_on] {
        assert_eq!(shown.status, 401, "it is no leave to go on");
        let link = format!("href=\"{page}\" target=\"_top\"");
        assert!(html(&shown).contains(&link), "{}", html(&shown));
        let policy = shown.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors *") && policy.contains("default-src 'none'"),
            "{policy}"
        );
    }
    // nginx, which passes it on, has no use for a page in its own question.
    assert_eq!(there.ask_as_nginx("GET", &frame, &PAGE).await.status, 403);
}

#[rocket::async_test]
async fn a_frame_goes_in_silently_where_the_session_lives() {
    let (_app, mut alice) = service().await;
    let page = format!("{SITE}/page?x=1");
    let login = way(&open_in_frame(&mut alice.there, &page).await);
    let entrance = way(&open_in_frame(&mut alice.here, &login).await);
    let entered = open_in_frame(&mut alice.there, &entrance).await;
    assert_eq!((entered.status, way(&entered)), (302, page.clone()));
    assert_eq!(open_in_frame(&mut alice.there, &page).await.status, 200);
}

#[rocket::async_test]
async fn the_way_out_of_a_frame_leads_to_its_own_host_alone() {
    let (app, _) = service().await;
    for rd in [
        "https://evil.example/",
        "https://b.example.net/",
        "https://a.example.net/.vestibule/enter?ticket=x",
        "javascript:alert(1)",
        "//evil.example",
        "",
    ] {
        let rd: String = url::form_urlencoded::byte_serialize(rd.as_bytes()).collect();
        let frame = format!("{SITE}/.vestibule/frame?rd={rd}");
        let shown = app.anonymous().pass_on(Method::Get, &frame).await;
        assert!(
            html(&shown).contains("href=\"https://a.example.net/\" target=\"_top\""),
            "{}",
            html(&shown)
        );
    }
    let elsewhere = "https://unknown.example/.vestibule/frame?rd=";
    assert_eq!(
        app.anonymous().pass_on(Method::Get, elsewhere).await.status,
        404
    );
}

#[rocket::async_test]
async fn a_window_keeps_its_opener_on_the_way_through_the_sign_in_host_but_not_at_its_pages() {
    const POLICY: &str = "cross-origin-opener-policy";
    let (app, mut alice) = service().await;
    let sent = alice.there.open(&format!("{SITE}/")).await;
    let login = way(&sent);
    let form = app.anonymous().follow(&login).await;
    let on = alice.here.follow(&login).await;
    let entered = alice.there.open(&way(&on)).await;
    for redirect in [&sent, &on, &entered] {
        assert_eq!(redirect.header(POLICY), "unsafe-none", "{redirect:?}");
    }
    assert_eq!((form.status, form.header(POLICY)), (200, "same-origin"));
    let own = alice.here.get("/login").await;
    assert_eq!((own.status, own.header(POLICY)), (303, "same-origin"));
}
