//! Protected sites and their rules in an admin's hands.

use vestibule::people::users::NewUser;

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
async fn what_may_be_chosen_is_offered() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    app.add(NewUser {
        username: "bob".to_owned(),
        groups: vec!["family".to_owned()],
        ..NewUser::default()
    })
    .await;
    let page = added(&mut admin, SITE, "group:gone").await;
    let body = admin.get(&page).await.body;
    let (_, choice) = body
        .split_once("<select id=\"fallback\"")
        .expect("a choice");
    let (choice, _) = choice.split_once("</select>").expect("an end");
    let options: Vec<&str> = choice
        .split("<option")
        .skip(1)
        .filter_map(|option| option.split("</option>").next())
        .collect();
    assert_eq!(
        options,
        [
            " selected>group:gone",
            ">signed-in",
            ">public",
            ">deny",
            ">group:family"
        ]
    );
    let (_, who) = body.split_once("id=\"who-words\"").expect("suggestions");
    let (who, _) = who.split_once("</datalist>").expect("an end");
    for value in [
        "anyone",
        "signed-in",
        "group:family",
        "user:admin",
        "user:bob",
    ] {
        assert!(
            who.contains(&format!("<option value=\"{value}\">")),
            "{value}: {who}"
        );
    }
    for page in ["/admin/sites", "/admin/explain", "/admin/audit"] {
        let body = admin.get(page).await.body;
        assert!(body.contains("<option value=\"bob\">"), "{page}: {body}");
    }
}

/// Of each listing, what a page shows and the address of the next.
async fn read_page(admin: &mut Client, address: &str, item: &str) -> (Vec<String>, Option<String>) {
    let answer = admin.get(address).await;
    assert_eq!(answer.status, 200, "{address}: {}", answer.body);
    let shown = answer.body.split(item).skip(1);
    let shown = shown.filter_map(|rest| rest.split_once('<').map(|(text, _)| text.to_owned()));
    let links = answer.body.split("href=\"");
    let next = links.filter(|link| link.contains("rel=\"next\"")).last();
    let next = next.and_then(|link| link.split_once('"'));
    let next = next.map(|(link, _)| link.replace("&#x2f;", "/").replace("&amp;", "&"));
    (shown.collect(), next)
}

/// All that a listing shows, page after page.
async fn read_all(admin: &mut Client, address: &str, item: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(address.to_owned());
    while let Some(address) = next {
        let (shown, following) = read_page(admin, &address, item).await;
        pages.push(shown);
        next = following;
    }
    pages
}

#[rocket::async_test]
async fn many_sites_are_shown_by_pages_and_found_by_a_search() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    for number in 0..7 {
        added(&mut admin, &format!("site{number}.example.net"), "deny").await;
    }
    let page = added(&mut admin, "special.example.net", "public").await;
    admin
        .post(&page, &[("fallback", "public"), ("note", "The Wiki")])
        .await;
    let item = "<th role=\"rowheader\" scope=\"row\"><a href=\"/admin/sites/";
    let pages = read_all(&mut admin, "/admin/sites?limit=3", item).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 2]);
    let shown = pages.concat();
    let (_, last) = shown[7].split_once('>').expect("a host");
    assert_eq!(last, "special.example.net");
    for (q, found) in [
        ("SITE3", 1),
        ("wiki", 1),
        ("deny", 7),
        ("nowhere", 0),
        ("", 8),
    ] {
        let pages = read_all(&mut admin, &format!("/admin/sites?q={q}"), item).await;
        assert_eq!(pages.concat().len(), found, "{q}");
    }
    for bad in ["limit=0", "limit=201", "limit=x"] {
        for list in ["/admin/sites", "/admin/rules"] {
            assert_eq!(
                admin.get(&format!("{list}?{bad}")).await.status,
                400,
                "{bad}"
            );
        }
    }
}

#[rocket::async_test]
async fn ten_thousand_sites_and_rules_make_no_large_page() {
    let app = TestApp::start().await;
    app.execute(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 9999)
         INSERT INTO sites (id, host, fallback, note) SELECT randomblob(16), 's' || substr(CAST(100000 + n AS TEXT), 2) || '.example.net', 'signed-in', '' FROM n",
    )
    .await;
    app.execute("INSERT INTO rules (id, site_id, position, path, methods, networks, who, effect) SELECT randomblob(16), id, 1, '/*', '', '', 'anyone', 'allow' FROM sites")
        .await;
    app.execute("UPDATE policy SET version = version + 1").await;
    let mut admin = app.admin().await;
    for address in [
        "/admin/sites",
        "/admin/rules",
        "/admin/rules?q=s09999",
        "/admin/sites?limit=200",
    ] {
        let answer = admin.get(address).await;
        assert_eq!(answer.status, 200, "{address}");
        assert!(
            answer.body.len() < 150_000,
            "{address}: {}",
            answer.body.len()
        );
    }
    let found = admin.get("/admin/rules?q=s09999").await.body;
    assert!(found.contains("s09999.example.net"), "{found}");
}

#[rocket::async_test]
async fn many_rules_are_shown_by_pages_and_found_by_a_search() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let first = added(&mut admin, "a.example.net", "deny").await;
    for number in 1..=5 {
        add_rule(
            &mut admin,
            &first,
            &format!("/p{number}"),
            "anyone",
            "allow",
            "",
        )
        .await;
    }
    let second = added(&mut admin, "b.example.net", "deny").await;
    add_rule(&mut admin, &second, "/q", "group:family", "allow", "").await;
    let pages = read_all(&mut admin, "/admin/rules?limit=3", "<li value=\"").await;
    let places = |pages: &[Vec<String>]| -> Vec<String> {
        let texts = pages.concat();
        texts.iter().map(|text| text[..1].to_owned()).collect()
    };
    // With the default of each site a line: 6 and 2.
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(places(&pages), ["1", "2", "3", "4", "5", "1"]);
    for (q, found) in [
        ("p4", 1),
        ("B.EXAMPLE", 1),
        ("group:family", 1),
        ("nothing", 0),
    ] {
        let pages = read_all(&mut admin, &format!("/admin/rules?q={q}"), "<li value=\"").await;
        assert_eq!(pages.concat().len(), found, "{q}");
    }
    assert_eq!(admin.get("/admin/rules?after=x").await.status, 400);
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
