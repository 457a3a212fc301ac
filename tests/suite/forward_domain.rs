//! `sites.cookie_domain`: one more cookie for all hosts under a domain, for scripts alone.

use rocket::http::Method;

use crate::support::proxy::{PAGE, Person, SCRIPT, way};
use crate::support::{PASSWORD, TestApp, refused_settings};

const SHARED: &str = "__Secure-vestibule-domain";
const PAGE_A: &str = "https://a.example.com/";
const PAGE_B: &str = "https://b.example.com/data";

/// Sites under the shared domain and one elsewhere; alice has opened the first.
async fn service() -> (TestApp, Person) {
    let app = TestApp::with("sites.cookie_domain = \"example.com\"").await;
    for host in ["*.example.com", "example.com", "app.example.net"] {
        app.site(host, "signed-in", &[]).await;
    }
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(PAGE_A).await;
    (app, alice)
}

async fn ask(app: &TestApp, url: &str, cookie: &str, headers: &[(&str, &str)]) -> u16 {
    let mut all = vec![("Cookie", cookie)];
    all.extend(headers);
    app.anonymous().ask("GET", url, &all).await.status
}

#[rocket::async_test]
async fn it_is_off_by_default() {
    let app = TestApp::start().await;
    app.site("*.example.com", "signed-in", &[]).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(PAGE_A).await;
    let names: Vec<&String> = alice.here.cookies.keys().collect();
    assert_eq!(names, ["__Host-vestibule"]);
    assert!(!alice.there.cookies.contains_key(SHARED));
}

#[rocket::async_test]
async fn a_script_may_call_a_sibling_that_was_never_opened() {
    let (app, alice) = service().await;
    let shared = format!("{SHARED}={}", alice.here.cookies[SHARED]);
    for url in [PAGE_B, "https://deep.example.com/"] {
        assert_eq!(ask(&app, url, &shared, &SCRIPT).await, 200, "{url}");
    }
    let mut script = app.anonymous();
    let headers = [SCRIPT[0], SCRIPT[1], ("Cookie", &shared)];
    for answer in [
        script.ask_as_nginx("POST", PAGE_B, &headers).await,
        script.ask_as_envoy(Method::Get, PAGE_B, &headers).await,
    ] {
        assert_eq!(
            (answer.status, answer.header("remote-user")),
            (200, "alice")
        );
        assert_eq!(
            answer.header("cookie"),
            "",
            "the application does not see it"
        );
    }
}

#[rocket::async_test]
async fn it_is_set_by_the_sign_in_host_on_the_way_to_a_host_under_the_domain() {
    let (app, mut alice) = service().await;
    let login = way(&app.anonymous().open(PAGE_B).await);
    let minted = alice.here.follow(&login).await;
    let set = minted.header("set-cookie");
    assert!(set.starts_with(&format!("{SHARED}=")), "{set}");
    assert!(
        set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure; Domain=example.com"),
        "{set}"
    );
    let left = app.anonymous().sign_in_on_the_way("alice", &login).await;
    let names: Vec<&str> = left
        .all("set-cookie")
        .filter_map(|set| set.split('=').next())
        .collect();
    assert_eq!(names, [SHARED, "__Host-vestibule"]);
    // Not on the way elsewhere, nor to the domain itself, nor without a site to go to.
    for page in ["https://app.example.net/", "https://example.com/"] {
        let login = way(&app.anonymous().open(page).await);
        assert_eq!(
            alice.here.follow(&login).await.header("set-cookie"),
            "",
            "{page}"
        );
    }
    assert!(
        !app.sign_in_again("alice")
            .await
            .cookies
            .contains_key(SHARED)
    );
}

#[rocket::async_test]
async fn it_counts_for_no_navigation_and_beside_no_site_cookie() {
    let (app, alice) = service().await;
    let shared = format!("{SHARED}={}", alice.here.cookies[SHARED]);
    for headers in [
        &PAGE[..],
        &[PAGE[0], PAGE[1], ("Sec-Purpose", "prefetch")],
        &[("Accept", "text/html")],
    ] {
        let status = ask(&app, PAGE_B, &shared, headers).await;
        assert!([302, 401].contains(&status), "{headers:?}: {status}");
    }
    let own = &alice.there.cookies["__Host-vestibule-site"];
    for site in ["", "x", own] {
        let both = format!("{shared}; __Host-vestibule-site={site}");
        assert_eq!(ask(&app, PAGE_B, &both, &SCRIPT).await, 401, "{site}");
    }
}

#[rocket::async_test]
async fn it_is_its_own_secret_good_for_hosts_under_the_domain_and_nothing_else() {
    let (app, mut alice) = service().await;
    let secret = alice.here.cookies[SHARED].clone();
    let shared = format!("{SHARED}={secret}");
    for url in ["https://app.example.net/", "https://example.com/"] {
        assert_eq!(ask(&app, url, &shared, &SCRIPT).await, 401, "{url}");
    }
    for name in [
        "__Host-vestibule-site",
        "vestibule-domain",
        "__Host-vestibule",
    ] {
        assert_eq!(
            ask(&app, PAGE_B, &format!("{name}={secret}"), &SCRIPT).await,
            401,
            "{name}"
        );
    }
    for name in ["__Host-vestibule", SHARED] {
        let mut thief = app.anonymous();
        thief.cookies.insert(name.to_owned(), secret.clone());
        assert_eq!(thief.session().await.status, 401, "{name}");
    }
    // A site's own secret is no shared one, and the session's is neither.
    for other in [
        &alice.there.cookies["__Host-vestibule-site"],
        &alice.here.token(),
    ] {
        assert_eq!(
            ask(&app, PAGE_A, &format!("{SHARED}={other}"), &SCRIPT).await,
            401
        );
    }
    // Of doubled ones none is believed.
    assert_eq!(
        ask(&app, PAGE_B, &format!("{shared}; {shared}"), &SCRIPT).await,
        401
    );
    // It enters nowhere.
    let entrance = alice.ticket(PAGE_B).await;
    let headers = [PAGE[0], PAGE[1], ("Cookie", &shared)];
    let refused = app.anonymous().ask("GET", &entrance, &headers).await;
    assert!(way(&refused).ends_with("&retry=1"));
}

#[rocket::async_test]
async fn it_ends_with_the_session_and_with_its_rotation() {
    let (app, mut alice) = service().await;
    let shared = format!("{SHARED}={}", alice.here.cookies[SHARED]);
    alice
        .here
        .post("/reauthenticate", &[("password", PASSWORD)])
        .await;
    assert_eq!(ask(&app, PAGE_B, &shared, &SCRIPT).await, 401);
    alice.there = app.anonymous();
    alice.enter(PAGE_A).await;
    let shared = format!("{SHARED}={}", alice.here.cookies[SHARED]);
    assert_eq!(ask(&app, PAGE_B, &shared, &SCRIPT).await, 200);
    alice.here.post("/logout", &[]).await;
    assert_eq!(ask(&app, PAGE_B, &shared, &SCRIPT).await, 401);
    assert!(alice.here.cookies.is_empty(), "{:?}", alice.here.cookies);
}

#[rocket::async_test]
async fn it_is_nothing_once_the_setting_is_gone() {
    let (app, alice) = service().await;
    let shared = format!("{SHARED}={}", alice.here.cookies[SHARED]);
    let app = app.restarted_with("").await;
    assert_eq!(ask(&app, PAGE_B, &shared, &SCRIPT).await, 401);
}

#[test]
fn a_domain_that_does_not_fit_is_refused_at_the_start() {
    for (lines, why) in [
        ("sites.cookie_domain = \"com\"", "is not a domain"),
        ("sites.cookie_domain = \"\"", "is not a domain"),
        ("sites.cookie_domain = \".example.com\"", "is not a domain"),
        ("sites.cookie_domain = \"example.com.\"", "is not a domain"),
        ("sites.cookie_domain = \"Example.com\"", "is not a domain"),
        (
            "sites.cookie_domain = \"example.com:443\"",
            "is not a domain",
        ),
        (
            "sites.cookie_domain = \"https://example.com\"",
            "is not a domain",
        ),
        ("sites.cookie_domain = \"192.0.2.1\"", "is not a domain"),
        (
            "sites.cookie_domain = \"example.net\"",
            "must be a domain that the host of public_url is under",
        ),
        (
            "sites.cookie_domain = \"auth.example.com\"",
            "must be a domain that the host of public_url is under",
        ),
        (
            "sites.cookie_domain = \"ample.com\"",
            "must be a domain that the host of public_url is under",
        ),
        (
            "public_url = \"https://auth.co.uk\"\nsites.cookie_domain = \"co.uk\"",
            "is a public suffix",
        ),
        (
            "public_url = \"https://auth.github.io\"\nsites.cookie_domain = \"github.io\"",
            "is a public suffix",
        ),
        (
            "public_url = \"http://auth.home.lan\"\ninsecure_http = true\nsites.cookie_domain = \"home.lan\"",
            "needs an https public_url",
        ),
    ] {
        let told = refused_settings(lines);
        assert!(
            told.starts_with("sites.cookie_domain: ") && told.contains(why),
            "{lines}: {told}"
        );
    }
}
