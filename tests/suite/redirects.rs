//! Return addresses: a sign-in leads back to this service and nowhere else.

use crate::support::{Answer, Client, PASSWORD, TestApp};

const ELSEWHERE: [&str; 34] = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:\\\\evil.example",
    "https://auth.example.com.evil.example",
    "https://auth.example.com@evil.example",
    "https://auth.example.com:pass@evil.example/",
    "https://auth.example.com\\@evil.example",
    "https://alice@auth.example.com/account",
    "https://evil.example#auth.example.com",
    "https://evil.example?auth.example.com",
    "https://evil.example/auth.example.com",
    "https://badauth.example.com",
    "https://sub.auth.example.com",
    "https://example.com",
    "https://auth.example.com:444",
    "http://auth.example.com",
    "http://auth.example.com:443",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)//https://auth.example.com",
    "data:text/html,x",
    "%2f%2fevil.example",
    "evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/.//evil.example",
    "/account/..//evil.example",
    " https://evil.example",
    "\u{1}/account",
    "\u{ff0f}\u{ff0f}evil.example",
];

fn encoded(rd: &str) -> String {
    url::form_urlencoded::byte_serialize(rd.as_bytes()).collect()
}

/// The answers of each address that takes an rd, with the page that stands in for a refused one.
async fn answers(browser: &mut Client, rd: &str) -> [(&'static str, &'static str, Answer); 5] {
    let again = [("username", "alice"), ("password", PASSWORD), ("rd", rd)];
    let signed_in = browser.post("/login", &again).await;
    let already = browser.get(&format!("/login?rd={}", encoded(rd))).await;
    let proven = browser
        .post("/reauthenticate", &[("password", PASSWORD), ("rd", rd)])
        .await;
    let left = browser.post("/logout", &[("rd", rd)]).await;
    let nobody = browser.post("/logout", &[("rd", rd)]).await;
    [
        ("POST /login", "/account", signed_in),
        ("GET /login", "/account", already),
        ("POST /reauthenticate", "/account", proven),
        ("POST /logout", "/login?signed_out", left),
        ("POST /logout again", "/login?signed_out", nobody),
    ]
}

#[rocket::async_test]
async fn red_01_a_page_of_our_own_is_returned_to() {
    let app = TestApp::start().await;
    app.user("alice").await;
    for (rd, expected) in [
        ("/account/password", "/account/password"),
        ("/login?switch=1&x=%C3%A9", "/login?switch=1&x=%C3%A9"),
        ("/account#part", "/account"),
        ("https://auth.example.com", "/"),
        ("https://auth.example.com:443/account", "/account"),
        ("/account/../reauthenticate", "/reauthenticate"),
        ("/é", "/%C3%A9"),
    ] {
        for (place, _, answer) in answers(&mut app.anonymous(), rd).await {
            assert_eq!(
                (answer.status, answer.header("location")),
                (303, expected),
                "{place}: {rd}"
            );
        }
    }
}

#[rocket::async_test]
async fn red_01_and_02_no_return_address_leads_elsewhere() {
    let app = TestApp::start().await;
    app.user("alice").await;
    for rd in ELSEWHERE {
        for (place, instead, answer) in answers(&mut app.anonymous(), rd).await {
            assert_eq!(
                (answer.status, answer.header("location")),
                (303, instead),
                "{place}: {rd:?}"
            );
        }
    }
}

#[rocket::async_test]
async fn red_02_no_page_links_to_a_return_address() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut nobody = app.anonymous();
    for rd in ELSEWHERE {
        let rd = encoded(rd);
        for page in [
            nobody.get(&format!("/login?rd={rd}")).await,
            nobody.get(&format!("/nowhere?rd={rd}")).await,
            browser.get(&format!("/reauthenticate?rd={rd}")).await,
            browser.get(&format!("/logout?rd={rd}")).await,
            nobody.post_body("/login", &format!("rd={rd}")).await,
            nobody
                .post_body("/login", &format!("username=a&password=b&rd={rd}"))
                .await,
        ] {
            let html = page.body.replace("&#x2f;", "/");
            for attribute in ["href=\"", "src=\"", "action=\"", "url="] {
                for (at, _) in html.match_indices(attribute) {
                    let target = &html[at + attribute.len()..];
                    assert!(
                        target.starts_with('/') && !target.starts_with("//"),
                        "{html}"
                    );
                }
            }
        }
    }
}

#[rocket::async_test]
async fn red_03_a_location_is_one_line_of_printable_ascii() {
    let app = TestApp::start().await;
    app.user("alice").await;
    for rd in [
        "/x\r\nSet-Cookie:a=b",
        "/x%0d%0aSet-Cookie:a=b",
        "/x\nSet-Cookie:a=b",
        "/x\u{85}Set-Cookie:a=b",
        "/x\u{2028}Set-Cookie:a=b",
        "/é\u{202e}\u{7f}",
        "/ \"<>`{}|^",
        "/?q=\"' <>é",
    ] {
        for (place, _, answer) in answers(&mut app.anonymous(), rd).await {
            let location = answer.header("location");
            assert!(location.starts_with('/'), "{place}: {location:?}");
            assert!(
                location.bytes().all(|byte| byte.is_ascii_graphic()),
                "{place}: {location:?}"
            );
            let cookies: Vec<&str> = answer.all("set-cookie").collect();
            assert!(
                cookies
                    .iter()
                    .all(|cookie| cookie.starts_with("__Host-vestibule=")),
                "{cookies:?}"
            );
        }
    }
}

#[rocket::async_test]
async fn red_03_the_way_to_the_sign_in_page_is_encoded_too() {
    let app = TestApp::start().await;
    let answer = app
        .anonymous()
        .get("/account?x=%0d%0aSet-Cookie:a=b&y=%C3%A9")
        .await;
    assert_eq!(
        answer.header("location"),
        "/login?rd=%2Faccount%3Fx%3D%250d%250aSet-Cookie%3Aa%3Db%26y%3D%25C3%25A9"
    );
}

#[rocket::async_test]
async fn red_04_another_spelling_of_our_host_is_ours_or_refused() {
    let app = TestApp::start().await;
    app.user("alice").await;
    for (rd, expected) in [
        ("https://AUTH.Example.COM/logout", "/logout"),
        ("HTTPS://auth.example.com/logout", "/logout"),
        ("https://auth%2eexample.com/logout", "/logout"),
        ("https://auth。example.com/logout", "/logout"),
        ("https://ａuth.example.com/logout", "/logout"),
        ("https://auth.example.com./logout", "/account"),
        ("https://auth.example.com../logout", "/account"),
        ("https://аuth.example.com/logout", "/account"),
        ("https://xn--uth-5cd.example.com/logout", "/account"),
    ] {
        let fields = [("username", "alice"), ("password", PASSWORD), ("rd", rd)];
        let answer = app.anonymous().post("/login", &fields).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, expected),
            "{rd}"
        );
    }
}

#[rocket::async_test]
async fn red_04_a_host_with_an_umlaut_has_two_spellings() {
    let app = TestApp::with("public_url = \"https://bücher.example\"").await;
    app.user("alice").await;
    let headers = [
        ("Host", "xn--bcher-kva.example"),
        ("Origin", "https://xn--bcher-kva.example"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    for (rd, expected) in [
        ("https://xn--bcher-kva.example/logout", "/logout"),
        ("https://BÜCHER.example/logout", "/logout"),
        ("https://bucher.example/logout", "/account"),
    ] {
        let body = format!(
            "username=alice&password={}&rd={}",
            encoded(PASSWORD),
            encoded(rd)
        );
        let answer = app
            .anonymous()
            .send(rocket::http::Method::Post, "/login", &headers, &body)
            .await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, expected),
            "{rd}"
        );
    }
}
