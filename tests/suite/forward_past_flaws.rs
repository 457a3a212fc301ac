//! Flaws that other sign-in services had in their forward auth, each as a test of ours.

use rocket::http::Method;

use crate::support::proxy::{AUTH_REQUEST, Person, SCRIPT, way};
use crate::support::{Answer, TestApp};

const PAGE: &str = "https://app.example.net/admin";

/// A site with a public part, and alice, who is signed in there.
async fn service() -> (TestApp, Person) {
    let app = TestApp::start().await;
    let rules = ["allow /public/* for anyone"];
    app.site("app.example.net", "signed-in", &rules).await;
    app.site("*.example.org", "public", &["deny /admin/* for anyone"])
        .await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(PAGE).await;
    (app, alice)
}

async fn status(app: &TestApp, url: &str) -> u16 {
    app.anonymous().ask("GET", url, &SCRIPT).await.status
}

fn set_no_site_cookie(answer: &Answer) -> bool {
    answer
        .all("set-cookie")
        .all(|cookie| !cookie.contains("-site="))
}

/// Authelia, CVE-2021-32637.
#[rocket::async_test]
async fn past_flaw_a_malformed_uri_was_allowed() {
    let (app, _) = service().await;
    for uri in [
        "%",
        "/public/%",
        "/public/%zz",
        "/public/%00",
        "/public/ x",
        "http://%zz",
        "\\public\\x",
    ] {
        let headers = [("X-Original-Method", "GET"), ("X-Original-URL", uri)];
        let nginx = app
            .anonymous()
            .send(Method::Get, AUTH_REQUEST, &headers, "")
            .await;
        assert_eq!(nginx.status, 403, "{uri}");
        let headers = [
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "app.example.net"),
            ("X-Forwarded-Uri", uri),
        ];
        let other = app
            .anonymous()
            .send(Method::Get, "/api/authz/forward-auth", &headers, "")
            .await;
        assert!(
            [400, 403].contains(&other.status),
            "{uri}: {}",
            other.status
        );
    }
}

/// Authelia, CVE-2026-48794.
#[rocket::async_test]
async fn past_flaw_a_host_was_compared_by_case() {
    let (app, _) = service().await;
    for host in [
        "x.example.org",
        "X.Example.ORG",
        "x.EXAMPLE.org.",
        "X.example.org:443",
    ] {
        assert_eq!(
            status(&app, &format!("https://{host}/admin/x")).await,
            403,
            "{host}"
        );
        assert_eq!(
            status(&app, &format!("https://{host}/x")).await,
            200,
            "{host}"
        );
    }
}

/// Caddy, CVE-2026-30851: the proxy copies what the answer has, and keeps the client's own otherwise.
#[rocket::async_test]
async fn past_flaw_a_client_s_header_was_kept_where_the_answer_had_none() {
    let (app, mut alice) = service().await;
    let spoofed = [
        ("Remote-Email", "root@example.net"),
        ("Remote-Groups", "admins"),
    ];
    let named = alice.there.ask("GET", PAGE, &spoofed).await;
    let nobody = app
        .anonymous()
        .ask("GET", "https://app.example.net/public/x", &spoofed)
        .await;
    for answer in [named, nobody] {
        assert_eq!(answer.status, 200);
        for name in ["remote-email", "remote-groups"] {
            assert_eq!(answer.all(name).collect::<Vec<_>>(), [""], "{name}");
        }
    }
}

/// oauth2-proxy, CVE-2025-64484; Traefik, CVE-2026-39858.
#[rocket::async_test]
async fn past_flaw_underscore_aliases_were_taken_for_identity_headers() {
    let (app, mut alice) = service().await;
    let spoofed = [
        ("Remote_User", "root"),
        ("REMOTE_USER", "root"),
        ("X_Forwarded_Host", "x.example.org"),
        ("X_Original_URL", "https://x.example.org/"),
    ];
    assert_eq!(app.anonymous().ask("GET", PAGE, &spoofed).await.status, 401);
    assert_eq!(
        alice
            .there
            .ask("GET", PAGE, &spoofed)
            .await
            .header("remote-user"),
        "alice"
    );
    let removed = alice.there.ask_as_envoy(Method::Get, PAGE, &spoofed).await;
    for alias in [
        "remote_user",
        "remote_name",
        "remote_email",
        "remote_groups",
        "remote_methods",
    ] {
        let list = removed.header("x-envoy-auth-headers-to-remove");
        assert!(list.split(',').any(|name| name == alias), "{alias}: {list}");
    }
}

/// oauth2-proxy, GHSA-5hvv-m4w4-gf6v.
#[rocket::async_test]
async fn past_flaw_a_health_check_s_user_agent_was_let_through() {
    let (app, _) = service().await;
    for agent in ["kube-probe/1.0", "GoogleHC/1.0"] {
        for url in [PAGE, "https://app.example.net/healthz"] {
            let answer = app
                .anonymous()
                .ask("GET", url, &[("User-Agent", agent)])
                .await;
            assert_eq!(answer.status, 401, "{agent} {url}");
        }
    }
}

/// oauth2-proxy, GHSA-7rh7 and GHSA-pxq7.
#[rocket::async_test]
async fn past_flaw_a_fragment_and_a_query_were_matched_by_path_rules() {
    let (app, _) = service().await;
    for uri in [
        "/admin#/public/x",
        "/admin?/public/x",
        "/admin?x=/public/",
        "/admin#/../public/x",
        "/?next=/public/x",
    ] {
        let url = format!("https://app.example.net{uri}");
        assert_eq!(status(&app, &url).await, 401, "{uri}");
        assert_eq!(
            app.anonymous()
                .ask_as_nginx("GET", &url, &SCRIPT)
                .await
                .status,
            401,
            "{uri}"
        );
    }
}

/// authentik, CVE-2026-25748.
#[rocket::async_test]
async fn past_flaw_a_malformed_cookie_was_answered_200() {
    let (app, alice) = service().await;
    let good = &alice.there.cookies["__Host-vestibule-site"];
    for value in ["", "x", "\"", "%00", &good[..42], &format!("{good}x")] {
        let cookie = format!("__Host-vestibule-site={value}");
        let answer = app
            .anonymous()
            .ask_as_nginx("GET", PAGE, &[("Cookie", &cookie)])
            .await;
        assert_eq!(answer.status, 401, "{value}");
        assert!(answer.all("remote-user").next().is_none());
    }
}

/// authentik, CVE-2024-47070.
#[rocket::async_test]
async fn past_flaw_an_unparsable_forwarded_address_widened_rights() {
    let (app, _) = service().await;
    let rules = ["allow /* for anyone from 127.0.0.0/8 from 0.0.0.0/0 from ::/0"];
    app.site("lan.example.net", "signed-in", &rules).await;
    let url = "https://lan.example.net/";
    for (address, expected) in [
        ("203.0.113.7", 200),
        ("a", 401),
        ("", 401),
        ("203.0.113.7, a", 401),
        ("127.0.0.1, x", 401),
    ] {
        let answer = app
            .anonymous()
            .ask("GET", url, &[("X-Forwarded-For", address)])
            .await;
        assert_eq!(answer.status, expected, "{address:?}");
    }
}

/// authentik, CVE-2026-41569.
#[rocket::async_test]
async fn past_flaw_a_redirect_was_checked_by_its_prefix() {
    let (_app, mut alice) = service().await;
    for host in [
        "app.example.net.evil.example",
        "app.example.net@evil.example",
        "app.example.network",
    ] {
        let path = format!("/login?rd=https%3A%2F%2F{host}%2F&flow={}", "A".repeat(43));
        assert_eq!(way(&alice.here.get(&path).await), "/account", "{host}");
    }
}

/// Zitadel, CVE-2025-46815, and others.
#[rocket::async_test]
async fn past_flaw_a_code_was_not_bound_to_its_host() {
    let (app, mut alice) = service().await;
    alice.there = app.anonymous();
    let entrance = alice.ticket(PAGE).await;
    let swapped = entrance.replace("app.example.net", "x.example.org");
    assert!(set_no_site_cookie(&alice.there.open(&swapped).await));
    assert!(
        set_no_site_cookie(&alice.there.open(&entrance).await),
        "spent by then"
    );
}

/// tinyauth, CVE-2026-32245.
#[rocket::async_test]
async fn past_flaw_a_ticket_was_used_twice() {
    let (app, mut alice) = service().await;
    alice.there = app.anonymous();
    let entrance = alice.ticket(PAGE).await;
    let mut copy = alice.there.clone();
    assert!(!set_no_site_cookie(&alice.there.open(&entrance).await));
    assert!(set_no_site_cookie(&copy.open(&entrance).await));
}

/// Vaultwarden, CVE-2026-47158; Keycloak, CVE-2026-7507.
#[rocket::async_test]
async fn past_flaw_a_ticket_was_used_by_another_browser() {
    let (app, mut alice) = service().await;
    alice.there = app.anonymous();
    let entrance = alice.ticket(PAGE).await;
    let mut victim = app.anonymous();
    victim.open(PAGE).await;
    assert!(set_no_site_cookie(&victim.open(&entrance).await));
}
