//! The plan "Basic OP".

use serde_json::{Value, json};

use super::{came_back, came_back_with, modules};

/// The scopes that were granted, and the claims that userinfo told besides `sub`.
fn told(seen: &Value, scope: &str, names: &[&str]) {
    assert_eq!(seen["scope"], scope, "{seen}");
    let info = seen["info"].as_object().expect("claims");
    let mut found: Vec<&str> = info.keys().map(String::as_str).collect();
    found.retain(|name| *name != "sub");
    assert_eq!(found, names, "{seen}");
    for (name, value) in info {
        assert_eq!(&seen["claims"][name], value, "{name} in {seen}");
    }
}

fn told_of_alice(seen: &Value) {
    assert_eq!(seen["status"], 200, "{seen}");
    assert_eq!(seen["info"]["preferred_username"], "alice", "{seen}");
    assert_eq!(seen["info"]["sub"], seen["sub"], "{seen}");
}

fn auth_times(seen: &Value) -> [i64; 2] {
    assert_eq!(seen["first"]["sub"], seen["second"]["sub"], "{seen}");
    ["first", "second"].map(|which| seen[which]["auth_time"].as_i64().expect("auth_time"))
}

fn proven_once(seen: &Value) {
    let [first, second] = auth_times(seen);
    assert_eq!(first, second, "{seen}");
}

fn proven_anew(seen: &Value) {
    let [first, second] = auth_times(seen);
    assert!(second > first, "{seen}");
}

modules! { "basic":
    server "server" |seen| {
        came_back(&seen);
        assert_eq!(seen["claims"]["preferred_username"], "alice");
    }
    response_type_missing "response-type-missing" |seen| {
        came_back_with(&seen, "invalid_request");
    }
    idtoken_signature "idtoken-signature" |seen| {
        assert_eq!(seen["alg"], "RS256");
        assert!(seen["kid"].is_string(), "{seen}");
    }
    codereuse "codereuse" |seen| {
        assert_eq!(seen["again"], json!({ "error": "invalid_grant", "status": 400 }));
        assert_eq!(seen["active"], false, "what came of the code has ended");
    }
    scope_address "scope-address" |seen| { told(&seen, "openid", &[]); }
    scope_phone "scope-phone" |seen| { told(&seen, "openid", &[]); }
    scope_email "scope-email" |seen| {
        told(&seen, "openid email", &["email", "email_verified"]);
    }
    scope_profile "scope-profile" |seen| {
        told(&seen, "openid profile", &["name", "preferred_username"]);
    }
    scope_all "scope-all" |seen| {
        let all = ["email", "email_verified", "groups", "name", "preferred_username"];
        told(&seen, "openid profile email groups", &all);
    }
    ensure_other_scope_order_succeeds "ensure-other-scope-order-succeeds" |seen| {
        told(&seen, "openid email", &["email", "email_verified"]);
    }
    claims_essential "claims-essential" |seen| { came_back(&seen); }
    claims_locales "claims-locales" |seen| { came_back(&seen); }
    userinfo_get "userinfo-get" |seen| { told_of_alice(&seen); }
    userinfo_post_header "userinfo-post-header" |seen| { told_of_alice(&seen); }
    userinfo_post_body "userinfo-post-body" |seen| { told_of_alice(&seen); }
    display_page "display-page" |seen| { came_back(&seen); }
    display_popup "display-popup" |seen| { came_back(&seen); }
    ui_locales "ui-locales" |seen| { came_back(&seen); }
    login_hint "login-hint" |seen| { came_back(&seen); }
    id_token_hint "id-token-hint" |seen| { proven_once(&seen); }
    prompt_login "prompt-login" |seen| { proven_anew(&seen); }
    prompt_none_logged_in "prompt-none-logged-in" |seen| { proven_once(&seen); }
    prompt_none_not_logged_in "prompt-none-not-logged-in" |seen| {
        came_back_with(&seen, "login_required");
    }
    max_age_1 "max-age-1" |seen| { proven_anew(&seen); }
    max_age_10000 "max-age-10000" |seen| { proven_once(&seen); }
    ensure_post_request_succeeds "ensure-post-request-succeeds" |seen| { came_back(&seen); }
    ensure_registered_redirect_uri "ensure-registered-redirect-uri" |seen| {
        assert_eq!(seen["status"], 400, "{seen}");
    }
    ensure_request_object_with_redirect_uri "ensure-request-object-with-redirect-uri" |seen| {
        came_back_with(&seen, "request_not_supported");
    }
    unsigned_request_object_supported_correctly_or_rejected_as_unsupported
    "unsigned-request-object-supported-correctly-or-rejected-as-unsupported" |seen| {
        came_back_with(&seen, "request_not_supported");
    }
    request_uri_unsigned_supported_correctly_or_rejected_as_unsupported
    "request-uri-unsigned-supported-correctly-or-rejected-as-unsupported" |seen| {
        came_back_with(&seen, "request_uri_not_supported");
    }
    ensure_request_with_acr_values_succeeds "ensure-request-with-acr-values-succeeds" |seen| {
        came_back(&seen);
        assert_eq!(seen["claims"]["acr"], "urn:vestibule:one", "never one that was not reached");
    }
    ensure_request_with_unknown_parameter_succeeds
    "ensure-request-with-unknown-parameter-succeeds" |seen| { came_back(&seen); }
    ensure_request_with_valid_pkce_succeeds "ensure-request-with-valid-pkce-succeeds" |seen| {
        came_back(&seen);
    }
    ensure_request_without_nonce_succeeds_for_code_flow
    "ensure-request-without-nonce-succeeds-for-code-flow" |seen| {
        came_back(&seen);
        assert_eq!(seen["claims"]["nonce"], Value::Null, "{seen}");
    }
    refresh_token "refresh-token" |seen| {
        proven_once(&seen);
        assert_eq!(seen["stolen"]["error"], "invalid_grant", "another client's");
    }
    server_client_secret_post "server-client-secret-post" |seen| {
        assert_eq!(seen["claims"]["preferred_username"], "alice", "{seen}");
    }
}
