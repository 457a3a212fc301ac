//! The session listing, and what an admin does from it.

use std::time::Duration;

use crate::support::{Client, PASSWORD, TestApp};

/// Rows of the listing, as the ids that their revoke forms name.
fn ids(body: &str) -> Vec<String> {
    let forms = body.split("action=\"/admin/sessions/").skip(1);
    forms
        .filter_map(|form| form.split_once("/revoke\""))
        .map(|(id, _)| id.to_owned())
        .collect()
}

async fn id_of(client: &mut Client) -> String {
    client.session().await.json()["session"]["id"]
        .as_str()
        .expect("a session id")
        .to_owned()
}

/// Opens page after page, as the link to the next one says, and collects the ids.
async fn all_pages(admin: &mut Client, first: &str) -> Vec<String> {
    let mut path = first.to_owned();
    let mut all = Vec::new();
    loop {
        let page = admin.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        all.extend(ids(&page.body));
        match next_link(&page.body) {
            Some(next) => path = next,
            None => return all,
        }
    }
}

fn next_link(body: &str) -> Option<String> {
    let links = body
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(link, _)| link);
    let decoded = |link: &str| link.replace("&#x2f;", "/").replace("&amp;", "&");
    links.map(decoded).find(|link| link.contains("after="))
}

#[rocket::async_test]
async fn each_live_session_is_shown_with_its_user_device_and_address() {
    let app = TestApp::start().await;
    app.signed_in("alice").await;
    let page = app.admin().await.get("/admin/sessions").await;
    assert_eq!(page.status, 200);
    for text in ["alice", "Firefox on Linux", "203.0.113.7", "password"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
}

#[rocket::async_test]
async fn a_search_finds_users_devices_and_addresses_and_nothing_else() {
    let app = TestApp::start().await;
    app.signed_in("alice").await;
    app.user("bob").await;
    let mut phone = app.anonymous().at("198.51.100.9");
    phone.user_agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1".to_owned();
    phone.sign_in("bob", PASSWORD).await;
    let mut admin = app.admin().await;
    let bobs = id_of(&mut phone).await;
    for q in [
        "bob",
        "BOB",
        "bo",
        "b",
        "Sa",
        "iPhone",
        "safari",
        "198.51.100.9",
        "198.51.",
    ] {
        let found = ids(&admin.get(&format!("/admin/sessions?q={q}")).await.body);
        assert_eq!(found, std::slice::from_ref(&bobs), "{q}");
    }
    for q in [
        "nobody", "ob", "%25", "_", "%5C", "192.0.2.", "'", "%22", "b%00", "bob%00",
    ] {
        let found = ids(&admin.get(&format!("/admin/sessions?q={q}")).await.body);
        assert!(found.is_empty(), "{q}: {found:?}");
    }
}

#[rocket::async_test]
async fn ended_sessions_show_how_when_and_by_whom() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let id = id_of(&mut alice).await;
    let mut admin = app.admin().await;
    admin
        .post(&format!("/admin/sessions/{id}/revoke"), &[])
        .await;
    let ended = admin.get("/admin/sessions?state=ended").await.body;
    assert!(
        ended.contains("Revoked by admin") && ended.contains("24 Nov 2026, 12:00:00 UTC"),
        "{ended}"
    );
    assert!(!ids(&admin.get("/admin/sessions").await.body).contains(&id));
    assert!(
        admin
            .get("/admin/sessions?state=all")
            .await
            .body
            .contains("alice")
    );
}

#[rocket::async_test]
async fn an_expired_session_is_not_listed_as_live_and_is_ended_once_swept() {
    let app = TestApp::with("sessions.idle_timeout = '1h'").await;
    app.signed_in("alice").await;
    app.wait(Duration::from_secs(2 * 60 * 60)).await;
    let mut admin = app.admin().await;
    assert!(!admin.get("/admin/sessions").await.body.contains("alice"));
    app.sweep().await;
    let ended = admin.get("/admin/sessions?state=ended").await.body;
    assert!(
        ended.contains("alice") && ended.contains("Not used for too long"),
        "{ended}"
    );
}

#[rocket::async_test]
async fn pages_hold_each_session_once_in_every_order() {
    let app = TestApp::start().await;
    for name in ["alice", "bob", "carol", "dave", "erin"] {
        app.signed_in(name).await;
        app.wait(Duration::from_secs(61)).await;
    }
    let mut admin = app.admin().await;
    for sort in ["last_seen", "started", "user"] {
        let mut paged =
            all_pages(&mut admin, &format!("/admin/sessions?sort={sort}&limit=2")).await;
        let at_once = ids(&admin
            .get(&format!("/admin/sessions?sort={sort}"))
            .await
            .body);
        assert_eq!(paged, at_once, "{sort}");
        paged.sort();
        paged.dedup();
        assert_eq!(paged.len(), 6, "{sort}");
    }
}

#[rocket::async_test]
async fn paging_skips_and_repeats_nobody_while_sessions_come_and_go() {
    let app = TestApp::start().await;
    let mut first = app.signed_in("alice").await;
    let mut others = Vec::new();
    for name in ["bob", "carol", "dave"] {
        others.push(id_of(&mut app.signed_in(name).await).await);
    }
    let mut admin = app.admin().await;
    let page = admin.get("/admin/sessions?sort=started&limit=2").await;
    let before = ids(&page.body);
    // One of the page that was read ends, and a new one begins.
    admin
        .post(&format!("/admin/sessions/{}/revoke", others[2]), &[])
        .await;
    app.signed_in("erin").await;
    let rest = all_pages(&mut admin, &next_link(&page.body).expect("a next page")).await;
    assert_eq!(
        rest,
        [
            others[1].clone(),
            others[0].clone(),
            id_of(&mut first).await
        ]
    );
    assert!(before.iter().all(|id| !rest.contains(id)));
}

#[rocket::async_test]
async fn adm_06_list_parameters_that_are_out_of_bounds_or_forged_are_refused() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    for query in [
        "limit=0",
        "limit=-1",
        "limit=1000000000",
        "limit=abc",
        "limit=201",
        "state=dead",
        "sort=id",
        "after=x",
        "after=started~x",
        "after=last_seen~9999999999999999999999~01a20fa2-4735-76d8-8c61-04e427c8133d",
        "after=started~01a20fa2-4735-76d8-8c61-04e427c8133d",
        "after=-1",
        "sort=user&after=last_seen~1~01a20fa2-4735-76d8-8c61-04e427c8133d",
    ] {
        for list in ["/admin/sessions", "/admin/users"] {
            let answer = admin.get(&format!("{list}?{query}")).await;
            let expected = if list == "/admin/users" && !query.starts_with("limit") {
                200
            } else {
                400
            };
            assert_eq!(answer.status, expected, "{list}?{query}");
        }
    }
    let far = "sort=started&after=started~00000000-0000-7000-8000-000000000000";
    assert_eq!(
        admin.get(&format!("/admin/sessions?{far}")).await.status,
        200
    );
}

#[rocket::async_test]
async fn a_revoke_holds_from_the_next_request_on() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let mut admin = app.admin().await;
    let path = format!("/admin/sessions/{}/revoke", id_of(&mut alice).await);
    let answer = admin
        .post(&path, &[("rd", "/admin/sessions?q=alice")])
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/admin/sessions?q=alice")
    );
    for _ in 0..1_000 {
        assert_eq!(alice.session().await.status, 401);
    }
}

#[rocket::async_test]
async fn ids_that_are_none_unknown_or_ended_already_are_not_found() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let mut admin = app.admin().await;
    let ended = id_of(&mut alice).await;
    admin
        .post(&format!("/admin/sessions/{ended}/revoke"), &[])
        .await;
    for id in [
        "x",
        "01a20fa2-4735-76d8-8c61-04e427c8133d",
        &ended,
        "%00",
        "..%2f..",
    ] {
        let answer = admin
            .post(&format!("/admin/sessions/{id}/revoke"), &[])
            .await;
        assert_eq!(answer.status, 404, "{id}");
    }
}

#[rocket::async_test]
async fn adm_02_everyones_sessions_end_at_once_and_ones_own_is_kept_unless_chosen() {
    let app = TestApp::start().await;
    let mut clients = Vec::new();
    for number in 0..20 {
        clients.push(app.signed_in(&format!("user{number}")).await);
    }
    let mut admin = app.admin().await;
    let form = admin.get("/admin/sessions/revoke-everyone").await;
    assert!(form.body.contains("21"), "says how many: {}", form.body);
    admin.post("/admin/sessions/revoke-everyone", &[]).await;
    for client in &mut clients {
        assert_eq!(client.session().await.status, 401);
    }
    assert_eq!(admin.session().await.status, 200);
    admin
        .post("/admin/sessions/revoke-everyone", &[("own", "on")])
        .await;
    assert_eq!(admin.session().await.status, 401);
}

#[rocket::async_test]
async fn ses_12_the_listing_and_its_links_hold_no_secret_and_an_id_opens_nothing() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let id = id_of(&mut alice).await;
    let mut admin = app.admin().await;
    let page = admin.get("/admin/sessions").await.body;
    assert!(!page.contains(&alice.token()) && !page.contains(&admin.token()));
    let mut thief = app.anonymous();
    for value in [
        id.clone(),
        id.replace('-', ""),
        format!("{:a<43}", id.replace('-', "")),
    ] {
        thief.cookies.insert("__Host-vestibule".to_owned(), value);
        assert_eq!(thief.session().await.status, 401);
    }
}

#[rocket::async_test]
async fn sessions_of_a_deleted_user_stay_listed_as_long_as_others() {
    let app = TestApp::with("sessions.history = \"30d\"").await;
    let mut bob = app.signed_in("bob").await;
    bob.post("/logout", &[]).await;
    let mut bob = app.sign_in_again("bob").await;
    let mut admin = app.admin().await;
    let page = format!("/admin/users/{}", app.user("bob").await.id);
    assert_eq!(admin.post(&format!("{page}/delete"), &[]).await.status, 303);
    assert_eq!(bob.session().await.status, 401);
    let count = |body: &str| {
        body.matches("<span class=\"tag off\">Deleted</span>")
            .count()
    };
    for state in ["ended", "all"] {
        for sort in ["last_seen", "started", "user"] {
            for q in ["", "BOB", "firefox", "203.0.113."] {
                let address = format!("/admin/sessions?state={state}&sort={sort}&q={q}");
                assert_eq!(count(&admin.get(&address).await.body), 2, "{address}");
            }
        }
    }
    let body = admin.get("/admin/sessions?state=ended").await.body;
    assert!(
        body.contains("User deleted") && body.contains("Signed out"),
        "{body}"
    );
    assert!(!body.contains(&page), "there is no page to lead to: {body}");
    let body = admin.get("/admin/sessions?state=ended&q=alice").await.body;
    assert_eq!(count(&body), 0);
    assert_eq!(count(&admin.get("/admin/sessions").await.body), 0);

    // Another bob has none of them.
    app.signed_in("bob").await;
    let page = format!("/admin/users/{}", app.user("bob").await.id);
    assert_eq!(count(&admin.get(&page).await.body), 0);

    app.clock.advance(Duration::from_secs(31 * 24 * 60 * 60));
    app.sweep().await;
    let mut admin = app.sign_in_again("admin").await;
    let body = admin.get("/admin/sessions?state=all").await.body;
    assert_eq!(count(&body), 0, "{body}");
}

#[rocket::async_test]
async fn pages_go_on_through_sessions_of_users_who_are_gone_and_who_are_there() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    for name in ["alice", "bob", "carol", "dave"] {
        for _ in 0..3 {
            let mut browser = app.signed_in(name).await;
            app.clock.advance(Duration::from_secs(61));
            browser.post("/logout", &[]).await;
        }
        if ["alice", "carol"].contains(&name) {
            let page = format!("/admin/users/{}", app.user(name).await.id);
            admin.post(&format!("{page}/delete"), &[]).await;
        }
    }
    for sort in ["last_seen", "started", "user"] {
        let mut path = format!("/admin/sessions?state=ended&limit=5&sort={sort}");
        let mut shown = Vec::new();
        loop {
            let body = admin.get(&path).await.body;
            let found = body.split("Session id <code>").skip(1);
            shown.extend(found.map(|rest| rest[..36].to_owned()));
            match next_link(&body) {
                Some(next) => path = next,
                None => break,
            }
        }
        let rows = shown.len();
        shown.sort();
        shown.dedup();
        assert_eq!((rows, shown.len()), (12, 12), "{sort}");
    }
}
