//! Return addresses at protected hosts: a sign-in leads to a configured site and nowhere else.

use crate::support::proxy::{Person, way};
use crate::support::{PASSWORD, TestApp};

const PAGE_A: &str = "https://a.example.net/page?x=1";

/// A service with a wildcard over two hosts, and alice signed in.
async fn service() -> (TestApp, Person) {
    let app = TestApp::start().await;
    app.site("*.example.net", "signed-in", &[]).await;
    let alice = Person::signed_in(&app, "alice").await;
    (app, alice)
}

const ELSEWHERE: [&str; 32] = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "https:a.example.net/",
    "https:/a.example.net/",
    "//a.example.net/",
    "https://a.example.net.evil.example/",
    "https://a.example.net@evil.example/",
    "https://evil.example#a.example.net",
    "https://evil.example?a.example.net",
    "https://evil.example/a.example.net",
    "https://evil.example\\.example.net/",
    "https://a.example.net\\@evil.example/",
    "https://alice@a.example.net/",
    "https://alice:x@a.example.net/",
    "https://@a.example.net:443@evil.example/",
    "https://a.example.net:444/",
    "http://a.example.net/",
    "http://a.example.net:443/",
    "wss://a.example.net/",
    "javascript:alert(1)//https://a.example.net/",
    "data:text/html,https://a.example.net/",
    "%2f%2fevil.example",
    "https://a.exa\tmple.net/",
    "https://a.example.net/\r\nSet-Cookie:a=b",
    " https://a.example.net/",
    "https://aexample.net/",
    "https://badexample.net/",
    "https://example.net/",
    "https://a.b.example.net/",
    "https://a.example.net../",
];

#[rocket::async_test]
async fn red_01_and_02_no_return_address_leads_to_a_host_that_is_no_site() {
    let (app, mut alice) = service().await;
    let flow = "A".repeat(43);
    let long = format!("https://a.example.net/{}", "a".repeat(8_192));
    for rd in ELSEWHERE.iter().copied().chain([long.as_str()]) {
        let encoded: String = url::form_urlencoded::byte_serialize(rd.as_bytes()).collect();
        for query in [
            format!("rd={encoded}"),
            format!("rd={encoded}&flow={flow}"),
            format!("rd={encoded}&flow={flow}&retry=1"),
        ] {
            let answer = alice.here.get(&format!("/login?{query}")).await;
            assert_eq!(
                (answer.status, answer.header("location")),
                (303, "/account"),
                "{rd:?}"
            );
        }
        let fields = [
            ("username", "alice"),
            ("password", PASSWORD),
            ("rd", rd),
            ("flow", &flow),
        ];
        let answer = app.anonymous().post("/login", &fields).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/account"),
            "{rd:?}"
        );
        let form = app
            .anonymous()
            .get(&format!("/login?rd={encoded}&flow={flow}"))
            .await;
        assert!(
            !form.body.contains("url=") && !form.body.contains("href=\"http"),
            "{rd:?}"
        );
    }
    assert_eq!(app.unspent_tickets().await, 0);
}

#[rocket::async_test]
async fn red_02_only_a_sign_in_leads_to_a_site() {
    let (_app, mut alice) = service().await;
    let rd = ("rd", "https://a.example.net/");
    let proven = alice
        .here
        .post("/reauthenticate", &[("password", PASSWORD), rd])
        .await;
    assert_eq!(way(&proven), "/account");
    let left = alice.here.post("/logout", &[rd]).await;
    assert_eq!(way(&left), "/login?signed_out");
}

#[rocket::async_test]
async fn red_04_each_spelling_of_a_site_is_its_canonical_host_or_refused() {
    let (app, mut alice) = service().await;
    app.site("bücher.example", "signed-in", &[]).await;
    let flow = "A".repeat(43);
    for (rd, expected) in [
        ("https://A.Example.NET/x", "https://a.example.net/"),
        ("https://a.example.net:443/x", "https://a.example.net/"),
        ("https://a.example.net./x", "https://a.example.net/"),
        ("https://a%2eexample.net/x", "https://a.example.net/"),
        ("https://ａ.example.net/x", "https://a.example.net/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://BÜCHER.example/", "https://xn--bcher-kva.example/"),
        (
            "https://xn--bcher-kva.example/",
            "https://xn--bcher-kva.example/",
        ),
        ("https://bucher.example/", "/account"),
        ("HTTPS://a.example.net/x", "/account"),
    ] {
        let encoded: String = url::form_urlencoded::byte_serialize(rd.as_bytes()).collect();
        let to = way(&alice
            .here
            .get(&format!("/login?rd={encoded}&flow={flow}"))
            .await);
        let ticket = format!("{expected}.vestibule/enter?ticket=");
        assert!(to == expected || to.starts_with(&ticket), "{rd}: {to}");
    }
}

#[rocket::async_test]
async fn an_address_without_a_flow_begins_at_the_site_anew() {
    let (app, mut alice) = service().await;
    for flow in [
        "",
        "&flow=",
        "&flow=x",
        &format!("&flow={}", "*".repeat(43)),
    ] {
        let path = format!("/login?rd=https%3A%2F%2Fa.example.net%2Fpage%3Fx%3D1{flow}");
        assert_eq!(way(&alice.here.get(&path).await), PAGE_A);
    }
    assert_eq!(app.unspent_tickets().await, 0);
}
