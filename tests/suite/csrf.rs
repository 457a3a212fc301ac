//! Other sites cannot act in a signed-in browser. `routes` asks each POST route for refusals; here
//! is what is let through, and what no request does.

use rocket::http::Method;

use crate::support::{ORIGIN, PASSWORD, TestApp};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

#[rocket::async_test]
async fn csr_01_a_form_of_our_own_page_is_taken() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let body = "username=alice&password=correct+horse+battery";
    for headers in [
        // Browsers of today; a person who sends a form again; a page with no Origin; plain http, and older browsers.
        vec![FORM, ("Sec-Fetch-Site", "same-origin"), ("Origin", ORIGIN)],
        vec![FORM, ("Sec-Fetch-Site", "none"), ("Origin", ORIGIN)],
        vec![FORM, ("Sec-Fetch-Site", "same-origin")],
        vec![FORM, ("Origin", ORIGIN)],
        // Where a proxy adds Referrer-Policy: no-referrer.
        vec![FORM, ("Sec-Fetch-Site", "same-origin"), ("Origin", "null")],
        // The same host by another spelling.
        vec![FORM, ("Origin", "https://auth.example.com.")],
    ] {
        let answer = app
            .anonymous()
            .send(Method::Post, "/login", &headers, body)
            .await;
        assert_eq!(answer.status, 303, "{headers:?}");
    }
}

#[rocket::async_test]
async fn csr_04_what_is_only_asked_for_changes_nothing() {
    let app = TestApp::start().await;
    let mut browser = app.admin().await;
    let before = app.dump().await;
    let known: std::collections::BTreeSet<String> = [Method::Get, Method::Post]
        .into_iter()
        .flat_map(|method| app.paths(method))
        .collect();
    for path in &known {
        for method in [Method::Get, Method::Head, Method::Options] {
            browser
                .send(method, path, &[("Accept", "text/html")], "")
                .await;
        }
    }
    assert_eq!(app.dump().await, before);
    assert_eq!(browser.session().await.status, 200);
}

#[rocket::async_test]
async fn csr_04_asking_for_the_sign_out_page_shows_a_form() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let page = browser.get("/logout").await;
    assert!(
        page.body.contains("<form") && page.body.contains("action=\"/logout\""),
        "{}",
        page.body
    );
    assert_eq!(browser.session().await.status, 200);
}

/// What is the same for everybody, or told to whoever shows a token; browsers send no cookie along to these.
const OPEN_TO_SCRIPTS: [&str; 5] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/oauth/keys",
    "/oauth/token",
    "/oauth/userinfo",
];

#[rocket::async_test]
async fn csr_07_no_other_site_may_read_an_answer() {
    let app = TestApp::start().await;
    let mut browser = app.admin().await;
    let asks = [
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "POST"),
    ];
    for path in [Method::Get, Method::Post]
        .into_iter()
        .flat_map(|method| app.paths(method))
    {
        for method in [Method::Get, Method::Head, Method::Post, Method::Options] {
            let answer = browser.send(method, &path, &asks, "").await;
            let grant = answer
                .headers
                .iter()
                .find(|(name, _)| name.starts_with("access-control-"));
            if OPEN_TO_SCRIPTS.contains(&path.as_str()) {
                // With all origins a browser sends no cookie, unless it is told to.
                assert!(
                    ["", "*"].contains(&answer.header("access-control-allow-origin")),
                    "{path}"
                );
                assert_eq!(
                    answer.header("access-control-allow-credentials"),
                    "",
                    "{path}"
                );
                continue;
            }
            assert_eq!(grant, None, "{method} {path}");
        }
    }
}

#[rocket::async_test]
async fn csr_08_another_site_cannot_sign_anyone_out() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let foreign = [
        FORM,
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    let answer = browser.send(Method::Post, "/logout", &foreign, "").await;
    assert_eq!((answer.status, answer.header("set-cookie")), (403, ""));
    assert_eq!(browser.session().await.status, 200);
}

#[rocket::async_test]
async fn csr_09_a_new_password_needs_the_old_one() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let new = "a wholly different sentence";
    let fields = [
        ("current_password", "not that password"),
        ("new_password", new),
    ];
    assert_eq!(browser.post("/account/password", &fields).await.status, 403);
    assert_eq!(app.anonymous().sign_in("alice", new).await.status, 401);
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 303);
}
