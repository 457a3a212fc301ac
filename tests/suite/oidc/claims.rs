//! Claim rules: what applications are told beside the claims of the scopes.

use serde_json::{Value, json};
use vestibule::foundation::audit::Actor;
use vestibule::oidc::clients;
use vestibule::people::users::NewUser;

use super::{RelyingParty, register, userinfo};
use crate::support::TestApp;

fn rules(texts: &[&str]) -> Vec<vestibule::oidc::claim_rules::ClaimRule> {
    texts
        .iter()
        .map(|text| text.parse().expect("a rule"))
        .collect()
}

async fn with_members() -> TestApp {
    let app = TestApp::start().await;
    for (username, groups) in [("alice", vec!["staff", "media"]), ("bob", vec![])] {
        app.add(NewUser {
            username: username.to_owned(),
            groups: groups.into_iter().map(str::to_owned).collect(),
            ..NewUser::default()
        })
        .await;
    }
    app
}

/// What the application has of somebody: in the id_token, and from userinfo.
async fn told(app: &TestApp, party: &RelyingParty, username: &str) -> [Value; 2] {
    let mut browser = app.sign_in_again(username).await;
    let tokens = party
        .tokens(app, &mut browser, &[("scope", "openid")])
        .await;
    [tokens.claims, userinfo(app, &tokens.access).await.json()]
}

#[rocket::async_test]
async fn a_rule_tells_of_members_of_its_group_and_one_without_of_everybody() {
    let app = with_members().await;
    let party = register(&app, "Vault", |client| {
        client.claims = rules(&[
            "roles=[\"admin\"]@staff",
            "roles=[\"user\"]",
            "level=7@media",
            "level=1",
        ]);
    })
    .await;
    for claims in told(&app, &party, "alice").await {
        assert_eq!(
            (&claims["roles"], &claims["level"]),
            (&json!(["admin", "user"]), &json!(7))
        );
    }
    for claims in told(&app, &party, "bob").await {
        assert_eq!(
            (&claims["roles"], &claims["level"]),
            (&json!(["user"]), &json!(1))
        );
    }
}

#[rocket::async_test]
async fn with_claims_in_userinfo_alone_the_id_token_has_none_of_the_rules() {
    let app = with_members().await;
    let party = register(&app, "Vault", |client| {
        client.claims_in_id_token = false;
        client.claims = rules(&["roles=[\"admin\"]@staff"]);
    })
    .await;
    let [id_token, userinfo] = told(&app, &party, "alice").await;
    assert_eq!(id_token.get("roles"), None);
    assert_eq!(userinfo["roles"], json!(["admin"]));
}

#[rocket::async_test]
async fn a_changed_rule_holds_for_tokens_that_are_there_and_ends_with_the_group() {
    let app = with_members().await;
    let party = register(&app, "Vault", |client| {
        client.claims = rules(&["level=1@staff"])
    })
    .await;
    let mut browser = app.sign_in_again("alice").await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    assert_eq!(tokens.claims["level"], 1);
    let mut client = clients::by_id(&app.app, &party.id)
        .await
        .expect("a database")
        .expect("a client");
    client.claims = rules(&["level=2@staff"]);
    let changed = clients::change(&app.app, &Actor::operator(), &client).await;
    changed.expect("a database").expect("a good client");
    assert_eq!(userinfo(&app, &tokens.access).await.json()["level"], 2);
    let refreshed = super::Tokens::of(&party.refresh(&app, &tokens.refresh).await);
    assert_eq!(refreshed.claims["level"], 2);
    app.execute("DELETE FROM memberships").await;
    assert_eq!(
        userinfo(&app, &refreshed.access).await.json().get("level"),
        None
    );
}

/// A row that another program has written is no way around it.
#[rocket::async_test]
async fn no_rule_sets_a_claim_of_the_protocol() {
    let app = with_members().await;
    let party = register(&app, "Vault", |client| client.claims = rules(&["level=1"])).await;
    let mut browser = app.sign_in_again("alice").await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    app.execute("UPDATE client_claims SET claim = 'email_verified', value = 'true'")
        .await;
    assert_eq!(userinfo(&app, &tokens.access).await.status, 503);
}
