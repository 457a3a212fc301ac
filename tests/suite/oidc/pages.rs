//! The pages of applications: an admin's, and everybody's own.

use vestibule::oidc::clients;

use super::{CALLBACK, RelyingParty, register};
use crate::support::TestApp;

#[rocket::async_test]
async fn an_admin_adds_an_application_whose_secret_is_shown_once() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let form = [("name", "Wiki"), ("redirect_uri", CALLBACK)];
    let page = admin.post("/admin/applications", &form).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let secret = page.elements("<code>", "</code>").remove(0);
    let id = app.sql("SELECT id FROM clients").await.remove(0);
    let party = RelyingParty { id, secret };
    let mut browser = app.signed_in("alice").await;
    party.tokens(&app, &mut browser, &[]).await;
    let shown = admin
        .get(&format!("/admin/applications/{}", party.id))
        .await;
    assert!(shown.body.contains("Wiki") && !shown.body.contains(&party.secret));
    let listed = admin.get("/admin/applications").await;
    assert!(listed.unescaped().contains(CALLBACK));
    let taken = admin.post("/admin/applications", &form).await;
    assert_eq!(taken.status, 422);
    let bad = [
        ("name", "Bad"),
        ("redirect_uri", "http://app.example.com/cb"),
    ];
    assert_eq!(admin.post("/admin/applications", &bad).await.status, 422);
    let renewed = admin
        .post(
            &format!("/admin/applications/{}/rotate-secret", party.id),
            &[],
        )
        .await;
    let renewed = RelyingParty {
        id: party.id.clone(),
        secret: renewed.elements("<code>", "</code>").remove(0),
    };
    assert_eq!(
        party
            .ask(&app, "/oauth/introspect", &[("token", "x")])
            .await
            .status,
        401
    );
    assert!(!renewed.is_active(&app, "x").await);
    let removed = admin
        .post(&format!("/admin/applications/{}/remove", party.id), &[])
        .await;
    assert_eq!(removed.status, 303);
    assert!(app.sql("SELECT id FROM clients").await.is_empty());
    assert_eq!(browser.get("/admin/applications").await.status, 403);
}

#[rocket::async_test]
async fn one_sees_what_one_is_connected_to_and_disconnects_it() {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let mut browser = app.signed_in("alice").await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    let page = browser.get("/account/applications").await;
    assert!(page.body.contains("Grafana"));
    let mut bob = app.signed_in("bob").await;
    assert!(
        !bob.get("/account/applications")
            .await
            .body
            .contains("Grafana")
    );
    let fields = [("client_id", party.id.as_str())];
    bob.post("/account/applications/disconnect", &fields).await;
    assert!(party.is_active(&app, &tokens.access).await, "another's");
    let done = browser
        .post("/account/applications/disconnect", &fields)
        .await;
    assert_eq!(done.status, 303);
    assert!(!party.is_active(&app, &tokens.access).await);
    assert!(
        !browser
            .get("/account/applications")
            .await
            .body
            .contains("Grafana")
    );
}

const EDITED: [(&str, &str); 9] = [
    ("launch_url", "https://app.example.com/"),
    ("name", "Notes"),
    (
        "redirect_uris",
        "https://app.example.com/callback\r\napp.example:/back\r\n",
    ),
    ("sign_out_uris", "https://app.example.com/out"),
    ("back_channel_uri", "https://app.example.com/end"),
    ("groups", "Staff, media"),
    ("consent", "once"),
    ("factor", "two"),
    ("claims", "roles=[\"admin\"]@staff\r\n\r\nlevel=1"),
];

#[rocket::async_test]
async fn an_admin_changes_all_of_an_application_in_one_form() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |_| {}).await;
    let mut admin = app.admin().await;
    let page = format!("/admin/applications/{}", party.id);
    let stored = async || {
        let client = clients::by_id(&app.app, &party.id).await;
        client.expect("a database").expect("a client")
    };
    let before = stored().await;
    assert_eq!(admin.post(&page, &EDITED).await.status, 303);
    let client = stored().await;
    assert_eq!(client.name, "Notes");
    assert_eq!(client.redirect_uris.len(), 2);
    assert_eq!(client.sign_out_uris, ["https://app.example.com/out"]);
    assert_eq!(client.groups, ["media", "staff"]);
    assert_eq!(
        client.launch_url.as_deref(),
        Some("https://app.example.com/")
    );
    assert_eq!(client.claims.len(), 2);
    assert!(client.two_factors && !client.pkce && !client.offline_access);
    assert_eq!(client.secret_hash, before.secret_hash, "not in the form");
    let shown = admin.get(&page).await.unescaped();
    assert!(
        shown.contains("roles=[\"admin\"]@staff\nlevel=1"),
        "{shown}"
    );
}

#[rocket::async_test]
async fn an_application_that_is_disabled_lets_nobody_in_until_it_is_enabled() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |_| {}).await;
    let mut alice = app.signed_in("alice").await;
    let tokens = party.tokens(&app, &mut alice, &[]).await;
    let mut admin = app.admin().await;
    let page = format!("/admin/applications/{}", party.id);
    let enabled = [
        ("name", "Wiki"),
        ("redirect_uris", super::CALLBACK),
        ("consent", "never"),
        ("factor", "one"),
    ];
    let disabled = [&enabled[..], &[("disabled", "on")]].concat();
    assert_eq!(admin.post(&page, &disabled).await.status, 303);
    assert!(
        admin
            .get("/admin/applications")
            .await
            .body
            .contains("Disabled")
    );
    assert_eq!(alice.get(&party.way(&[])).await.status, 400);
    let asked = super::userinfo(&app, &tokens.access).await;
    assert_eq!(asked.status, 401);
    assert_eq!(admin.post(&page, &enabled).await.status, 303);
    assert_eq!(super::userinfo(&app, &tokens.access).await.status, 200);
}

#[rocket::async_test]
async fn what_does_not_go_together_adds_nothing() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let (url, uri) = ("https://app.example.com", "https://app.example.com/cb");
    for (fields, told) in [
        (
            &[("template", "grafana"), ("url", url), ("public", "on")][..],
            "keeps a secret",
        ),
        (&[("template", "grafana")], "needs to know where"),
        (
            &[("redirect_uri", uri), ("url", url)],
            "with a template alone",
        ),
        (
            &[("redirect_uri", "https://*.example.com/cb")],
            "a star stands for nothing",
        ),
    ] {
        let fields = [&[("name", "Wiki")][..], fields].concat();
        let page = admin.post("/admin/applications", &fields).await;
        assert_eq!(page.status, 422, "{told}");
        assert!(page.body.contains(told), "{told}: {}", page.body);
    }
    assert!(app.sql("SELECT id FROM clients").await.is_empty());
}

#[rocket::async_test]
async fn a_form_with_a_mistake_changes_nothing_and_keeps_what_was_typed() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |_| {}).await;
    register(&app, "Other", |_| {}).await;
    let mut admin = app.admin().await;
    let page = format!("/admin/applications/{}", party.id);
    let before = app.dump().await;
    for (field, wrong, told) in [
        ("launch_url", "javascript:alert(1)", "javascript"),
        ("name", "other", "taken"),
        ("redirect_uris", "http://app.example.com/cb", "https"),
        ("sign_out_uris", "javascript:alert(1)", "javascript"),
        ("back_channel_uri", "app:/x", "app:/x"),
        ("groups", "a@b", "group"),
        ("consent", "perhaps", "always"),
        ("claims", "sub=\"root\"", "no rule can set"),
    ] {
        let form = EDITED.map(|(name, value)| (name, if name == field { wrong } else { value }));
        let answer = admin.post(&page, &form).await;
        assert_eq!(answer.status, 422, "{field}");
        let shown = answer.unescaped();
        assert!(shown.contains(told), "{field}: {shown}");
        assert!(shown.contains("https://app.example.com/out") || field == "sign_out_uris");
        assert!(shown.contains(wrong), "{field}");
    }
    assert_eq!(app.dump().await, before);
}

#[rocket::async_test]
async fn a_form_that_was_made_from_an_older_application_overwrites_nothing() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |_| {}).await;
    let mut admin = app.admin().await;
    let page = format!("/admin/applications/{}", party.id);
    let older = admin.get(&page).await.field("version");
    assert_eq!(admin.post(&page, &EDITED).await.status, 303);
    let mut form = EDITED.to_vec();
    form[1].1 = "Mine";
    form.push(("version", &older));
    let conflict = admin.post(&page, &form).await;
    assert_eq!(conflict.status, 409);
    assert!(conflict.body.contains("Notes") && conflict.body.contains("Mine"));
    let now = conflict.field("version");
    form.pop();
    form.push(("version", &now));
    assert_eq!(admin.post(&page, &form).await.status, 303);
    assert_eq!(app.sql("SELECT name FROM clients").await, ["Mine"]);
}

#[rocket::async_test]
async fn sites_and_applications_stand_in_one_list_by_name() {
    let app = TestApp::start().await;
    register(&app, "Notes", |_| {}).await;
    register(&app, "zoo", |client| {
        client.groups = vec!["staff".to_owned()]
    })
    .await;
    let mut admin = app.admin().await;
    for (host, name) in [("wiki.example.com", ""), ("b.example.com", "Alpha")] {
        let form = [
            ("host", host),
            ("fallback", "signed-in"),
            ("name", name),
            ("note", ""),
        ];
        assert_eq!(admin.post("/admin/sites/new", &form).await.status, 303);
    }
    let mut list = async |query: &str| {
        let page = admin.get(&format!("/admin/applications{query}")).await;
        assert_eq!(page.status, 200);
        let names = page.elements("scope=\"row\"><a href=\"", "</a>");
        let names = names
            .iter()
            .map(|link| link.split_once('>').expect("a name").1);
        (
            names.map(str::to_owned).collect::<Vec<_>>(),
            page.unescaped(),
        )
    };
    let (names, page) = list("").await;
    assert_eq!(names, ["Alpha", "Notes", "wiki.example.com", "zoo"]);
    assert!(page.contains("Forward auth") && page.contains("OpenID Connect"));
    assert_eq!(list("?q=FORWARD").await.0, ["Alpha", "wiki.example.com"]);
    assert_eq!(list("?q=staff").await.0, ["zoo"]);
    let (first, page) = list("?limit=3").await;
    assert_eq!(first.len(), 3);
    let (_, rest) = page.split_once("?after=").expect("the next page");
    let after = rest
        .split('"')
        .next()
        .expect("its end")
        .replace("&amp;", "&");
    assert_eq!(list(&format!("?after={after}")).await.0, ["zoo"]);
}
