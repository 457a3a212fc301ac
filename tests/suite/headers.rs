//! What every answer carries, whatever became of the request.

use std::collections::BTreeSet;

use rocket::http::Method;

use crate::support::{Answer, PASSWORD, TestApp, Wire};

const FORM: &str = "application/x-www-form-urlencoded";

/// Statuses that a page or an error of ours has. 414 and 431 never reach us: the listener makes them.
const STATUSES: [u16; 13] = [
    200, 303, 400, 401, 403, 404, 413, 415, 421, 422, 429, 500, 503,
];

/// An answer of each status, and of each kind: pages, errors as pages and as JSON, files, redirects.
async fn answers_of_each_kind() -> Vec<(String, Answer)> {
    let templates = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(templates.path().join("login")).expect("a folder");
    // Parses, and fails when it is rendered.
    std::fs::write(
        templates.path().join("login/sign_out.html"),
        "{{ nothing.at.all }}",
    )
    .expect("a file");
    let lines = format!(
        "throttle.account_tries = 2\ntemplates_dir = {:?}",
        templates.path()
    );
    let app = TestApp::with(&lines).await;
    let mut nobody = app.anonymous();
    let mut answers = vec![("GET /setup".to_owned(), nobody.get("/setup?code=x").await)];
    let mut browser = app.admin().await;

    for path in app.paths(Method::Get) {
        for accept in ["text/html", "application/json"] {
            let headers = [("Accept", accept), ("Sec-Fetch-Mode", "navigate")];
            for (who, client) in [("admin", &mut browser), ("nobody", &mut nobody)] {
                let answer = client.send(Method::Get, &path, &headers, "").await;
                answers.push((format!("GET {path} as {who} for {accept}"), answer));
            }
        }
    }
    for accept in ["text/html", "application/json"] {
        let mut post = async |what: &str, path: &str, site: &str, kind: &str, body: &str| {
            let headers = [
                ("Accept", accept),
                ("Sec-Fetch-Site", site),
                ("Content-Type", kind),
            ];
            let answer = app
                .anonymous()
                .send(Method::Post, path, &headers, body)
                .await;
            answers.push((format!("{what} for {accept}"), answer));
        };
        post(
            "not UTF-8",
            "/login",
            "same-origin",
            FORM,
            "username=%ff&password=b",
        )
        .await;
        post("foreign form", "/login", "cross-site", FORM, "").await;
        post(
            "too large",
            "/login",
            "same-origin",
            FORM,
            &"a".repeat(20_000),
        )
        .await;
        post("no form", "/login", "same-origin", "text/plain", "").await;
        post(
            "incomplete form",
            "/login",
            "same-origin",
            FORM,
            "username=a",
        )
        .await;
        for _ in 0..3 {
            post(
                "wrong password",
                "/login",
                "same-origin",
                FORM,
                "username=a&password=b",
            )
            .await;
        }
        let headers = [("Accept", accept), ("Host", "evil.example")];
        answers.push((
            format!("other host for {accept}"),
            nobody.send(Method::Get, "/login", &headers, "").await,
        ));
        answers.push((
            format!("nowhere for {accept}"),
            nobody
                .send(Method::Get, "/nowhere", &[("Accept", accept)], "")
                .await,
        ));
    }
    answers.push((
        "sign-in".to_owned(),
        nobody.sign_in("admin", PASSWORD).await,
    ));
    answers.push(("sign-out".to_owned(), nobody.post("/logout", &[]).await));
    app.app.db.close().await;
    answers.push(("no database".to_owned(), browser.get("/account").await));
    answers.push(("no database, JSON".to_owned(), browser.session().await));
    answers
}

#[rocket::async_test]
async fn hdr_01_every_answer_has_the_content_security_policy() {
    let answers = answers_of_each_kind().await;
    for (what, answer) in &answers {
        // The pages that ask for a passkey: see also passkeys::hdr_01_scripts_run_where_a_passkey_is_asked_for_and_nowhere_else.
        let script = match answer.body.contains("data-options") {
            true => "script-src 'self'; ",
            false => "",
        };
        assert_eq!(
            answer.header("content-security-policy"),
            format!(
                "default-src 'none'; {script}style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
            ),
            "{what}"
        );
    }
    let statuses: BTreeSet<u16> = answers.iter().map(|(_, answer)| answer.status).collect();
    assert_eq!(statuses, STATUSES.into());
}

/// Names and values, without those that an answer has only once it is sent.
fn sent_headers(answer: &str) -> BTreeSet<(String, String)> {
    let (head, _) = answer.split_once("\r\n\r\n").expect("a head");
    let header = |line: &str| {
        line.split_once(": ")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    head.lines()
        .filter_map(header)
        .filter(|(name, _)| !["connection", "content-length", "date"].contains(&name.as_str()))
        .collect()
}

#[rocket::async_test]
async fn hdr_01_answers_have_the_same_headers_whichever_listener_sends_them() {
    let app = TestApp::start().await;
    let wire = Wire::of(&app).await;
    let mut paths = app.paths(Method::Get);
    paths.extend(
        [
            "/nowhere",
            "/.vestibule/style.css",
            "/.vestibule/passkey.js",
            "/api/authz/forward-auth",
        ]
        .map(str::to_owned),
    );
    for path in paths {
        // A browser that is known gets no other cookie.
        let visit = format!("__Host-vestibule-visit={}", "A".repeat(43));
        let host = [
            ("Host", "auth.example.com"),
            ("Accept", "text/html"),
            ("Cookie", &visit),
        ];
        let answer = app.anonymous().send(Method::Get, &path, &host, "").await;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: auth.example.com\r\nAccept: text/html\r\nCookie: {visit}\r\nConnection: close\r\n\r\n"
        );
        let sent = wire.exchange(request.as_bytes()).await;
        assert_eq!(
            sent_headers(&sent),
            answer.headers.into_iter().collect(),
            "{path}"
        );
    }
}

#[rocket::async_test]
async fn hdr_02_browsers_are_told_to_stay_with_https() {
    for (what, answer) in answers_of_each_kind().await {
        assert_eq!(
            answer.header("strict-transport-security"),
            "max-age=31536000",
            "{what}"
        );
    }
}

#[rocket::async_test]
async fn hdr_02_plain_http_promises_no_https() {
    let app = TestApp::with("public_url = \"http://localhost:8000\"").await;
    let host = [("Host", "localhost:8000")];
    let answer = app.anonymous().send(Method::Get, "/login", &host, "").await;
    assert_eq!(
        (answer.status, answer.header("strict-transport-security")),
        (200, "")
    );
}

#[rocket::async_test]
async fn hdr_03_every_answer_keeps_to_its_own_origin() {
    for (what, answer) in answers_of_each_kind().await {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.header(name), value, "{name} of {what}");
        }
    }
}

#[rocket::async_test]
async fn hdr_04_no_answer_says_what_made_it() {
    for (what, answer) in answers_of_each_kind().await {
        for name in ["server", "x-powered-by", "x-rocket", "via"] {
            assert_eq!(answer.header(name), "", "{name} of {what}");
        }
        // Admins see there which version each node has.
        if what.starts_with("GET /admin/nodes as admin") {
            continue;
        }
        let body = answer.body.to_ascii_lowercase();
        for maker in [
            "rocket",
            "hyper",
            "sqlx",
            "sqlite",
            "minijinja",
            env!("CARGO_PKG_VERSION"),
        ] {
            assert!(!body.contains(maker), "{what} names {maker}: {body}");
        }
    }
}

#[rocket::async_test]
async fn hdr_04_the_listener_says_nothing_of_itself_either() {
    let app = TestApp::start().await;
    let wire = Wire::of(&app).await;
    for request in [
        "GET /login HTTP/1.1\r\nHost: auth.example.com",
        "GET /nowhere HTTP/1.1",
        "nonsense",
    ] {
        let request = format!("{request}\r\nConnection: close\r\n\r\n");
        let answer = wire.exchange(request.as_bytes()).await.to_ascii_lowercase();
        assert!(
            answer.starts_with("http/1.1 ") && !answer.contains("\r\nserver:"),
            "{answer}"
        );
        assert!(
            !answer.contains("rocket") && !answer.contains("hyper"),
            "{answer}"
        );
    }
}

#[rocket::async_test]
async fn hdr_05_only_the_stylesheet_and_the_icon_are_kept_by_browsers() {
    for (what, answer) in answers_of_each_kind().await {
        let file = what.contains("/.vestibule/") && answer.status == 200;
        let expected = if file {
            "public, max-age=31536000, immutable"
        } else {
            "no-store"
        };
        assert_eq!(answer.header("cache-control"), expected, "{what}");
    }
}

#[rocket::async_test]
async fn hdr_05_sign_out_clears_what_this_site_left_and_no_other_sites_cookies() {
    let app = TestApp::start().await;
    let answer = app.signed_in("alice").await.post("/logout", &[]).await;
    // Nothing personal is in the cache (see above), and clearing it takes Chromium seconds where it is large:
    // browser::large_cache.
    assert_eq!(answer.header("clear-site-data"), "\"storage\"");
}

#[rocket::async_test]
async fn hdr_06_every_body_is_what_its_type_says() {
    for (what, answer) in answers_of_each_kind().await {
        let right = match answer.header("content-type") {
            "" => answer.body.is_empty(),
            "text/html; charset=utf-8" => answer.body.starts_with("<!doctype html>"),
            "application/json" => answer.json().is_object(),
            "text/css; charset=utf-8" => what.contains("style.css"),
            "text/javascript; charset=utf-8" => what.contains("passkey.js"),
            "image/svg+xml" => answer.body.starts_with("<svg"),
            "text/csv; charset=utf-8; header=present" => answer.body.starts_with("id,at,event"),
            "application/jsonl; charset=utf-8" => answer.body.starts_with("{\"id\""),
            "text/plain; charset=utf-8" => ["", "ok", "ready"].contains(&answer.body.as_str()),
            _ => false,
        };
        assert!(right, "{what}: {answer:?}");
    }
}
