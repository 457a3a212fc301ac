//! Protected sites and their rules in an admin's hands.

use crate::forward_auth::open;
use crate::support::{Client, TestApp};

const SITE: &str = "app.example.net";

/// A site that was added by form; gives the address of its page.
async fn added(admin: &mut Client, host: &str, fallback: &str) -> String {
    let answer = admin
        .post(
            "/admin/sites/new",
            &[("host", host), ("fallback", fallback), ("note", "")],
        )
        .await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.header("location").to_owned()
}

async fn add_rule(
    admin: &mut Client,
    page: &str,
    path: &str,
    who: &str,
    effect: &str,
    at: &str,
) -> u16 {
    let fields = [
        ("path", path),
        ("methods", ""),
        ("networks", ""),
        ("who", who),
        ("effect", effect),
        ("at", at),
    ];
    admin.post(&format!("{page}/rules"), &fields).await.status
}

#[rocket::async_test]
async fn a_site_is_added_and_changed_and_removed_and_each_change_holds_at_once() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let mut visitor = app.anonymous();
    assert_eq!(open(&mut visitor, SITE, "/").await.status, 403);
    let page = added(&mut admin, SITE, "signed-in").await;
    assert_eq!(open(&mut visitor, SITE, "/").await.status, 302);
    admin
        .post(&page, &[("fallback", "public"), ("note", "Ours")])
        .await;
    assert_eq!(open(&mut visitor, SITE, "/").await.status, 200);
    assert!(admin.get("/admin/sites").await.body.contains("Ours"));
    admin.post(&format!("{page}/delete"), &[]).await;
    assert_eq!(open(&mut visitor, SITE, "/").await.status, 403);
    assert_eq!(admin.get(&page).await.status, 404);
}

#[rocket::async_test]
async fn rules_are_asked_in_the_order_of_the_page() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let mut visitor = app.anonymous();
    let page = added(&mut admin, SITE, "deny").await;
    assert_eq!(
        add_rule(&mut admin, &page, "/*", "anyone", "allow", "").await,
        303
    );
    assert_eq!(open(&mut visitor, SITE, "/secret").await.status, 200);
    assert_eq!(
        add_rule(&mut admin, &page, "/secret", "anyone", "deny", "1").await,
        303
    );
    assert_eq!(open(&mut visitor, SITE, "/secret").await.status, 403);
    let body = admin.get(&page).await.body;
    let id = body
        .split("/admin/rules/")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .expect("a rule");
    assert_eq!(
        admin
            .post(&format!("/admin/rules/{id}/delete"), &[])
            .await
            .header("location"),
        page
    );
    assert_eq!(open(&mut visitor, SITE, "/secret").await.status, 200);
    assert!(admin.get("/admin/rules").await.body.contains("allow"));
}

#[rocket::async_test]
async fn a_rule_is_for_methods_of_webdav_too() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let page = added(&mut admin, SITE, "deny").await;
    let fields = [
        ("path", "/*"),
        ("methods", "GET, VERSION-CONTROL"),
        ("networks", ""),
        ("who", "anyone"),
        ("effect", "allow"),
        ("at", ""),
    ];
    let answer = admin.post(&format!("{page}/rules"), &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let mut visitor = app.anonymous();
    for (method, expected) in [("VERSION-CONTROL", 200), ("MERGE", 403)] {
        let url = format!("https://{SITE}/repository");
        let answer = visitor.ask(method, &url, &[]).await;
        assert_eq!(answer.status, expected, "{method}");
    }
}

#[rocket::async_test]
async fn what_is_malformed_is_told_and_changes_nothing() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    for (host, fallback) in [
        ("", "deny"),
        ("a b", "deny"),
        ("auth.example.com:8443", "deny"),
        (SITE, "everyone"),
        (SITE, "group:a,b"),
    ] {
        let page = admin
            .post(
                "/admin/sites/new",
                &[("host", host), ("fallback", fallback), ("note", "")],
            )
            .await;
        assert_eq!(page.status, 422, "{host} {fallback}");
        assert!(page.body.contains("role=\"alert\""), "{}", page.body);
    }
    let page = added(&mut admin, SITE, "deny").await;
    assert_eq!(
        admin
            .post(
                "/admin/sites/new",
                &[("host", SITE), ("fallback", "deny"), ("note", "")]
            )
            .await
            .status,
        422
    );
    for (path, who, effect, at) in [
        ("x", "anyone", "allow", ""),
        ("/x", "all", "allow", ""),
        ("/x", "anyone", "maybe", ""),
        ("/x", "anyone", "allow", "0"),
        ("/x", "anyone", "allow", "-1"),
    ] {
        assert_eq!(
            add_rule(&mut admin, &page, path, who, effect, at).await,
            422,
            "{path} {who} {effect} {at}"
        );
    }
    assert_eq!(app.sql("SELECT count(*) || '' FROM rules").await, ["0"]);
    for address in [
        "/admin/sites/x",
        "/admin/sites/01a20fa2-4735-76d8-8c61-04e427c8133d",
    ] {
        assert_eq!(admin.get(address).await.status, 404);
    }
    assert_eq!(admin.post("/admin/rules/x/delete", &[]).await.status, 404);
}

#[rocket::async_test]
async fn an_older_page_of_a_site_changes_nothing_and_shows_both() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let page = added(&mut admin, SITE, "public").await;
    let own_form = format!("form class=\"fields\" method=\"post\" action=\"{page}\"");
    let older = admin.get(&page).await.field_of(&own_form, "version");
    let denied = [("fallback", "deny"), ("note", ""), ("version", &older)];
    assert_eq!(admin.post(&page, &denied).await.status, 303);
    let before = app.dump().await;
    let stale = [
        ("fallback", "public"),
        ("note", "A better note"),
        ("version", &older),
    ];
    let conflict = admin.post(&page, &stale).await;
    assert_eq!(conflict.status, 409);
    assert!(conflict.body.contains("deny") && conflict.body.contains("A better note"));
    assert_eq!(app.dump().await, before);
    let now = conflict.field("version");
    let again = [
        ("fallback", "public"),
        ("note", "A better note"),
        ("version", &now),
    ];
    assert_eq!(admin.post(&page, &again).await.status, 303);
    assert_eq!(open(&mut app.anonymous(), SITE, "/").await.status, 200);
}

/// A place among rules, and what a rule does, depend on the rules that one saw.
#[rocket::async_test]
async fn a_rule_is_added_and_removed_only_among_the_rules_that_were_shown() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let page = added(&mut admin, SITE, "signed-in").await;
    for path in ["/one", "/two"] {
        assert_eq!(
            add_rule(&mut admin, &page, path, "anyone", "deny", "").await,
            303
        );
    }
    let shown = admin.get(&page).await;
    let rules: Vec<&str> = shown
        .body
        .split("action=\"/admin/rules/")
        .skip(1)
        .filter_map(|rest| rest.split('/').next())
        .collect();
    let version = shown.field_of(
        &format!("action=\"/admin/rules/{}/delete\"", rules[0]),
        "version",
    );
    let remove = async |admin: &mut Client, rule: &str, version: &str| {
        let path = format!("/admin/rules/{rule}/delete");
        admin.post(&path, &[("version", version)]).await
    };
    assert_eq!(remove(&mut admin, rules[0], &version).await.status, 303);
    let before = app.dump().await;
    let removal = remove(&mut admin, rules[1], &version).await;
    assert_eq!(removal.status, 409);
    assert!(
        removal.unescaped().contains("Remove deny /two"),
        "{}",
        removal.body
    );
    let fields = [
        ("path", "/three"),
        ("methods", ""),
        ("networks", ""),
        ("who", "anyone"),
        ("effect", "allow"),
        ("at", "2"),
        ("version", &version),
    ];
    let addition = admin.post(&format!("{page}/rules"), &fields).await;
    assert_eq!(addition.status, 409);
    for said in ["deny /two", "Add allow /three", "as rule 2"] {
        assert!(
            addition.unescaped().contains(said),
            "{said}: {}",
            addition.body
        );
    }
    assert_eq!(app.dump().await, before);
    let now = removal.field("version");
    assert_eq!(remove(&mut admin, rules[1], &now).await.status, 303);
}

#[rocket::async_test]
async fn the_explanation_names_what_decides() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let page = added(&mut admin, SITE, "signed-in").await;
    add_rule(&mut admin, &page, "/admin/*", "group:staff", "allow", "").await;
    let explained =
        async |admin: &mut Client, query: &str| admin.get(&format!("/admin/explain?{query}")).await;
    let told = explained(&mut admin, "url=https://app.example.net/admin/x&user=admin").await;
    assert!(
        told.status == 200
            && told.body.contains("Deny")
            && told.body.contains("allows it for others"),
        "{}",
        told.body
    );
    let told = explained(
        &mut admin,
        "url=https://app.example.net/x&user=admin&from=10.0.0.7",
    )
    .await;
    assert!(
        told.body.contains("Allow") && told.body.contains("default is signed-in"),
        "{}",
        told.body
    );
    // A path of which each application makes something else.
    let told = explained(
        &mut admin,
        "url=https://app.example.net/caf%25E9.jpg&user=admin",
    )
    .await;
    assert!(
        told.body.contains("Deny")
            && told
                .body
                .contains("allow &#x2f;admin&#x2f;* for group:staff"),
        "{}",
        told.body
    );
    assert_eq!(explained(&mut admin, "url=nonsense").await.status, 422);
    assert_eq!(
        explained(&mut admin, "url=https://app.example.net/&user=nobody")
            .await
            .status,
        422
    );
    assert_eq!(
        explained(&mut admin, "url=https://app.example.net/&from=here")
            .await
            .status,
        400
    );
}
