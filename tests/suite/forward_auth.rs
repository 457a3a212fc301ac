//! From a protected host to the sign-in page and back, as a browser goes.

use rocket::http::Method;
use vestibule::foundation::audit::Actor;
use vestibule::sites::policy::add_site;
use vestibule::sites::rules::Fallback;

use crate::support::{Answer, Client, PASSWORD, TestApp};

/// A page of a site, asked for by a browser that a proxy speaks of.
pub async fn open(browser: &mut Client, site: &str, uri: &str) -> Answer {
    let headers = [
        ("Host", site),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", site),
        ("X-Forwarded-Uri", uri),
        ("Accept", "text/html"),
        ("Sec-Fetch-Mode", "navigate"),
    ];
    browser
        .send(Method::Get, "/api/authz/forward-auth", &headers, "")
        .await
}

#[rocket::async_test]
async fn a_browser_signs_in_once_and_comes_back_to_the_page_it_wanted() {
    let app = TestApp::start().await;
    app.user("alice").await;
    add_site(
        &app.app,
        &Actor::operator(),
        "app.example.net",
        Fallback::SignedIn.into(),
    )
    .await
    .expect("a database")
    .expect("a site");
    // Two cookie jars: the sign-in host's and the site's.
    let (mut here, mut there) = (app.anonymous(), app.anonymous());
    let sent = open(&mut there, "app.example.net", "/page?x=1").await;
    assert_eq!(sent.status, 302, "{}", sent.body);
    let login = sent
        .header("location")
        .strip_prefix("https://auth.example.com")
        .expect("our sign-in page")
        .to_owned();
    assert_eq!(here.get(&login).await.status, 200);
    let query: Vec<(String, String)> = url::Url::parse(sent.header("location"))
        .expect("a URL")
        .query_pairs()
        .into_owned()
        .collect();
    let field = |name: &str| {
        query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    };
    let leave = here
        .post(
            "/login",
            &[
                ("username", "alice"),
                ("password", PASSWORD),
                ("rd", &field("rd")),
                ("flow", &field("flow")),
            ],
        )
        .await;
    assert_eq!(leave.status, 200, "{}", leave.body);
    let ticket = leave
        .body
        .split("ticket=")
        .nth(1)
        .expect("a ticket")
        .chars()
        .take(43)
        .collect::<String>();
    let entered = open(
        &mut there,
        "app.example.net",
        &format!("/.vestibule/enter?ticket={ticket}"),
    )
    .await;
    assert_eq!(
        (entered.status, entered.header("location")),
        (302, "https://app.example.net/page?x=1"),
        "{}",
        entered.body
    );
    let allowed = open(&mut there, "app.example.net", "/page?x=1").await;
    assert_eq!(
        (allowed.status, allowed.header("remote-user")),
        (200, "alice")
    );
    // A second site opens without another sign-in.
    add_site(
        &app.app,
        &Actor::operator(),
        "other.example.org",
        Fallback::SignedIn.into(),
    )
    .await
    .expect("a database")
    .expect("a site");
    let mut other = app.anonymous();
    let sent = open(&mut other, "other.example.org", "/").await;
    let login = sent
        .header("location")
        .strip_prefix("https://auth.example.com")
        .expect("our sign-in page")
        .to_owned();
    let minted = here.get(&login).await;
    assert!(
        minted
            .header("location")
            .starts_with("https://other.example.org/.vestibule/enter?ticket="),
        "{minted:?}"
    );
    here.post("/logout", &[]).await;
    assert_eq!(
        open(&mut there, "app.example.net", "/page?x=1")
            .await
            .status,
        302,
        "signed out everywhere at once"
    );
}
