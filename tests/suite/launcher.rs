//! What one may open, on the start page; and the icons that an admin gives.

use std::time::Duration;

use rocket::http::Method;
use vestibule::foundation::audit::Actor;
use vestibule::oidc::clients::{self, Client as Registered};
use vestibule::people::users::NewUser;
use vestibule::sites::policy;
use vestibule::sites::rules::{Fallback, Site};
use vestibule::sites::terms::Terms;

use crate::support::{Answer, Client, ORIGIN, TestApp};

/// A red dot.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";

async fn site(app: &TestApp, host: &str, fallback: Fallback, name: &str) -> Site {
    let terms = Terms {
        name: name.to_owned(),
        ..fallback.into()
    };
    let added = policy::add_site(&app.app, &Actor::operator(), host, terms).await;
    added.expect("a database").expect("a good site")
}

async fn client(app: &TestApp, name: &str, change: impl FnOnce(&mut Registered)) -> String {
    let mut client = Registered::new(name, vec!["https://app.example.com/cb".to_owned()]);
    client.launch_url = Some(format!("https://{}.example.com/start", name.to_lowercase()));
    change(&mut client);
    let added = clients::add(&app.app, &Actor::operator(), &client).await;
    added.expect("a database").expect("a good client");
    client.id
}

async fn member(app: &TestApp, username: &str, group: &str) -> Client {
    app.add(NewUser {
        username: username.to_owned(),
        groups: vec![group.to_owned()],
        ..NewUser::default()
    })
    .await;
    app.sign_in_again(username).await
}

/// Names and addresses, as the start page lists them.
async fn tiles(browser: &mut Client) -> Vec<(String, String)> {
    let page = browser.get("/account").await.unescaped();
    let Some((_, rest)) = page.split_once("<ul class=\"shelf\">") else {
        return Vec::new();
    };
    let (list, _) = rest.split_once("</ul>").expect("its end");
    let entries = list.split("<a href=\"").skip(1);
    entries
        .map(|entry| {
            let (url, rest) = entry.split_once('"').expect("an address");
            let name = rest.rsplit("<span>").next().expect("a name");
            let (name, _) = name.split_once('<').expect("its end");
            (name.to_owned(), url.to_owned())
        })
        .collect()
}

fn names(tiles: &[(String, String)]) -> Vec<&str> {
    tiles.iter().map(|(name, _)| name.as_str()).collect()
}

/// A form with a file in its field `icon`.
async fn upload(browser: &mut Client, page: &str, file: &[u8]) -> Answer {
    let start = b"--x\r\nContent-Disposition: form-data; name=\"icon\"; filename=\"a\"\r\nContent-Type: image/png\r\n\r\n";
    let body = [start, file, b"\r\n--x--\r\n"].concat();
    post(browser, page, ORIGIN, &body).await
}

async fn post(browser: &mut Client, page: &str, origin: &str, body: &[u8]) -> Answer {
    let headers = [
        ("Accept", "text/html"),
        ("Content-Type", "multipart/form-data; boundary=x"),
        ("Origin", origin),
        ("Sec-Fetch-Mode", "navigate"),
    ];
    let path = format!("{page}/icon");
    browser.send(Method::Post, &path, &headers, body).await
}

/// The address of the one icon on a page.
fn icon_on(page: &Answer) -> String {
    let page = page.unescaped();
    let (_, rest) = page.split_once("src=\"/account/icons/").expect("an icon");
    format!("/account/icons/{}", &rest[..36])
}

#[rocket::async_test]
async fn the_start_page_lists_what_one_may_open_and_nothing_else() {
    let app = TestApp::start().await;
    site(&app, "wiki.example.com", Fallback::SignedIn, "The wiki").await;
    site(
        &app,
        "pay.example.com",
        Fallback::Group("staff".to_owned()),
        "",
    )
    .await;
    site(&app, "old.example.com", Fallback::Deny, "Old").await;
    site(&app, "*.apps.example.com", Fallback::SignedIn, "All").await;
    client(&app, "Photos", |_| {}).await;
    client(&app, "Ledger", |client| {
        client.groups = vec!["staff".to_owned()]
    })
    .await;
    client(&app, "Phone", |client| client.launch_url = None).await;
    let (mut bob, mut alice) = (
        member(&app, "bob", "guests").await,
        member(&app, "alice", "staff").await,
    );
    let seen = tiles(&mut bob).await;
    assert_eq!(names(&seen), ["Photos", "The wiki"]);
    assert_eq!(seen[0].1, "https://photos.example.com/start");
    assert_eq!(seen[1].1, "https://wiki.example.com/");
    let seen = tiles(&mut alice).await;
    assert_eq!(
        names(&seen),
        ["Ledger", "pay.example.com", "Photos", "The wiki"]
    );
    app.execute("DELETE FROM memberships").await;
    assert_eq!(names(&tiles(&mut alice).await), ["Photos", "The wiki"]);
}

#[rocket::async_test]
async fn who_needs_a_second_factor_for_it_is_shown_what_it_would_open() {
    let app = TestApp::start().await;
    let strict = site(&app, "bank.example.com", Fallback::SignedIn, "Bank").await;
    app.execute("UPDATE sites SET factors = 2").await;
    app.execute("UPDATE policy SET version = version + 1").await;
    client(&app, "Ledger", |client| client.two_factors = true).await;
    let mut browser = member(&app, "alice", "staff").await;
    assert_eq!(
        names(&tiles(&mut browser).await),
        ["Bank", "Ledger"],
        "{strict:?}"
    );
}

#[rocket::async_test]
async fn an_icon_is_served_as_a_picture_and_no_more() {
    let app = TestApp::start().await;
    let client = client(&app, "Photos", |_| {}).await;
    let site = site(&app, "wiki.example.com", Fallback::SignedIn, "").await;
    let mut admin = app.admin().await;
    for page in [
        format!("/admin/applications/{client}"),
        format!("/admin/sites/{}", site.id),
    ] {
        assert_eq!(upload(&mut admin, &page, PNG).await.status, 303);
        let address = icon_on(&admin.get(&page).await);
        let icon = admin.get(&address).await;
        assert_eq!(icon.status, 200);
        assert_eq!(icon.header("content-type"), "image/png");
        assert_eq!(icon.header("x-content-type-options"), "nosniff");
        assert_eq!(
            icon.header("content-security-policy"),
            "default-src 'none'; sandbox"
        );
        assert_eq!(
            icon.header("cache-control"),
            "private, max-age=31536000, immutable"
        );
        assert_eq!(
            app.anonymous().get(&address).await.status,
            303,
            "a stranger"
        );
        upload(&mut admin, &page, PNG).await;
        assert_ne!(
            icon_on(&admin.get(&page).await),
            address,
            "another has another address"
        );
        assert_eq!(admin.get(&address).await.status, 404);
    }
    let listed = admin.get("/account").await;
    assert_eq!(listed.unescaped().matches("/account/icons/").count(), 2);
    admin
        .post(&format!("/admin/applications/{client}/icon/remove"), &[])
        .await;
    admin
        .post(&format!("/admin/sites/{}/icon/remove", site.id), &[])
        .await;
    let listed = admin.get("/account").await.unescaped();
    assert!(!listed.contains("/account/icons/"));
    assert!(
        listed.contains("aria-hidden=\"true\">P<"),
        "the first letter: {listed}"
    );
}

#[rocket::async_test]
async fn a_file_that_is_no_small_picture_is_refused_with_a_sentence() {
    let app = TestApp::start().await;
    let page = format!(
        "/admin/applications/{}",
        client(&app, "Photos", |_| {}).await
    );
    let mut admin = app.admin().await;
    let wide = [&PNG[..16], &513_u32.to_be_bytes(), &PNG[20..]].concat();
    let long = [PNG, &vec![0; 64 * 1_024]].concat();
    let huge = [PNG, &vec![0; 256 * 1_024]].concat();
    for (file, sentence) in [
        (&b""[..], "Choose a file"),
        (
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>",
            "An SVG can hold scripts",
        ),
        (b"<html>", "no PNG, WebP or JPEG"),
        (&wide, "512 pixels"),
        (&long, "64 KiB"),
        (&huge, "64 KiB"),
    ] {
        let answer = upload(&mut admin, &page, file).await;
        assert_eq!(answer.status, 422, "{sentence}");
        assert!(
            answer.body.contains(sentence),
            "{sentence}: {}",
            answer.body
        );
    }
    assert!(app.sql("SELECT kind FROM icons").await.is_empty());
}

#[rocket::async_test]
async fn an_icon_comes_from_a_form_of_ours_with_one_file_of_an_admin_who_was_proven_lately() {
    let app = TestApp::start().await;
    let page = format!(
        "/admin/applications/{}",
        client(&app, "Photos", |_| {}).await
    );
    let mut admin = app.admin().await;
    for body in [
        &b""[..],
        b"--x--\r\n",
        b"--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\na\r\n--x--\r\n",
        b"--x\r\nContent-Disposition: form-data; name=\"icon\"\r\n\r\na\r\n--x\r\nContent-Disposition: form-data; name=\"icon\"\r\n\r\na\r\n--x--\r\n",
        b"--x\r\nContent-Disposition: form-data; name=\"icon\"\r\n\r\na",
    ] {
        assert_eq!(post(&mut admin, &page, ORIGIN, body).await.status, 422, "{body:?}");
    }
    assert_eq!(
        post(&mut admin, &page, "https://evil.example", b"")
            .await
            .status,
        403
    );
    let plain = admin.post(&format!("{page}/icon"), &[("icon", "x")]).await;
    assert_eq!(plain.status, 415);
    let mut user = member(&app, "alice", "staff").await;
    assert_eq!(upload(&mut user, &page, PNG).await.status, 403);
    app.wait(Duration::from_secs(3_600)).await;
    let asked = upload(&mut admin, &page, PNG).await;
    assert_eq!(asked.status, 303);
    assert!(
        asked
            .header("location")
            .starts_with("/reauthenticate?rd=%2Fadmin%2Fapplications%2F")
    );
    assert!(app.sql("SELECT kind FROM icons").await.is_empty());
}

#[rocket::async_test]
async fn no_address_that_runs_a_script_becomes_a_start_address() {
    let app = TestApp::start().await;
    for url in [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://app.example.com/",
        "app.example:/",
    ] {
        let mut client = Registered::new("Bad", vec!["https://app.example.com/cb".to_owned()]);
        client.launch_url = Some(url.to_owned());
        assert!(clients::check(&app.app, &client).is_some(), "{url}");
    }
}
