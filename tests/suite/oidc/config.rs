//! The plan "Config OP".

use crate::oidc::register;
use crate::support::TestApp;

#[rocket::async_test]
async fn discovery_endpoint_verification() {
    let app = TestApp::start().await;
    register(&app, "Grafana", |_| {}).await;
    let answer = app
        .anonymous()
        .get("/.well-known/openid-configuration")
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let document = answer.json();
    let other = app
        .anonymous()
        .get("/.well-known/oauth-authorization-server")
        .await;
    assert_eq!(other.json(), document);
    assert_eq!(document["issuer"], "https://auth.example.com");
    for (name, path) in [
        ("authorization_endpoint", "/oauth/authorize"),
        ("token_endpoint", "/oauth/token"),
        ("userinfo_endpoint", "/oauth/userinfo"),
        ("jwks_uri", "/oauth/keys"),
        ("end_session_endpoint", "/oauth/logout"),
    ] {
        assert_eq!(document[name], format!("https://auth.example.com{path}"));
    }
    assert_eq!(document["request_uri_parameter_supported"], false);
    assert_eq!(
        document["authorization_response_iss_parameter_supported"],
        true
    );
    assert_eq!(document["backchannel_logout_session_supported"], true);
    let keys = app.anonymous().get("/oauth/keys").await.json();
    let keys = keys["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 2);
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(key.get(private).is_none(), "{private}");
        }
    }
}

#[rocket::async_test]
async fn a_provider_that_is_switched_off_is_not_there() {
    let app = TestApp::with("oidc.enabled = false").await;
    for path in [
        "/.well-known/openid-configuration",
        "/oauth/keys",
        "/oauth/authorize",
        "/oauth/logout",
    ] {
        assert_eq!(app.anonymous().get(path).await.status, 404, "{path}");
    }
}
