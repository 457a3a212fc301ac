//! A Rocket site that embeds Vestibule: its routes ask who is there, and stay its own.

use rocket::config::LogLevel;
use rocket::futures::future::join_all;
use rocket::http::{Method, Status};
use rocket::response::status;
use rocket::serde::json::Json;
use rocket::{
    Build, Config, Request, Rocket, catch, catchers, delete, get, options, patch, post, put, routes,
};
use vestibule::{Admin, AnyOrigin, CurrentSession, CurrentUser, Denied, Error};

use crate::support::{Client, ORIGIN, PASSWORD, TestApp};

fn bare() -> Rocket<Build> {
    rocket::custom(Config {
        log_level: LogLevel::Off,
        ..Config::default()
    })
}

/// The host: pages and catchers of its own.
fn host() -> Rocket<Build> {
    bare()
        .mount(
            "/",
            routes![
                home,
                members,
                admins,
                session,
                maybe,
                either,
                basket,
                fill,
                empty,
                key,
                missing,
                own_challenge,
                own_401
            ],
        )
        .mount(
            "/change",
            routes![
                post_user,
                put_user,
                delete_user,
                patch_user,
                post_session,
                put_session,
                delete_session,
                patch_session,
                post_admin,
                put_admin,
                delete_admin,
                patch_admin,
                post_maybe,
                any_user,
                any_session,
                any_admin,
                any_maybe
            ],
        )
        .mount("/", routes![options])
        .register("/", catchers![not_found])
}

/// A route for each method that changes something.
macro_rules! changes {
    ($path:literal, $guard:ty: $post:ident $put:ident $delete:ident $patch:ident) => {
        #[post($path)]
        fn $post(_guard: $guard) -> &'static str {
            "changed"
        }
        #[put($path)]
        fn $put(_guard: $guard) -> &'static str {
            "changed"
        }
        #[delete($path)]
        fn $delete(_guard: $guard) -> &'static str {
            "changed"
        }
        #[patch($path)]
        fn $patch(_guard: $guard) -> &'static str {
            "changed"
        }
    };
}

changes!("/user", CurrentUser: post_user put_user delete_user patch_user);
changes!("/session", CurrentSession: post_session put_session delete_session patch_session);
changes!("/admin", Admin: post_admin put_admin delete_admin patch_admin);

#[options("/options")]
fn options(user: CurrentUser) -> String {
    user.username.clone()
}

#[post("/any/user")]
fn any_user(user: AnyOrigin<CurrentUser>) -> String {
    user.username.clone()
}

#[post("/any/session")]
fn any_session(current: AnyOrigin<CurrentSession>) -> String {
    current.user.username.clone()
}

#[post("/any/admin")]
fn any_admin(admin: AnyOrigin<Admin>) -> String {
    admin.username.clone()
}

#[post("/any/maybe")]
fn any_maybe(
    user: Option<AnyOrigin<CurrentUser>>,
    admin: Result<AnyOrigin<Admin>, Denied>,
) -> String {
    format!("{} {:?}", user.is_some(), admin.err())
}

#[post("/maybe")]
fn post_maybe(user: Option<CurrentUser>, session: Result<CurrentSession, Denied>) -> String {
    format!("{} {:?}", user.is_some(), session.err())
}

#[get("/")]
fn home() -> &'static str {
    "the host's home"
}

#[get("/members?<page>")]
fn members(user: CurrentUser, page: Option<u8>) -> String {
    format!("Hello, {}, to page {}", user.username, page.unwrap_or(1))
}

#[post("/members")]
fn fill_members(user: CurrentUser) -> String {
    user.username.clone()
}

#[get("/admins")]
fn admins(admin: Admin) -> String {
    format!("Hello, admin {}", admin.username)
}

#[get("/session")]
fn session(current: CurrentSession) -> String {
    current.session.id.to_string()
}

#[get("/maybe")]
fn maybe(
    user: Option<CurrentUser>,
    session: Option<CurrentSession>,
    admin: Option<Admin>,
) -> String {
    format!(
        "{} {} {}",
        user.is_some(),
        session.is_some(),
        admin.is_some()
    )
}

#[get("/either")]
fn either(user: Result<CurrentUser, Denied>, admin: Result<Admin, Denied>) -> String {
    format!(
        "{:?} {:?}",
        user.map(|user| user.0.username),
        admin.map(|admin| admin.0.username)
    )
}

#[get("/basket")]
async fn basket(current: CurrentSession) -> Result<Json<Option<Vec<String>>>, Status> {
    current
        .get("basket")
        .await
        .map(Json)
        .map_err(|error| match error {
            Error::Data(_) => Status::Conflict,
            _ => Status::ServiceUnavailable,
        })
}

#[post("/basket/<thing>")]
async fn fill(current: CurrentSession, thing: &str) -> Result<(), Error> {
    let mut basket: Vec<String> = current.get("basket").await?.unwrap_or_default();
    basket.push(thing.to_owned());
    current.set("basket", &basket).await?;
    current.set("other", &42).await
}

#[post("/basket/empty")]
async fn empty(current: CurrentSession) -> Result<(), Error> {
    current.remove("basket").await
}

#[post("/key/<key>")]
async fn key(current: CurrentSession, key: &str) -> Result<(), Error> {
    current.set(key, &true).await
}

#[get("/missing")]
fn missing() -> Option<&'static str> {
    None
}

#[get("/own-401")]
fn own_401() -> status::Unauthorized<&'static str> {
    status::Unauthorized("the host's own 401")
}

#[derive(rocket::Responder)]
#[response(status = 401)]
struct Challenge(&'static str, rocket::http::Header<'static>);

/// Asks for an API key, though it knows who may be signed in.
#[get("/own-challenge")]
fn own_challenge(_user: Option<CurrentUser>) -> Challenge {
    Challenge(
        "the host's own challenge",
        rocket::http::Header::new("WWW-Authenticate", "ApiKey"),
    )
}

#[catch(404)]
fn not_found(_: &Request<'_>) -> &'static str {
    "the host's own 404"
}

async fn signed_in(app: &TestApp, username: &str) -> Client {
    app.user(username).await;
    let mut client = app.embedded_in(host()).await;
    let answer = client.sign_in(username, PASSWORD).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    client
}

#[rocket::async_test]
async fn a_page_sends_a_browser_to_sign_in_and_back() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let mut browser = app.embedded_in(host()).await;
    let sent = browser.get("/members?page=2").await;
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, "/login?rd=%2Fmembers%3Fpage%3D2")
    );
    assert!(
        browser
            .get(sent.header("location"))
            .await
            .body
            .contains("value=\"/members?page=2\"".replace('/', "&#x2f;").as_str())
    );
    let fields = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("rd", "/members?page=2"),
    ];
    let back = browser.post("/login", &fields).await;
    assert_eq!(
        (back.status, back.header("location")),
        (303, "/members?page=2")
    );
    assert_eq!(
        browser.get("/members?page=2").await.body,
        "Hello, alice, to page 2"
    );
}

#[rocket::async_test]
async fn a_page_answers_401_to_anything_but_a_browser() {
    let app = TestApp::start().await;
    let mut client = app.embedded_in(host()).await;
    for headers in [
        [].as_slice(),
        &[("Accept", "application/json")],
        &[("Accept", "*/*")],
        &[("Accept", "text/html"), ("Sec-Fetch-Mode", "cors")],
        &[
            ("Accept", "text/html"),
            ("X-Requested-With", "XMLHttpRequest"),
        ],
    ] {
        let answer = client.send(Method::Get, "/members", headers, "").await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (401, ""),
            "{headers:?}"
        );
        assert_eq!(
            answer.header("www-authenticate"),
            "Vestibule",
            "{headers:?}"
        );
    }
    let answer = client
        .send(
            Method::Get,
            "/members",
            &[("Accept", "application/json")],
            "",
        )
        .await;
    assert_eq!(answer.json()["error"], "unauthenticated");
}

#[rocket::async_test]
async fn a_form_of_the_host_is_not_sent_again_after_sign_in() {
    let app = TestApp::start().await;
    let mut browser = app
        .embedded_in(bare().mount("/", routes![fill_members]))
        .await;
    let answer = browser.post("/members", &[]).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/login?rd=%2F&rm=POST"),
        "there is no GET to come back to"
    );
    let told = browser.get(answer.header("location")).await;
    assert!(told.body.contains("The form that you sent was not taken"));
}

#[rocket::async_test]
async fn a_page_for_admins_is_for_admins() {
    let app = TestApp::start().await;
    app.admin().await;
    let mut admin = signed_in(&app, "admin").await;
    assert_eq!(admin.get("/admins").await.body, "Hello, admin admin");
    let mut alice = signed_in(&app, "alice").await;
    assert_eq!(alice.get("/admins").await.status, 403);
    let mut nobody = app.embedded_in(host()).await;
    assert_eq!(
        nobody.get("/admins").await.header("location"),
        "/login?rd=%2Fadmins"
    );
}

#[rocket::async_test]
async fn a_session_is_the_one_that_the_service_names() {
    let app = TestApp::start().await;
    let mut alice = signed_in(&app, "alice").await;
    let id = alice.get("/session").await.body;
    assert_eq!(alice.session().await.json()["session"]["id"], id);
}

#[rocket::async_test]
async fn an_option_tells_who_is_there_without_asking_for_anybody() {
    let app = TestApp::start().await;
    let mut nobody = app.embedded_in(host()).await;
    assert_eq!(nobody.get("/maybe").await.body, "false false false");
    let mut alice = signed_in(&app, "alice").await;
    assert_eq!(alice.get("/maybe").await.body, "true true false");
    app.admin().await;
    let mut admin = signed_in(&app, "admin").await;
    assert_eq!(admin.get("/maybe").await.body, "true true true");
}

#[rocket::async_test]
async fn a_result_tells_nobody_there_from_a_database_that_fails() {
    let app = TestApp::start().await;
    let mut nobody = app.embedded_in(host()).await;
    assert_eq!(
        nobody.get("/either").await.body,
        "Err(Unauthenticated) Err(Unauthenticated)"
    );
    let mut alice = signed_in(&app, "alice").await;
    assert_eq!(
        alice.get("/either").await.body,
        "Ok(\"alice\") Err(Forbidden)"
    );
    app.execute("UPDATE users SET must_change_password = TRUE")
        .await;
    assert_eq!(
        alice.get("/either").await.body,
        "Err(PasswordChangeRequired) Err(PasswordChangeRequired)"
    );
    app.app.db.close().await;
    assert_eq!(
        alice.get("/either").await.body,
        "Err(Unavailable) Err(Unavailable)"
    );
    assert_eq!(
        alice.get("/maybe").await.body,
        "false false false",
        "an option cannot tell"
    );
    assert_eq!(
        alice.get("/members").await.status,
        503,
        "and a guard lets nobody in"
    );
}

/// What a page elsewhere makes a browser send along.
const FOREIGN: [&[(&str, &str)]; 6] = [
    &[
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ],
    &[
        ("Origin", "https://sibling.example.com"),
        ("Sec-Fetch-Site", "same-site"),
    ],
    &[("Sec-Fetch-Site", "cross-site")],
    &[("Origin", "http://auth.example.com")],
    &[("Origin", "https://auth.example.com:8443")],
    // Nothing at all: no browser of today.
    &[],
];

const CHANGES: [Method; 4] = [Method::Post, Method::Put, Method::Delete, Method::Patch];

#[rocket::async_test]
async fn emb_01_a_guard_on_a_changing_request_refuses_other_origins() {
    let app = TestApp::start().await;
    app.admin().await;
    let mut admin = signed_in(&app, "admin").await;
    for path in ["/change/user", "/change/session", "/change/admin"] {
        for method in CHANGES {
            for headers in FOREIGN {
                let answer = admin.send(method, path, headers, "").await;
                assert_eq!(answer.status, 403, "{method} {path} {headers:?}");
                assert_ne!(answer.body, "changed");
            }
            let ours = [("Origin", ORIGIN), ("Sec-Fetch-Site", "same-origin")];
            let answer = admin.send(method, path, &ours, "").await;
            assert_eq!(answer.body, "changed", "{method} {path}");
        }
        let json = [FOREIGN[0], &[("Accept", "application/json")]].concat();
        let answer = admin.send(Method::Post, path, &json, "").await;
        assert_eq!(answer.json()["error"], "foreign_form");
        // Who is not signed in is told so first.
        let mut nobody = app.embedded_in(host()).await;
        let answer = nobody.send(Method::Post, path, FOREIGN[0], "").await;
        assert_eq!(answer.status, 401, "{path}");
    }
}

#[rocket::async_test]
async fn emb_01_what_changes_nothing_is_open_to_links_from_elsewhere() {
    let app = TestApp::start().await;
    let mut alice = signed_in(&app, "alice").await;
    for headers in FOREIGN {
        for (method, path) in [
            (Method::Get, "/members"),
            (Method::Head, "/members"),
            (Method::Options, "/options"),
        ] {
            let answer = alice.send(method, path, headers, "").await;
            assert_eq!(answer.status, 200, "{method} {headers:?}");
        }
    }
}

/// Rocket takes a form's `_method` for the method.
#[rocket::async_test]
async fn emb_01_a_foreign_form_that_names_its_method_changes_nothing() {
    let app = TestApp::start().await;
    let mut alice = signed_in(&app, "alice").await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for method in ["put", "delete", "patch"] {
        let headers = [FOREIGN[0], &[form]].concat();
        let answer = alice
            .send(
                Method::Post,
                "/change/user",
                &headers,
                format!("_method={method}"),
            )
            .await;
        assert_eq!(answer.status, 403, "{method}");
    }
}

#[rocket::async_test]
async fn emb_01_an_option_and_a_result_of_a_guard_take_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let mut alice = signed_in(&app, "alice").await;
    let answer = alice
        .send(Method::Post, "/change/maybe", FOREIGN[0], "")
        .await;
    assert_eq!(answer.body, "false Some(CrossOrigin)");
    let answer = alice
        .send(Method::Post, "/change/maybe", &[("Origin", ORIGIN)], "")
        .await;
    assert_eq!(answer.body, "true None");
}

#[rocket::async_test]
async fn emb_01_a_route_that_is_meant_for_other_origins_takes_them() {
    let app = TestApp::start().await;
    app.admin().await;
    let mut admin = signed_in(&app, "admin").await;
    let mut alice = signed_in(&app, "alice").await;
    for headers in FOREIGN {
        for path in [
            "/change/any/user",
            "/change/any/session",
            "/change/any/admin",
        ] {
            let answer = admin.send(Method::Post, path, headers, "").await;
            assert_eq!(answer.body, "admin", "{path} {headers:?}");
        }
        // It still asks who that is.
        let path = "/change/any/admin";
        assert_eq!(
            alice.send(Method::Post, path, headers, "").await.status,
            403
        );
        let mut nobody = app.embedded_in(host()).await;
        assert_eq!(
            nobody.send(Method::Post, path, headers, "").await.status,
            401
        );
        let path = "/change/any/maybe";
        let answer = alice.send(Method::Post, path, headers, "").await;
        assert_eq!(answer.body, "true Some(Forbidden)");
    }
}

#[rocket::async_test]
async fn a_guard_without_the_fairing_is_an_error_at_launch() {
    for routes in [
        routes![members],
        routes![admins],
        routes![session],
        routes![maybe],
        routes![any_user],
        routes![any_maybe],
    ] {
        let launched = bare().mount("/", routes).ignite().await;
        let error = launched.expect_err("a route asks for what is not there");
        assert!(
            matches!(error.kind(), rocket::error::ErrorKind::SentinelAborts(_)),
            "{error}"
        );
    }
    assert!(bare().mount("/", routes![home]).ignite().await.is_ok());
}

#[rocket::async_test]
async fn the_hosts_own_answers_are_left_alone() {
    let app = TestApp::start().await;
    for mut client in [
        app.embedded_in(host()).await,
        signed_in(&app, "alice").await,
    ] {
        for (path, status, body) in [
            ("/", 200, "the host's home"),
            ("/missing", 404, "the host's own 404"),
            ("/nowhere", 404, "the host's own 404"),
            ("/healthz", 404, "the host's own 404"),
            ("/own-401", 401, "the host's own 401"),
            ("/own-challenge", 401, "the host's own challenge"),
        ] {
            let answer = client.get(path).await;
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (status, body),
                "{path}"
            );
            for ours in [
                "content-security-policy",
                "cache-control",
                "strict-transport-security",
                "vary",
            ] {
                assert_eq!(answer.header(ours), "", "{path} has no {ours} of ours");
            }
        }
    }
}

#[rocket::async_test]
async fn vestibules_own_pages_have_their_headers_in_a_host_too() {
    let app = TestApp::start().await;
    let mut alice = signed_in(&app, "alice").await;
    for path in [
        "/account",
        "/logout",
        "/api/session",
        "/.vestibule/icon.svg",
    ] {
        let answer = alice.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'"),
            "{path}"
        );
        assert_ne!(answer.header("cache-control"), "", "{path}");
    }
}

#[rocket::async_test]
async fn the_session_object_keeps_what_the_host_puts_there() {
    let app = TestApp::start().await;
    let mut alice = signed_in(&app, "alice").await;
    assert_eq!(alice.get("/basket").await.body, "null");
    alice.post("/basket/apples", &[]).await;
    alice.post("/basket/pears", &[]).await;
    assert_eq!(alice.get("/basket").await.body, "[\"apples\",\"pears\"]");
    alice.post("/basket/empty", &[]).await;
    assert_eq!(alice.get("/basket").await.body, "null");
    assert_eq!(
        app.sql("SELECT data FROM sessions").await,
        ["{\"other\":42}"],
        "one key is removed"
    );
}

#[rocket::async_test]
async fn the_session_object_belongs_to_one_session_and_outlives_restart_and_new_token() {
    let app = TestApp::start().await;
    let mut alice = signed_in(&app, "alice").await;
    let mut elsewhere = signed_in(&app, "alice").await;
    alice.post("/basket/apples", &[]).await;
    assert_eq!(elsewhere.get("/basket").await.body, "null");
    assert_eq!(
        alice
            .post("/reauthenticate", &[("password", PASSWORD)])
            .await
            .status,
        303
    );
    let app = app.restarted().await;
    let mut again = app.embedded_in(host()).await;
    again.cookies = alice.cookies.clone();
    assert_eq!(again.get("/basket").await.body, "[\"apples\"]");
    again.post("/logout", &[]).await;
    assert_eq!(again.sign_in("alice", PASSWORD).await.status, 303);
    assert_eq!(
        again.get("/basket").await.body,
        "null",
        "it ends with its session"
    );
}

#[rocket::async_test]
async fn the_session_object_says_so_when_it_holds_another_type() {
    let app = TestApp::start().await;
    let mut alice = signed_in(&app, "alice").await;
    app.execute("UPDATE sessions SET data = '{\"basket\":7}'")
        .await;
    assert_eq!(alice.get("/basket").await.status, 409);
}

#[rocket::async_test]
async fn the_session_object_loses_no_key_when_many_are_written_at_once() {
    let app = TestApp::start().await;
    let alice = signed_in(&app, "alice").await;
    let keys: Vec<String> = (0..20).map(|n| format!("key{n}")).collect();
    let writes = keys.iter().map(|key| {
        let mut alice = alice.clone();
        async move { alice.post(&format!("/key/{key}"), &[]).await.status }
    });
    assert_eq!(join_all(writes).await, [200; 20]);
    let data = app.sql("SELECT data FROM sessions").await.concat();
    assert!(
        keys.iter().all(|key| data.contains(&format!("\"{key}\""))),
        "{data}"
    );
}
