//! One-time tickets, which carry a sign-in to a protected host. Each attack on the way has its test.

use std::time::Duration;

use rocket::futures::future::join_all;
use rocket::http::Method;
use vestibule::foundation::audit::Actor;

use crate::support::proxy::{PAGE, Person, SCRIPT, way};
use crate::support::{Answer, Client, TestApp};

const SITE: &str = "__Host-vestibule-site";
const FLOW: &str = "__Host-vestibule-flow";
const PAGE_A: &str = "https://a.example.net/page?x=1";

/// A service with a wildcard over two hosts, and alice signed in.
async fn service() -> (TestApp, Person) {
    let app = TestApp::start().await;
    app.site("*.example.net", "signed-in", &[]).await;
    let alice = Person::signed_in(&app, "alice").await;
    (app, alice)
}

/// A ticket that led to a cookie and back to the page.
fn assert_entered(answer: &Answer, page: &str) {
    assert_eq!((answer.status, way(answer).as_str()), (302, page));
    assert!(answer.header("set-cookie").starts_with(&format!("{SITE}=")));
}

/// A ticket that led back to the sign-in page instead, once.
fn assert_sent_back(answer: &Answer) {
    assert_eq!(answer.status, 302, "{answer:?}");
    let to = way(answer);
    assert!(to.starts_with("https://auth.example.com/login?rd="), "{to}");
    assert!(to.ends_with("&retry=1"), "{to}");
    assert!(answer.header("set-cookie").starts_with(&format!("{FLOW}=")));
}

#[rocket::async_test]
async fn after_the_form_a_page_of_the_sign_in_host_leads_on() {
    let (app, _) = service().await;
    let mut person = Person {
        here: app.anonymous(),
        there: app.anonymous(),
    };
    let login = way(&person.there.open(PAGE_A).await);
    assert_eq!(person.here.follow(&login).await.status, 200);
    let leave = person.here.sign_in_on_the_way("alice", &login).await;
    assert_eq!((leave.status, leave.header("location")), (200, ""));
    assert!(
        leave
            .header("content-security-policy")
            .contains("form-action 'self'")
    );
    let html = leave.body.replace("&#x2f;", "/").replace("&amp;", "&");
    let entrance = html
        .split("http-equiv=\"refresh\" content=\"0;url=")
        .nth(1)
        .expect("a refresh");
    let entrance = entrance.split('"').next().expect("an end").to_owned();
    assert_entered(&person.there.open(&entrance).await, PAGE_A);
    assert_eq!(person.there.open(PAGE_A).await.status, 200);
}

#[rocket::async_test]
async fn red_05_a_replayed_ticket_is_refused() {
    let (_app, mut alice) = service().await;
    let entrance = alice.ticket(PAGE_A).await;
    let mut thief = alice.there.clone();
    assert_entered(&alice.there.open(&entrance).await, PAGE_A);
    assert_sent_back(&thief.open(&entrance).await);
    // Who is in already goes on.
    let again = alice.there.open(&entrance).await;
    assert_eq!(
        (again.status, way(&again).as_str()),
        (302, "https://a.example.net/")
    );
    assert_eq!(again.header("set-cookie"), "");
}

#[rocket::async_test]
async fn red_05_of_many_uses_at_once_exactly_one_succeeds() {
    let (_app, mut alice) = service().await;
    for _ in 0..100 {
        let entrance = alice.ticket(PAGE_A).await;
        let mut tabs: Vec<Client> = (0..3).map(|_| alice.there.clone()).collect();
        let answers = join_all(tabs.iter_mut().map(|tab| tab.open(&entrance))).await;
        let entered = answers
            .iter()
            .filter(|answer| answer.header("set-cookie").starts_with(SITE));
        assert_eq!(entered.count(), 1, "{answers:?}");
    }
}

#[rocket::async_test]
async fn red_05_a_ticket_is_good_for_the_exact_host_alone_not_for_its_wildcard() {
    let (app, mut alice) = service().await;
    app.site("other.example.org", "signed-in", &[]).await;
    for other in ["https://b.example.net", "https://other.example.org"] {
        let entrance = alice.ticket(PAGE_A).await;
        let swapped = entrance.replace("https://a.example.net", other);
        // The same browser with the same flow, at the other host.
        let answer = alice.there.clone().open(&swapped).await;
        assert_sent_back(&answer);
        assert!(
            way(&answer).contains(
                &url::form_urlencoded::byte_serialize(format!("{other}/").as_bytes())
                    .collect::<String>()
            )
        );
        // It is spent at its own host too.
        assert_sent_back(&alice.there.open(&entrance).await);
    }
    let hosts = app.sql("SELECT host FROM site_secrets").await;
    assert!(hosts.is_empty(), "{hosts:?}");
    alice.enter(PAGE_A).await;
    assert_eq!(
        app.sql("SELECT host FROM site_secrets").await,
        ["a.example.net"]
    );
}

#[rocket::async_test]
async fn red_05_and_log_12_a_ticket_is_good_in_the_browser_that_began_alone() {
    let (app, mut alice) = service().await;
    // A foreign ticket, as in a link: the victim has a flow of its own, none, or two.
    let mut victim = app.anonymous();
    victim.open(PAGE_A).await;
    let flow = victim.cookies[FLOW].clone();
    for cookies in [format!("{FLOW}={flow}"), "a=1".to_owned()] {
        let entrance = alice.ticket(PAGE_A).await;
        let headers = [PAGE[0], PAGE[1], ("Cookie", &cookies)];
        assert_sent_back(&app.anonymous().ask("GET", &entrance, &headers).await);
        // The first presentation spent it, wrong as it was.
        assert_sent_back(&alice.there.open(&entrance).await);
    }
    let entrance = alice.ticket(PAGE_A).await;
    let own = alice.there.cookies[FLOW].clone();
    let doubled = format!("{FLOW}={own}; {FLOW}={flow}");
    let headers = [PAGE[0], PAGE[1], ("Cookie", &doubled)];
    let answer = app.anonymous().ask("GET", &entrance, &headers).await;
    let cookies: Vec<&str> = answer.all("set-cookie").collect();
    assert!(
        cookies.iter().all(|cookie| cookie.starts_with(FLOW)),
        "{cookies:?}"
    );
    assert_eq!(
        cookies[0],
        format!("{FLOW}=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0")
    );
}

#[rocket::async_test]
async fn red_05_a_ticket_is_good_for_less_than_a_minute() {
    let (app, mut alice) = service().await;
    let entrance = alice.ticket(PAGE_A).await;
    app.clock.advance(Duration::from_secs(59));
    assert_entered(&alice.there.open(&entrance).await, PAGE_A);
    for seconds in [60, 61] {
        alice.there = app.anonymous();
        let entrance = alice.ticket(PAGE_A).await;
        app.clock.advance(Duration::from_secs(seconds));
        assert_sent_back(&alice.there.open(&entrance).await);
    }
    alice.ticket(PAGE_A).await;
    app.clock.advance(Duration::from_secs(61));
    app.sweep().await;
    assert_eq!(
        app.unspent_tickets().await,
        0,
        "what nobody came with is put away"
    );
}

#[rocket::async_test]
async fn a_guessed_or_garbled_ticket_is_refused() {
    let (app, mut alice) = service().await;
    let entrance = alice.ticket(PAGE_A).await;
    let (path, ticket) = entrance.split_once("ticket=").expect("a ticket");
    for other in [
        "",
        "x",
        &"A".repeat(43),
        &ticket[1..],
        &format!("{ticket}A"),
        "%00",
        "%ff",
    ] {
        assert_sent_back(&alice.there.open(&format!("{path}ticket={other}")).await);
    }
    assert_sent_back(
        &alice
            .there
            .open("https://a.example.net/.vestibule/enter")
            .await,
    );
    assert_eq!(app.unspent_tickets().await, 1);
    assert_entered(&alice.there.open(&entrance).await, PAGE_A);
}

#[rocket::async_test]
async fn a_made_up_ticket_waits_for_no_writer() {
    let (app, mut alice) = service().await;
    let writing = app.app.db.begin().await.expect("a transaction");
    let made_up = format!(
        "https://a.example.net/.vestibule/enter?ticket={}",
        "A".repeat(43)
    );
    assert_sent_back(&alice.there.open(&made_up).await);
    drop(writing);
}

#[rocket::async_test]
async fn a_prefetch_neither_makes_a_ticket_nor_spends_one() {
    let (app, mut alice) = service().await;
    let login = way(&alice.there.open(PAGE_A).await);
    let path = login
        .strip_prefix("https://auth.example.com")
        .expect("ours")
        .to_owned();
    for headers in [
        &[PAGE[0], PAGE[1], ("Sec-Purpose", "prefetch")][..],
        &[PAGE[0], PAGE[1], ("Sec-Purpose", "prefetch;prerender")],
        &SCRIPT,
        &[("Accept", "text/html"), ("Sec-Fetch-Mode", "no-cors")],
        &[("Accept", "application/json")],
        &[("Accept", "image/avif,*/*")],
    ] {
        let answer = alice.here.send(Method::Get, &path, headers, "").await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (200, ""),
            "{headers:?}"
        );
        assert_eq!(app.unspent_tickets().await, 0, "{headers:?}");
    }
    // A browser without Sec-Fetch is told by its Accept.
    let answer = alice
        .here
        .send(Method::Get, &path, &[("Accept", "text/html")], "")
        .await;
    let entrance = way(&answer);
    let headers = [PAGE[0], PAGE[1], ("Sec-Purpose", "prefetch")];
    assert_eq!(
        alice.there.ask("GET", &entrance, &headers).await.status,
        403
    );
    assert_eq!(app.unspent_tickets().await, 1);
    assert_entered(&alice.there.open(&entrance).await, PAGE_A);
}

#[rocket::async_test]
async fn only_get_spends_a_ticket() {
    let (app, mut alice) = service().await;
    let entrance = alice.ticket(PAGE_A).await;
    let path = entrance
        .strip_prefix("https://a.example.net")
        .expect("the site")
        .to_owned();
    for method in ["HEAD", "POST", "OPTIONS", "PROPFIND"] {
        assert_eq!(
            alice.there.ask(method, &entrance, &PAGE).await.status,
            403,
            "{method}"
        );
        assert_eq!(
            alice
                .there
                .ask_as_nginx(method, &entrance, &PAGE)
                .await
                .status,
            403,
            "{method}"
        );
    }
    for method in [Method::Head, Method::Post, Method::Options] {
        assert_eq!(
            alice
                .there
                .ask_as_envoy(method, &entrance, &PAGE)
                .await
                .status,
            403,
            "{method}"
        );
        assert!(
            alice.there.pass_on(method, &entrance).await.status >= 400,
            "{method}"
        );
    }
    let form = [
        ("Host", "a.example.net"),
        PAGE[0],
        PAGE[1],
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let rewritten = alice
        .there
        .send(Method::Post, &path, &form, "_method=get")
        .await;
    assert_eq!(rewritten.status, 403);
    assert_eq!(app.unspent_tickets().await, 1);
    let entered = alice.there.pass_on(Method::Get, &entrance).await;
    assert_entered(&entered, PAGE_A);
}

#[rocket::async_test]
async fn nginx_gets_a_401_with_the_way_and_one_cookie() {
    let (_app, mut alice) = service().await;
    let entrance = alice.ticket(PAGE_A).await;
    let answer = alice.there.ask_as_nginx("GET", &entrance, &PAGE).await;
    assert_eq!((answer.status, way(&answer).as_str()), (401, PAGE_A));
    assert!(answer.header("set-cookie").starts_with(&format!("{SITE}=")));
    assert_eq!(alice.there.open(PAGE_A).await.status, 200);
}

#[rocket::async_test]
async fn our_own_paths_precede_all_rules_and_are_no_door() {
    let app = TestApp::start().await;
    let rules = ["deny /* for anyone"];
    app.site("a.example.net", "deny", &rules).await;
    app.site("open.example.net", "public", &[]).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    let login = format!(
        "/login?rd=https%3A%2F%2Fa.example.net%2F&flow={}",
        "A".repeat(43)
    );
    let entrance = way(&alice.here.get(&login).await);
    // Sent back, not shown the door: the rules are not asked.
    assert_sent_back(&alice.there.open(&entrance).await);
    for path in [
        "/.vestibule/",
        "/.vestibule/x",
        "/.vestibule/../admin",
        "/.vestibule/enter/",
        "/.vestibule/enter/../../x",
        "/.vestibule/%2e%2e/x",
    ] {
        let answer = alice
            .there
            .open(&format!("https://open.example.net{path}"))
            .await;
        assert_eq!(answer.status, 403, "{path}");
    }
}

#[rocket::async_test]
async fn enter_is_there_for_protected_hosts_behind_a_trusted_proxy_alone() {
    let (app, mut alice) = service().await;
    for host in [
        "auth.example.com",
        "example.net",
        "unknown.example",
        "a.b.example.net",
    ] {
        let answer = alice
            .there
            .pass_on(
                Method::Get,
                &format!("https://{host}/.vestibule/enter?ticket=x"),
            )
            .await;
        assert_eq!(answer.status, 404, "{host}");
    }
    let entrance = alice.ticket(PAGE_A).await;
    let path = entrance
        .strip_prefix("https://a.example.net")
        .expect("the site")
        .to_owned();
    let cookie = format!("{FLOW}={}", alice.there.cookies[FLOW]);
    let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut headers = vec![owned("Host", "a.example.net"), owned("Cookie", &cookie)];
    let stranger = app
        .anonymous()
        .send_from("192.0.2.9:1", Method::Get, &path, &headers, "")
        .await;
    assert_eq!(stranger.status, 403);
    headers.push(owned("X-Forwarded-Host", "a.example.net"));
    headers.push(owned("X-Forwarded-Host", "b.example.net"));
    let doubled = app
        .anonymous()
        .send_from("127.0.0.1:1", Method::Get, &path, &headers, "")
        .await;
    assert_eq!(doubled.status, 404);
    assert_eq!(app.unspent_tickets().await, 1);
    // And protected hosts have nothing else of ours.
    for path in [
        "/login",
        "/account",
        "/",
        "/api/session",
        "/logout",
        "/setup",
    ] {
        let answer = alice
            .there
            .pass_on(Method::Get, &format!("https://a.example.net{path}"))
            .await;
        assert_eq!(answer.status, 421, "{path}");
    }
}

#[rocket::async_test]
async fn at_most_twenty_tickets_of_a_session_are_unspent() {
    let (app, mut alice) = service().await;
    let login = way(&alice.there.open(PAGE_A).await);
    let mut entrances = Vec::new();
    for _ in 0..20 {
        entrances.push(way(&alice.here.follow(&login).await));
    }
    // One more waits, and asks again by itself.
    let waits = alice.here.follow(&login).await;
    assert_eq!((waits.status, waits.header("retry-after")), (503, "2"));
    let again = login
        .strip_prefix("https://auth.example.com")
        .expect("a path");
    let again = again.replace("&rm=GET", "");
    let html = waits.body.replace("&#x2f;", "/").replace("&amp;", "&");
    assert!(
        html.contains(&format!("content=\"2;url={again}\"")),
        "{html}"
    );
    assert_eq!(app.unspent_tickets().await, 20);
    // Another session has tickets of its own; a spent one makes room; so does time.
    let mut other = app.sign_in_again("alice").await;
    assert!(way(&other.follow(&login).await).contains("ticket="));
    assert_entered(&alice.there.open(&entrances[0]).await, PAGE_A);
    assert!(way(&alice.here.follow(&login).await).contains("ticket="));
    assert_eq!(alice.here.get(&again).await.status, 503);
    app.clock.advance(Duration::from_secs(60));
    assert!(way(&alice.here.follow(&login).await).contains("ticket="));
}

#[rocket::async_test]
async fn two_tabs_that_sign_in_at_once_both_arrive_where_they_wanted() {
    let (app, _) = service().await;
    let mut person = Person {
        here: app.anonymous(),
        there: app.anonymous(),
    };
    let pages = ["https://a.example.net/one", "https://a.example.net/two"];
    let logins = [
        way(&person.there.open(pages[0]).await),
        way(&person.there.open(pages[1]).await),
    ];
    let first = person.here.sign_in_on_the_way("alice", &logins[0]).await;
    let html = first.body.replace("&#x2f;", "/").replace("&amp;", "&");
    let at = html
        .find("https://a.example.net/.vestibule/enter")
        .expect("an entrance");
    let entrances = [
        html[at..].split('"').next().expect("an end").to_owned(),
        way(&person.here.follow(&logins[1]).await),
    ];
    for (entrance, page) in entrances.iter().zip(pages) {
        assert_entered(&person.there.open(entrance).await, page);
        assert_eq!(person.there.open(page).await.status, 200);
    }
}

#[rocket::async_test]
async fn another_account_is_offered_the_form() {
    let (app, mut alice) = service().await;
    app.user("bob").await;
    alice.enter(PAGE_A).await;
    let old = alice.there.clone();
    let login = format!("{}&switch=1", way(&app.anonymous().open(PAGE_A).await));
    let form = alice.here.follow(&login).await;
    assert_eq!((form.status, app.unspent_tickets().await), (200, 0));
    assert!(form.body.contains("name=\"password\""));
    let left = alice.here.sign_in_on_the_way("bob", &login).await;
    assert_eq!(left.status, 200);
    // Alice's session made way for bob's, and so did what hung on it.
    assert_eq!(old.clone().ask("GET", PAGE_A, &SCRIPT).await.status, 401);
    alice.there = app.anonymous();
    alice.enter(PAGE_A).await;
    assert_eq!(alice.there.open(PAGE_A).await.header("remote-user"), "bob");
}

/// What a browser that keeps none of our cookies sees, until it stays somewhere.
async fn walk_without_cookies(
    app: &TestApp,
    alice: &mut Person,
    passed_on: bool,
) -> (usize, Answer) {
    let mut answer = app.anonymous().open(PAGE_A).await;
    for hop in 0..10 {
        let to = answer.header("location").to_owned();
        if to.is_empty() {
            return (hop, answer);
        }
        answer = if to.starts_with("https://auth.example.com") {
            alice.here.follow(&to).await
        } else if passed_on {
            app.anonymous().pass_on(Method::Get, &to).await
        } else {
            app.anonymous().open(&to).await
        };
    }
    panic!("no end: {answer:?}");
}

#[rocket::async_test]
async fn blocked_cookies_are_tried_once_more_and_then_explained() {
    let (app, mut alice) = service().await;
    for passed_on in [false, true] {
        let (hops, page) = walk_without_cookies(&app, &mut alice, passed_on).await;
        assert_eq!((hops, page.status), (4, 400), "{page:?}");
        assert!(
            page.body.contains("<h1>") && page.body.contains("cookies of this site"),
            "{}",
            page.body
        );
        assert_eq!(page.header("set-cookie"), "");
    }
}

#[rocket::async_test]
async fn a_user_who_must_choose_a_password_first_enters_no_site() {
    let (app, mut alice) = service().await;
    alice.enter(PAGE_A).await;
    let mut second = Person {
        here: alice.here.clone(),
        there: app.anonymous(),
    };
    let entrance = second.ticket(PAGE_A).await;
    app.execute("UPDATE users SET must_change_password = TRUE")
        .await;
    assert_eq!(alice.there.ask("GET", PAGE_A, &SCRIPT).await.status, 401);
    let back = second.there.open(&entrance).await;
    assert_sent_back(&back);
    let next = way(&alice.here.follow(&way(&back)).await);
    assert!(next.starts_with("/account/password?rd="), "{next}");
}

#[rocket::async_test]
async fn a_ticket_for_a_site_that_was_removed_meanwhile_is_refused() {
    let app = TestApp::start().await;
    let site = app.site("a.example.net", "signed-in", &[]).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(PAGE_A).await;
    let mut second = Person {
        here: alice.here.clone(),
        there: app.anonymous(),
    };
    let entrance = second.ticket(PAGE_A).await;
    let removed =
        vestibule::sites::policy::remove_site(&app.app, &Actor::operator(), site.id).await;
    removed.expect("a database").expect("a site");
    assert_eq!(second.there.open(&entrance).await.status, 403);
    let passed_on = second.there.pass_on(Method::Get, &entrance).await;
    assert_eq!(passed_on.status, 404);
    assert_eq!(alice.there.open(PAGE_A).await.status, 403);
}

#[rocket::async_test]
async fn log_12_another_site_s_page_cannot_sign_a_browser_in() {
    let (app, _) = service().await;
    let body = "username=alice&password=correct+horse+battery&rd=https%3A%2F%2Fa.example.net%2F";
    for site in ["cross-site", "same-site"] {
        let headers = [
            PAGE[0],
            PAGE[1],
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", "https://a.example.net"),
            ("Sec-Fetch-Site", site),
        ];
        let answer = app
            .anonymous()
            .send(Method::Post, "/login", &headers, body)
            .await;
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (403, ""),
            "{site}"
        );
    }
}
