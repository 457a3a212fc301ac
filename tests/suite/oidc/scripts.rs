//! What scripts of other sites may ask, as a browser sees it.

use rocket::http::Method;

use super::{CALLBACK, VERIFIER, post, register, userinfo};
use crate::support::{Answer, TestApp};

const ORIGIN: &str = "access-control-allow-origin";

async fn preflight(app: &TestApp, path: &str) -> Answer {
    let asks = [
        ("Origin", "https://app.example.com"),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    app.anonymous().send(Method::Options, path, &asks, "").await
}

#[rocket::async_test]
async fn a_script_may_bring_its_token_and_never_a_cookie() {
    let app = TestApp::start().await;
    for path in ["/oauth/token", "/oauth/userinfo"] {
        let answer = preflight(&app, path).await;
        assert_eq!((answer.status, answer.header(ORIGIN)), (204, "*"), "{path}");
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(headers, "Authorization, Content-Type", "{path}");
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            "",
            "{path}"
        );
    }
    for path in [
        "/oauth/revoke",
        "/oauth/introspect",
        "/oauth/authorize",
        "/login",
    ] {
        assert_eq!(preflight(&app, path).await.header(ORIGIN), "", "{path}");
    }
    let refused = userinfo(&app, "x").await;
    assert_eq!(
        (refused.status, refused.header(ORIGIN)),
        (401, "*"),
        "it is told why"
    );
}

#[rocket::async_test]
async fn scripts_hear_the_token_endpoint_of_public_clients_alone() {
    let app = TestApp::start().await;
    let public = register(&app, "Page", |client| client.secret_hash = None).await;
    let secret = register(&app, "Server", |_| {}).await;
    let mut browser = app.signed_in("alice").await;
    let code = public.code(&mut browser, &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", &public.id),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    for status in [200, 400] {
        let answer = post(&app, "/oauth/token", &[], &fields).await;
        assert_eq!(
            (answer.status, answer.header(ORIGIN)),
            (status, "*"),
            "once, and again"
        );
    }
    let code = secret.code(&mut browser, &[]).await;
    let answer = secret.exchange(&app, &code).await;
    assert_eq!((answer.status, answer.header(ORIGIN)), (200, ""));
}
