//! Cookies across hosts: one sign-in, a cookie of its own for each protected host, and one-time
//! tickets between them. Each attack on the way has its test.

use std::time::Duration;

use rocket::futures::future::join_all;
use rocket::http::Method;
use vestibule::audit::Actor;
use vestibule::passwords::Password;
use vestibule::users::{self, Changes};

use crate::support::proxy::{PAGE, Person, SCRIPT, way};
use crate::support::{Answer, Client, PASSWORD, TestApp};

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

async fn tickets(app: &TestApp) -> usize {
    app.sql("SELECT hex(ticket_hash) FROM tickets").await.len()
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
    assert_eq!(tickets(&app).await, 0, "what nobody came with is put away");
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
    assert_eq!(tickets(&app).await, 1);
    assert_entered(&alice.there.open(&entrance).await, PAGE_A);
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
        assert_eq!(tickets(&app).await, 0, "{headers:?}");
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
    assert_eq!(tickets(&app).await, 1);
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
    assert_eq!(tickets(&app).await, 1);
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
    assert_eq!(stranger.status, 404);
    headers.push(owned("X-Forwarded-Host", "a.example.net"));
    headers.push(owned("X-Forwarded-Host", "b.example.net"));
    let doubled = app
        .anonymous()
        .send_from("127.0.0.1:1", Method::Get, &path, &headers, "")
        .await;
    assert_eq!(doubled.status, 404);
    assert_eq!(tickets(&app).await, 1);
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
    assert_eq!(way(&alice.here.follow(&login).await), "/account");
    assert_eq!(tickets(&app).await, 20);
    // Another session has tickets of its own; a spent one makes room; so does time.
    let mut other = app.sign_in_again("alice").await;
    assert!(way(&other.follow(&login).await).contains("ticket="));
    assert_entered(&alice.there.open(&entrances[0]).await, PAGE_A);
    assert!(way(&alice.here.follow(&login).await).contains("ticket="));
    assert_eq!(way(&alice.here.follow(&login).await), "/account");
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
    assert_eq!((form.status, tickets(&app).await), (200, 0));
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
            let set = users::set_password(&app.app, &Actor::operator(), "alice", &password).await;
            set.expect("a database").expect("a password");
        })
    }),
    ("disable", |app, _| {
        Box::pin(async {
            let done = users::disable(&app.app, &Actor::operator(), "alice").await;
            done.expect("a database").expect("a user");
        })
    }),
    ("change of rights", |app, _| {
        Box::pin(async {
            let changes = Changes {
                admin: Some(true),
                ..Changes::default()
            };
            let done = users::change(&app.app, &Actor::operator(), "alice", changes).await;
            done.expect("a database").expect("a user");
        })
    }),
    ("delete", |app, _| {
        Box::pin(async {
            let done = users::delete(&app.app, &Actor::operator(), "alice").await;
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
        assert_sent_back(&second.there.open(&entrance).await);
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
async fn a_user_who_must_choose_a_password_first_enters_no_site() {
    let (app, mut alice) = service().await;
    alice.enter(PAGE_A).await;
    let mut second = Person {
        here: alice.here.clone(),
        there: app.anonymous(),
    };
    let entrance = second.ticket(PAGE_A).await;
    app.execute("UPDATE users SET must_change_password = 1")
        .await;
    assert_eq!(alice.there.ask("GET", PAGE_A, &SCRIPT).await.status, 401);
    let back = second.there.open(&entrance).await;
    assert_sent_back(&back);
    assert_eq!(
        way(&alice.here.follow(&way(&back)).await),
        "/account/password"
    );
}

const ELSEWHERE: [&str; 32] = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "https:a.example.net/",
    "https:/a.example.net/",
    "//a.example.net/",
    "https://a.example.net.evil.example/",
    "https://a.example.net@evil.example/",
    "https://evil.example#a.example.net",
    "https://evil.example?a.example.net",
    "https://evil.example/a.example.net",
    "https://evil.example\\.example.net/",
    "https://a.example.net\\@evil.example/",
    "https://alice@a.example.net/",
    "https://alice:x@a.example.net/",
    "https://@a.example.net:443@evil.example/",
    "https://a.example.net:444/",
    "http://a.example.net/",
    "http://a.example.net:443/",
    "wss://a.example.net/",
    "javascript:alert(1)//https://a.example.net/",
    "data:text/html,https://a.example.net/",
    "%2f%2fevil.example",
    "https://a.exa\tmple.net/",
    "https://a.example.net/\r\nSet-Cookie:a=b",
    " https://a.example.net/",
    "https://aexample.net/",
    "https://badexample.net/",
    "https://example.net/",
    "https://a.b.example.net/",
    "https://a.example.net../",
];

#[rocket::async_test]
async fn red_01_and_02_no_return_address_leads_to_a_host_that_is_no_site() {
    let (app, mut alice) = service().await;
    let flow = "A".repeat(43);
    let long = format!("https://a.example.net/{}", "a".repeat(2_000));
    for rd in ELSEWHERE.iter().copied().chain([long.as_str()]) {
        let encoded: String = url::form_urlencoded::byte_serialize(rd.as_bytes()).collect();
        for query in [
            format!("rd={encoded}"),
            format!("rd={encoded}&flow={flow}"),
            format!("rd={encoded}&flow={flow}&retry=1"),
        ] {
            let answer = alice.here.get(&format!("/login?{query}")).await;
            assert_eq!(
                (answer.status, answer.header("location")),
                (303, "/account"),
                "{rd:?}"
            );
        }
        let fields = [
            ("username", "alice"),
            ("password", PASSWORD),
            ("rd", rd),
            ("flow", &flow),
        ];
        let answer = app.anonymous().post("/login", &fields).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/account"),
            "{rd:?}"
        );
        let form = app
            .anonymous()
            .get(&format!("/login?rd={encoded}&flow={flow}"))
            .await;
        assert!(
            !form.body.contains("url=") && !form.body.contains("href=\"http"),
            "{rd:?}"
        );
    }
    assert_eq!(tickets(&app).await, 0);
}

#[rocket::async_test]
async fn red_02_only_a_sign_in_leads_to_a_site() {
    let (_app, mut alice) = service().await;
    let rd = ("rd", "https://a.example.net/");
    let proven = alice
        .here
        .post("/reauthenticate", &[("password", PASSWORD), rd])
        .await;
    assert_eq!(way(&proven), "/account");
    let left = alice.here.post("/logout", &[rd]).await;
    assert_eq!(way(&left), "/login");
}

#[rocket::async_test]
async fn red_04_each_spelling_of_a_site_is_its_canonical_host_or_refused() {
    let (app, mut alice) = service().await;
    app.site("bücher.example", "signed-in", &[]).await;
    let flow = "A".repeat(43);
    for (rd, expected) in [
        ("https://A.Example.NET/x", "https://a.example.net/"),
        ("https://a.example.net:443/x", "https://a.example.net/"),
        ("https://a.example.net./x", "https://a.example.net/"),
        ("https://a%2eexample.net/x", "https://a.example.net/"),
        ("https://ａ.example.net/x", "https://a.example.net/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://BÜCHER.example/", "https://xn--bcher-kva.example/"),
        (
            "https://xn--bcher-kva.example/",
            "https://xn--bcher-kva.example/",
        ),
        ("https://bucher.example/", "/account"),
        ("HTTPS://a.example.net/x", "/account"),
    ] {
        let encoded: String = url::form_urlencoded::byte_serialize(rd.as_bytes()).collect();
        let to = way(&alice
            .here
            .get(&format!("/login?rd={encoded}&flow={flow}"))
            .await);
        let ticket = format!("{expected}.vestibule/enter?ticket=");
        assert!(to == expected || to.starts_with(&ticket), "{rd}: {to}");
    }
}

#[rocket::async_test]
async fn an_address_without_a_flow_begins_at_the_site_anew() {
    let (app, mut alice) = service().await;
    for flow in [
        "",
        "&flow=",
        "&flow=x",
        &format!("&flow={}", "*".repeat(43)),
    ] {
        let path = format!("/login?rd=https%3A%2F%2Fa.example.net%2Fpage%3Fx%3D1{flow}");
        assert_eq!(way(&alice.here.get(&path).await), PAGE_A);
    }
    assert_eq!(tickets(&app).await, 0);
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
        vestibule::forward_auth::policy::remove_site(&app.app, &Actor::operator(), site.id).await;
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
