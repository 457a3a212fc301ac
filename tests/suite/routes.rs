//! What holds of every route, the ones that are added later too: the tests walk the launched rocket.

use rocket::http::Method;

use crate::support::{Client, ORIGIN, TestApp, is_for_applications, is_for_proxies};

/// Asked by load balancers under any name; they say nothing and change nothing.
/// With what they answer there; metrics are off.
const UNDER_ANY_NAME: [(&str, u16); 3] = [("/healthz", 200), ("/readyz", 200), ("/metrics", 404)];

const FORM: &str = "application/x-www-form-urlencoded";

fn under_any_name(path: &str) -> Option<u16> {
    let found = UNDER_ANY_NAME.iter().find(|(own, _)| *own == path);
    found.map(|(_, status)| *status)
}

/// A form as a page of ours sends it, but for these headers.
async fn post(browser: &mut Client, path: &str, but: &[(&str, &str)], body: &str) -> u16 {
    let usual = [
        ("Content-Type", FORM),
        ("Origin", ORIGIN),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let mut headers: Vec<(&str, &str)> = usual
        .into_iter()
        .filter(|(name, _)| but.iter().all(|(other, _)| other != name))
        .collect();
    headers.extend(but.iter().filter(|(_, value)| !value.is_empty()));
    browser
        .send(Method::Post, path, &headers, body)
        .await
        .status
}

/// A service, its admin's browser, and what the database said at first.
struct Walk {
    app: TestApp,
    browser: Client,
    before: Vec<String>,
}

impl Walk {
    async fn begin() -> Self {
        let app = TestApp::start().await;
        let browser = app.admin().await;
        let before = app.dump().await;
        Self {
            app,
            browser,
            before,
        }
    }

    /// Each POST route refuses what differs from a form of ours like this, and changes nothing.
    async fn each_refuses(&mut self, but: &[(&str, &str)], body: &str, expected: &[u16]) {
        let mut paths = self.app.paths(Method::Post);
        paths.retain(|path| !is_for_applications(path));
        assert!(paths.contains(&"/logout".to_owned()), "{paths:?}");
        for path in paths {
            let status = post(&mut self.browser, &path, but, body).await;
            // The one form with a file takes no other kind, and of its own none without the file.
            let is_no_file = path.ends_with("/icon")
                && matches!((status, expected), (415 | 422, [403, 404] | [413] | [415]));
            assert!(
                is_no_file || expected.contains(&status),
                "{path} with {but:?} and {body:.30}: {status}"
            );
        }
        assert_eq!(self.app.dump().await, self.before);
        assert_eq!(self.browser.session().await.status, 200);
    }
}

#[rocket::async_test]
async fn there_are_get_and_post_routes_only_but_for_what_browsers_ask_for_scripts() {
    let app = TestApp::start().await;
    let routes = app.local.rocket().routes();
    let others: Vec<String> = routes
        .filter(|route| {
            ![Method::Get, Method::Post].contains(&route.method)
                && !is_for_proxies(route.uri.path())
        })
        .map(ToString::to_string)
        .collect();
    let preflights = [
        "(token_preflight) OPTIONS /oauth/token",
        "(userinfo_preflight) OPTIONS /oauth/userinfo",
    ];
    assert_eq!(others, preflights);
}

#[rocket::async_test]
async fn each_route_refuses_another_host() {
    let app = TestApp::start().await;
    let mut browser = app.admin().await;
    for host in [
        "evil.example",
        "auth.example.com.evil.example",
        "auth.example.com:444",
        "auth.example.com..",
        "auth.example.com.:444",
        ".auth.example.com",
        "example.com",
    ] {
        for path in app.paths(Method::Get) {
            let answer = browser
                .send(Method::Get, &path, &[("Host", host)], "")
                .await;
            let expected = under_any_name(&path).unwrap_or(421);
            assert_eq!(answer.status, expected, "{path} of {host}");
        }
        for path in app.paths(Method::Post) {
            assert_eq!(
                post(&mut browser, &path, &[("Host", host)], "").await,
                421,
                "{path} of {host}"
            );
        }
    }
}

#[rocket::async_test]
async fn csr_01_each_form_from_another_site_is_refused() {
    let mut walk = Walk::begin().await;
    for site in [
        "cross-site",
        "same-site",
        "none",
        "",
        "Same-Origin",
        "same-origin, same-origin",
    ] {
        walk.each_refuses(&[("Sec-Fetch-Site", site), ("Origin", "")], "", &[403])
            .await;
    }
    for site in ["cross-site", "same-site"] {
        walk.each_refuses(&[("Sec-Fetch-Site", site)], "", &[403])
            .await;
    }
    for site in ["cross-site", "same-site", "none"] {
        let hidden = [("Sec-Fetch-Site", site), ("Origin", "null")];
        walk.each_refuses(&hidden, "", &[403]).await;
    }
    let twice = [
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    walk.each_refuses(&twice, "", &[403]).await;
}

#[rocket::async_test]
async fn csr_02_each_form_without_fetch_metadata_needs_our_origin() {
    let mut walk = Walk::begin().await;
    for origin in [
        "",
        "null",
        "https://evil.example",
        "https://auth.example.com.evil.example",
        "https://evil.example/https://auth.example.com",
        "http://auth.example.com",
        "https://auth.example.com:444",
        "https://auth.example.com:80",
        "https://auth.example.com/",
        "https://auth.example.com@evil.example",
        "https://sub.auth.example.com",
        "https://auth.example.com https://evil.example",
    ] {
        walk.each_refuses(&[("Sec-Fetch-Site", ""), ("Origin", origin)], "", &[403])
            .await;
    }
    let twice = [
        ("Sec-Fetch-Site", ""),
        ("Origin", ORIGIN),
        ("Origin", "https://evil.example"),
    ];
    walk.each_refuses(&twice, "", &[403]).await;
    // A Referer is no Origin.
    let referer = [
        ("Sec-Fetch-Site", ""),
        ("Origin", ""),
        ("Referer", "https://auth.example.com/login"),
    ];
    walk.each_refuses(&referer, "", &[403]).await;
}

#[rocket::async_test]
async fn csr_05_no_form_chooses_another_method() {
    let mut walk = Walk::begin().await;
    for method in [
        "put", "delete", "patch", "get", "head", "options", "trace", "x", "GET",
    ] {
        for rest in ["", "&username=admin&password=correct+horse+battery"] {
            walk.each_refuses(&[], &format!("_method={method}{rest}"), &[403, 404])
                .await;
        }
    }
}

#[rocket::async_test]
async fn csr_05_a_get_that_carries_a_form_is_refused() {
    let app = TestApp::start().await;
    let mut browser = app.admin().await;
    for method in [Method::Get, Method::Head] {
        for path in app.paths(Method::Get) {
            let answer = browser
                .send(method, &path, &[("Content-Type", FORM)], "a=b")
                .await;
            let expected = under_any_name(&path).unwrap_or(403);
            assert_eq!(answer.status, expected, "{path}");
        }
    }
    let json = [("Content-Type", "application/json")];
    let answer = browser.send(Method::Get, "/api/session", &json, "").await;
    assert_eq!(
        answer.status, 200,
        "many programs name a type with each request"
    );
}

#[rocket::async_test]
async fn csr_06_each_form_is_urlencoded() {
    let mut walk = Walk::begin().await;
    for kind in [
        "",
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded-not",
        "text/plain; application/x-www-form-urlencoded",
    ] {
        walk.each_refuses(&[("Content-Type", kind)], "username=a&password=b", &[415])
            .await;
    }
}

#[rocket::async_test]
async fn each_form_has_a_size() {
    let mut walk = Walk::begin().await;
    let body = format!("username={}", "a".repeat(17 * 1_024));
    walk.each_refuses(&[], &body, &[413]).await;
}

#[rocket::async_test]
async fn password_managers_find_where_a_password_is_changed() {
    let app = TestApp::start().await;
    let answer = app.anonymous().get("/.well-known/change-password").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account/password")
    );
}
