//! What is explained is what happens.

use serde_json::{Map, Value, json};
use vestibule::oidc::clients::{self, Consent};
use vestibule::oidc::explain::{Explanation, USUAL_SCOPE, explain};
use vestibule::people::users::{self, NewUser};

use super::{RelyingParty, parameter, register, userinfo};
use crate::support::TestApp;

async fn explained(
    app: &TestApp,
    party: &RelyingParty,
    two: Option<bool>,
    scope: &str,
) -> Explanation {
    let client = clients::by_id(&app.app, &party.id)
        .await
        .expect("a database");
    let user = users::by_name(app.app.db.reader(), "alice").await;
    let (client, user) = (client.expect("a client"), user.expect("a database"));
    let user = user.expect("a user");
    explain(&app.app, &client, &user, two, scope)
        .await
        .expect("a database")
}

/// Without what each token has of its own.
fn lasting(claims: &Value) -> Map<String, Value> {
    let own = ["iat", "exp", "auth_time", "nonce", "at_hash", "sid"];
    let claims = claims.as_object().expect("claims").clone();
    claims
        .into_iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .collect()
}

async fn alice() -> TestApp {
    let app = TestApp::start().await;
    app.add(NewUser {
        username: "alice".to_owned(),
        email: Some("alice@example.com".to_owned()),
        groups: vec!["staff".to_owned()],
        ..NewUser::default()
    })
    .await;
    app
}

#[rocket::async_test]
async fn the_claims_are_those_that_an_application_gets() {
    let app = alice().await;
    let mut browser = app.signed_in("alice").await;
    for (name, both, scope) in [
        ("Both", true, USUAL_SCOPE),
        ("Userinfo", false, USUAL_SCOPE),
        ("Little", true, "openid groups unheard-of"),
    ] {
        let party = register(&app, name, |client| {
            client.claims_in_id_token = both;
            client.claims = vec![r#"role="writer"@staff"#.parse().expect("a rule")];
        })
        .await;
        let told = explained(&app, &party, None, scope).await;
        assert_eq!(told.decision, "enter", "{name}: {}", told.because);
        let tokens = party.tokens(&app, &mut browser, &[("scope", scope)]).await;
        assert_eq!(
            lasting(&json!(told.id_token)),
            lasting(&tokens.claims),
            "{name}"
        );
        let answer = userinfo(&app, &tokens.access).await.json();
        assert_eq!(json!(told.userinfo), answer, "{name}");
        assert_eq!(answer["role"], "writer", "by a rule");
    }
}

#[rocket::async_test]
async fn who_may_not_enter_is_told_why_and_applications_nothing() {
    let app = alice().await;
    let party = register(&app, "Grafana", |client| {
        client.groups = vec!["admins".to_owned(), "ops".to_owned()];
    })
    .await;
    let told = explained(&app, &party, None, USUAL_SCOPE).await;
    assert_eq!(told.decision, "deny");
    assert_eq!(
        told.because,
        "the application is for members of admins or ops, and the user is in staff"
    );
    assert!(told.id_token.is_empty() && told.userinfo.is_empty());
    let mut browser = app.signed_in("alice").await;
    let back = party.back(&mut browser, &[]).await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
}

#[rocket::async_test]
async fn what_comes_first_is_told() {
    let app = alice().await;
    let strict = register(&app, "Strict", |client| client.two_factors = true).await;
    let asking = register(&app, "Asking", |client| client.consent = Consent::Once).await;
    for (party, two, decision) in [
        (&strict, None, "two factors first"),
        (&strict, Some(true), "enter"),
        (&asking, None, "enter, if the user agrees"),
    ] {
        let told = explained(&app, party, two, USUAL_SCOPE).await;
        assert_eq!(told.decision, decision, "{}", told.because);
    }
    let told = explained(&app, &strict, None, USUAL_SCOPE).await;
    assert_eq!(told.id_token["acr"], "urn:vestibule:two", "once it is done");
    let told = explained(&app, &asking, None, "profile email").await;
    assert!(
        told.id_token.is_empty() && told.userinfo.is_empty(),
        "no openid"
    );
    let told = explained(&app, &strict, Some(true), "openid offline_access").await;
    assert_eq!(told.scope, "openid", "nobody allowed the rest");
    assert_eq!(told.id_token["acr"], "urn:vestibule:two");
    let told = explained(&app, &asking, None, "openid offline_access").await;
    assert_eq!(told.scope, "openid offline_access");
    app.execute("UPDATE users SET must_change_password = TRUE")
        .await;
    let told = explained(&app, &strict, Some(true), USUAL_SCOPE).await;
    assert_eq!(told.decision, "new password first");
    assert!(app.sql("SELECT scope FROM grants").await.is_empty());
}

#[rocket::async_test]
async fn the_page_says_it_to_admins_alone() {
    let app = alice().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let mut admin = app.admin().await;
    let page = |query: &str| format!("/admin/explain/application?{query}");
    let answer = admin.get(&page("client=grafana&user=alice")).await;
    assert_eq!(answer.status, 200);
    let text = answer.unescaped();
    assert!(text.contains("the application is for everyone"), "{text}");
    assert!(text.contains("alice@example.com"), "{text}");
    for (query, status) in [
        ("", 200),
        (&*format!("client={}&user=alice", party.id), 200),
        ("client=grafana&user=nobody", 422),
        ("client=nothing&user=alice", 422),
        ("client=grafana&user=alice&factor=three", 400),
    ] {
        assert_eq!(admin.get(&page(query)).await.status, status, "{query}");
    }
    let mut bob = app.signed_in("bob").await;
    assert_eq!(
        bob.get(&page("client=grafana&user=alice")).await.status,
        403
    );
}
