//! App tokens: what they open, from where, for how long, and what they never do.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rocket::http::Method;
use vestibule::account::{lifecycle, reset};
use vestibule::foundation::audit::Actor;
use vestibule::foundation::db::Location;
use vestibule::open_app;
use vestibule::people::app_tokens::{self, NewToken, Secret};
use vestibule::people::users::{self, Changes};
use vestibule::sessions;
use vestibule::sites::policy;
use vestibule::sites::rules::Site;
use vestibule::sites::terms::Factors;

use crate::support::proxy::{PAGE, Person, SCRIPT};
use crate::support::{Answer, Authenticator, Client, PASSWORD, TestApp, logged};

const DAY: Duration = Duration::from_secs(86_400);
const DAV: &str = "https://dav.example.net/calendar/";

/// What a program sends that is no browser.
const PROGRAM: (&str, &str) = ("Accept", "*/*");

fn basic(username: &str, password: &str) -> String {
    format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{password}"))
    )
}

/// What a scraper is told.
async fn metrics(app: &TestApp) -> String {
    let headers = [("Authorization", "Bearer a-token-for-metrics")];
    let mut scraper = app.anonymous();
    scraper
        .send(Method::Get, "/metrics", &headers, "")
        .await
        .body
}

/// A service with alice, and a site that takes tokens.
async fn service() -> (TestApp, Site) {
    let app = TestApp::with("metrics_token = \"a-token-for-metrics\"").await;
    app.user("alice").await;
    let site = taking(&app, "dav.example.net").await;
    (app, site)
}

async fn taking(app: &TestApp, host: &str) -> Site {
    let site = app
        .site(
            host,
            "signed-in",
            &[
                "allow /public/* for anyone",
                "allow /staff/* for group:staff",
            ],
        )
        .await;
    on_terms(app, site, |site| site.terms.tokens = true).await
}

async fn on_terms(app: &TestApp, mut site: Site, change: impl FnOnce(&mut Site)) -> Site {
    change(&mut site);
    policy::change_site(
        &app.app,
        &Actor::operator(),
        site.id,
        site.terms.clone(),
        None,
    )
    .await
    .expect("a database")
    .expect("a site");
    site
}

fn for_site(site: &Site) -> NewToken {
    NewToken {
        id: uuid::Uuid::now_v7(),
        name: "calendar".to_owned(),
        sites: Some(vec![site.id]),
        networks: Vec::new(),
        two_factor: false,
        expires_at: None,
    }
}

/// Makes a token of alice's: its text.
async fn made(app: &TestApp, new: NewToken) -> String {
    let secret = Secret::generate();
    app_tokens::add(&app.app, &Actor::operator(), "alice", new, &secret)
        .await
        .expect("a database")
        .expect("a token");
    secret.reveal().to_owned()
}

/// Asks as a program with this Authorization.
async fn ask(app: &TestApp, url: &str, authorization: &str) -> Answer {
    let headers = [PROGRAM, ("Authorization", authorization)];
    app.anonymous().ask("PROPFIND", url, &headers).await
}

async fn status(app: &TestApp, url: &str, authorization: &str) -> u16 {
    ask(app, url, authorization).await.status
}

#[rocket::async_test]
async fn a_token_says_who_it_is_by_basic_and_by_bearer() {
    let (app, site) = service().await;
    let token = made(&app, for_site(&site)).await;
    for authorization in [
        basic("alice", &token),
        basic("ALICE", &token),
        format!("Bearer {token}"),
        format!("bearer {token}"),
        basic("alice", &token).replace('=', ""),
    ] {
        let headers = [PROGRAM, ("Authorization", authorization.as_str())];
        let mut program = app.anonymous();
        for answer in [
            program.ask("PROPFIND", DAV, &headers).await,
            program.ask_as_nginx("PROPFIND", DAV, &headers).await,
            program.ask_as_envoy(Method::Get, DAV, &headers).await,
        ] {
            assert_eq!(answer.status, 200, "{authorization}");
            assert_eq!(answer.header("remote-user"), "alice");
            assert_eq!(answer.header("remote-methods"), "token");
            assert_eq!(answer.all("set-cookie").count(), 0);
        }
    }
}

#[rocket::async_test]
async fn tok_01_a_token_is_160_bits_and_nowhere_but_with_the_program() {
    let (app, _) = service().await;
    let mut alice = app.sign_in_again("alice").await;
    let (token, log) = logged(async {
        let token = make_on_page(&mut alice, "dav.example.net")
            .await
            .expect("a token");
        assert_eq!(status(&app, DAV, &basic("alice", &token)).await, 200);
        assert_eq!(
            status(
                &app,
                "https://dav.example.net/staff/",
                &format!("Bearer {token}")
            )
            .await,
            403
        );
        token
    })
    .await;
    assert!(!log.contains(&token), "{log}");
    let letters = token.strip_prefix("vst_").expect("its beginning");
    assert_eq!(letters.len() * 5, 160);
    assert!(
        letters
            .bytes()
            .all(|letter| letter.is_ascii_uppercase() || (b'2'..=b'7').contains(&letter))
    );
    app.wait(Duration::from_secs(1)).await;
    for text in app.dump().await {
        assert!(!text.contains(&token), "{text}");
    }
    for file in app.files() {
        assert!(
            !file
                .windows(token.len())
                .any(|part| part == token.as_bytes())
        );
    }
    let page = alice.get("/account/tokens").await.body;
    assert!(!page.contains(&token), "shown once");
}

/// Makes a token on the page of its owner, as a person does.
async fn make_on_page(client: &mut Client, host: &str) -> Option<String> {
    let page = client.get("/account/tokens").await;
    assert_eq!(page.status, 200, "{page:?}");
    let id = page.field_of("action=\"/account/tokens\"", "id");
    let form = [
        ("id", id.as_str()),
        ("name", "phone"),
        ("sites", host),
        ("networks", ""),
        ("expires", "90d"),
    ];
    let answer = client.post("/account/tokens", &form).await;
    let (_, rest) = answer.body.split_once("id=\"token\">")?;
    Some(rest.split('<').next()?.to_owned())
}

#[rocket::async_test]
async fn tok_02_a_token_opens_only_its_site_from_its_networks_until_its_end() {
    let (app, dav) = service().await;
    let other = taking(&app, "wiki.example.net").await;
    app.site("shut.example.net", "signed-in", &[]).await;
    let (wiki, shut) = ("https://wiki.example.net/", "https://shut.example.net/");
    let one = basic("alice", &made(&app, for_site(&dav)).await);
    assert_eq!(status(&app, DAV, &one).await, 200);
    assert_eq!(status(&app, wiki, &one).await, 401);
    assert_eq!(
        status(&app, shut, &one).await,
        401,
        "no tokens are taken there"
    );
    let both = NewToken {
        sites: Some(vec![dav.id, other.id]),
        ..for_site(&dav)
    };
    let both = basic("alice", &made(&app, both).await);
    assert_eq!(
        (
            status(&app, DAV, &both).await,
            status(&app, wiki, &both).await
        ),
        (200, 200)
    );
    let all = NewToken {
        sites: None,
        ..for_site(&dav)
    };
    let all = basic("alice", &made(&app, all).await);
    assert_eq!(
        (
            status(&app, wiki, &all).await,
            status(&app, shut, &all).await
        ),
        (200, 401)
    );

    // A site that stops taking tokens takes none from the next request on.
    let closed = on_terms(&app, dav, |site| site.terms.tokens = false).await;
    assert_eq!(status(&app, DAV, &one).await, 401);
    let dav = on_terms(&app, closed, |site| site.terms.tokens = true).await;
    assert_eq!(status(&app, DAV, &one).await, 200);

    let near = NewToken {
        networks: vec!["10.0.0.0/8".parse().expect("a network")],
        ..for_site(&dav)
    };
    let near = basic("alice", &made(&app, near).await);
    for (address, expected) in [
        (Some("10.1.2.3"), 200),
        (Some("192.0.2.1"), 401),
        (None, 401),
    ] {
        let mut headers = vec![PROGRAM, ("Authorization", near.as_str())];
        headers.extend(address.map(|address| ("X-Forwarded-For", address)));
        let answer = app.anonymous().ask("GET", DAV, &headers).await;
        assert_eq!(answer.status, expected, "{address:?}");
    }

    let end = app.clock.now().plus(DAY);
    let short = NewToken {
        expires_at: Some(end),
        ..for_site(&dav)
    };
    let short = basic("alice", &made(&app, short).await);
    app.wait(DAY - Duration::from_secs(1)).await;
    assert_eq!(status(&app, DAV, &short).await, 200);
    app.wait(Duration::from_secs(1)).await;
    assert_eq!(status(&app, DAV, &short).await, 401);
}

#[rocket::async_test]
async fn tok_02_a_token_has_the_rights_that_its_owner_has_now() {
    let (app, site) = service().await;
    let (staff, public) = (
        "https://dav.example.net/staff/",
        "https://dav.example.net/public/",
    );
    let token = basic("alice", &made(&app, for_site(&site)).await);
    assert_eq!(status(&app, staff, &token).await, 403);
    let operator = Actor::operator();
    let change = |changes| lifecycle::change(&app.app, &operator, "alice", changes);
    let joins = Changes {
        add_groups: vec!["staff".to_owned()],
        ..Changes::default()
    };
    change(joins).await.expect("a database").expect("a user");
    assert_eq!(status(&app, staff, &token).await, 200);
    let leaves = Changes {
        remove_groups: vec!["staff".to_owned()],
        ..Changes::default()
    };
    change(leaves).await.expect("a database").expect("a user");
    assert_eq!(status(&app, staff, &token).await, 403);
    let must = |must| Changes {
        must_change_password: Some(must),
        ..Changes::default()
    };
    change(must(true))
        .await
        .expect("a database")
        .expect("a user");
    assert_eq!(status(&app, DAV, &token).await, 401);
    assert_eq!(
        status(&app, public, &token).await,
        401,
        "what does not count is not handed on"
    );
    change(must(false))
        .await
        .expect("a database")
        .expect("a user");
    assert_eq!(status(&app, DAV, &token).await, 200);
}

#[rocket::async_test]
async fn tok_02_a_token_ends_with_what_ends_its_owners_sessions() {
    let (app, site) = service().await;
    app.admin().await;
    let operator = Actor::operator();
    let password = vestibule::people::passwords::Password::generate;
    for what in [
        "disable",
        "set password",
        "one-time password",
        "reset factors",
        "reset link",
        "everyone",
        "delete",
    ] {
        let token = basic("alice", &made(&app, for_site(&site)).await);
        assert_eq!(status(&app, DAV, &token).await, 200, "{what}");
        match what {
            "disable" => {
                lifecycle::disable(&app.app, &operator, "alice")
                    .await
                    .expect("a database")
                    .expect("a user");
                assert_eq!(status(&app, DAV, &token).await, 401);
                lifecycle::enable(&app.app, &operator, "alice")
                    .await
                    .expect("a database")
                    .expect("a user");
            }
            "set password" => {
                lifecycle::set_password(&app.app, &operator, "alice", &password())
                    .await
                    .expect("a database")
                    .expect("a user");
            }
            "one-time password" => {
                lifecycle::set_one_time_password(&app.app, &operator, "alice", &password())
                    .await
                    .expect("a database")
                    .expect("a user");
                let changes = Changes {
                    must_change_password: Some(false),
                    ..Changes::default()
                };
                lifecycle::change(&app.app, &operator, "alice", changes)
                    .await
                    .expect("a database")
                    .expect("a user");
            }
            "reset factors" => {
                lifecycle::reset_factors(&app.app, &operator, "alice")
                    .await
                    .expect("a database")
                    .expect("a user");
            }
            "reset link" => {
                let link = reset::link_for(&app.app, &operator, "alice").await;
                let link = link.expect("a database").expect("a user");
                let path = link.strip_prefix("https://auth.example.com").expect("ours");
                let form = [("new_password", "chosen after a reset")];
                assert_eq!(app.anonymous().post(path, &form).await.status, 200);
            }
            "everyone" => {
                sessions::revoke_everyone(&app.app, &operator, None)
                    .await
                    .expect("a database");
            }
            _ => {
                lifecycle::delete(&app.app, &operator, "alice")
                    .await
                    .expect("a database")
                    .expect("a user");
            }
        }
        assert_eq!(status(&app, DAV, &token).await, 401, "{what}");
    }
}

#[rocket::async_test]
async fn tok_03_a_revoke_is_heard_by_the_next_request() {
    let (app, site) = service().await;
    for round in 0..1_000 {
        let new = for_site(&site);
        let id = new.id;
        let token = basic("alice", &made(&app, new).await);
        assert_eq!(status(&app, DAV, &token).await, 200, "{round}");
        let revoked = app_tokens::revoke(&app.app, &Actor::operator(), id, None).await;
        assert!(revoked.expect("a database"));
        assert_eq!(status(&app, DAV, &token).await, 401, "{round}");
    }
}

#[rocket::async_test]
async fn tok_03_a_revoke_by_another_process_is_heard_by_the_next_request() {
    let (app, site) = service().await;
    let path = app.folder.path().join("vestibule.db");
    let location = Location::parse(&format!("sqlite:{}", path.display())).expect("a path");
    let other = open_app(app.app.settings.clone(), app.clock.clone(), &location)
        .await
        .expect("a service");
    other.db.acknowledge_beside_a_server();
    for round in 0..10 {
        let new = for_site(&site);
        let id = new.id;
        let token = basic("alice", &made(&app, new).await);
        for _ in 0..3 {
            assert_eq!(status(&app, DAV, &token).await, 200, "{round}");
        }
        let revoked = app_tokens::revoke(&other, &Actor::operator(), id, None).await;
        assert!(revoked.expect("a database"));
        assert_eq!(status(&app, DAV, &token).await, 401, "{round}");
    }
    other.close().await;
}

#[rocket::async_test]
async fn tok_04_the_accounts_password_is_never_taken_by_basic() {
    let (app, _) = service().await;
    let answer = ask(&app, DAV, &basic("alice", PASSWORD)).await;
    assert_eq!(answer.status, 401);
    let public = ask(
        &app,
        "https://dav.example.net/public/",
        &basic("alice", PASSWORD),
    )
    .await;
    assert_eq!((public.status, public.header("remote-user")), (200, ""));
    assert_eq!(
        public.header("authorization"),
        basic("alice", PASSWORD),
        "it is the application's"
    );
}

#[rocket::async_test]
async fn tok_04_wrong_tokens_write_nothing_and_throttle_nobody() {
    let (app, site) = service().await;
    let right = basic("alice", &made(&app, for_site(&site)).await);
    app.wait(Duration::from_secs(1)).await;
    let before = app.dump().await;
    for _ in 0..1_000 {
        let wrong = basic("alice", Secret::generate().reveal());
        assert_eq!(status(&app, DAV, &wrong).await, 401);
    }
    assert_eq!(app.dump().await, before);
    assert!(
        metrics(&app)
            .await
            .contains("vestibule_wrong_app_tokens_total 1000\n")
    );
    assert_eq!(status(&app, DAV, &right).await, 200);
    app.sign_in_again("alice").await;
}

#[rocket::async_test]
async fn a_token_is_its_owners_alone() {
    let (app, site) = service().await;
    app.user("bob").await;
    let token = made(&app, for_site(&site)).await;
    for username in ["bob", "", "alice2", "älice", "alice:x"] {
        assert_eq!(
            status(&app, DAV, &basic(username, &token)).await,
            401,
            "{username}"
        );
    }
    assert_eq!(
        status(&app, DAV, &basic("alice", &format!("{token}:x"))).await,
        401
    );
    assert_eq!(
        status(&app, DAV, &basic("alice", &token.to_lowercase())).await,
        401
    );
}

#[rocket::async_test]
async fn tok_05_only_a_program_is_asked_for_basic_and_only_where_tokens_are_taken() {
    let (app, _) = service().await;
    app.site("shut.example.net", "signed-in", &[]).await;
    let challenge = async |url: &str, headers: &[(&str, &str)]| {
        let mut asker = app.anonymous();
        let mut challenges = Vec::new();
        for answer in [
            asker.ask("GET", url, headers).await,
            asker.ask_as_nginx("GET", url, headers).await,
            asker.ask_as_envoy(Method::Get, url, headers).await,
        ] {
            assert!([302, 401].contains(&answer.status), "{answer:?}");
            challenges.push(answer.header("www-authenticate").to_owned());
        }
        challenges
    };
    let basic = "Basic realm=\"dav.example.net\", charset=\"UTF-8\"";
    for headers in [
        &[][..],
        &[PROGRAM],
        &[("Accept", "application/xml"), ("User-Agent", "DAVx5")],
    ] {
        assert_eq!(challenge(DAV, headers).await, [basic; 3], "{headers:?}");
    }
    for headers in [
        &PAGE[..],
        &SCRIPT,
        &[("Accept", "text/html")],
        &[("Sec-Fetch-Mode", "no-cors")],
        &[("Sec-Fetch-Mode", "websocket")],
    ] {
        for told in challenge(DAV, headers).await {
            assert!(!told.contains("Basic"), "{headers:?}: {told}");
        }
    }
    for told in challenge("https://shut.example.net/", &[PROGRAM]).await {
        assert!(!told.contains("Basic"), "{told}");
    }
}

#[rocket::async_test]
async fn tok_06_a_token_is_told_to_be_taken_off_and_nothing_else_is() {
    let (app, site) = service().await;
    let token = basic("alice", &made(&app, for_site(&site)).await);
    let foreign = "Bearer an.applications.own";
    let public = "https://dav.example.net/public/";
    for (authorization, ours) in [(token.as_str(), true), (foreign, false)] {
        let headers = [PROGRAM, ("Authorization", authorization)];
        let mut program = app.anonymous();
        let traefik = program.ask("GET", public, &headers).await;
        assert_eq!(
            traefik.header("authorization"),
            if ours { "" } else { foreign }
        );
        let nginx = program.ask_as_nginx("GET", public, &headers).await;
        assert_eq!(nginx.header("remote-methods") == "token", ours);
        let envoy = program.ask_as_envoy(Method::Get, public, &headers).await;
        let removed = envoy.header("x-envoy-auth-headers-to-remove");
        assert_eq!(removed.split(',').any(|name| name == "authorization"), ours);
    }
}

#[rocket::async_test]
async fn atk_14_a_token_opens_no_page_and_no_session() {
    let (app, site) = service().await;
    let token = basic("alice", &made(&app, for_site(&site)).await);
    for path in ["/account", "/account/tokens", "/api/session", "/admin"] {
        let headers = [PROGRAM, ("Authorization", token.as_str())];
        let answer = app.anonymous().send(Method::Get, path, &headers, "").await;
        assert_eq!(answer.status, 401, "{path}");
    }
}

#[rocket::async_test]
async fn atk_15_a_token_is_two_factors_only_if_made_so_and_while_its_owner_has_a_second() {
    let (app, site) = service().await;
    let site = on_terms(&app, site, |site| site.terms.factors = Factors::Two).await;
    let of_command = basic("alice", &made(&app, for_site(&site)).await);
    let mut alice = app.sign_in_again("alice").await;
    let by_one = make_on_page(&mut alice, "dav.example.net")
        .await
        .expect("a token");
    Authenticator::set_up(&app, &mut alice).await;
    let by_two = make_on_page(&mut alice, "dav.example.net")
        .await
        .expect("a token");
    let (by_one, by_two) = (basic("alice", &by_one), basic("alice", &by_two));
    let found = [
        status(&app, DAV, &of_command).await,
        status(&app, DAV, &by_one).await,
        status(&app, DAV, &by_two).await,
    ];
    assert_eq!(found, [403, 403, 200]);
    app.execute("DELETE FROM totp").await;
    assert_eq!(status(&app, DAV, &by_two).await, 403);
}

#[rocket::async_test]
async fn atk_15_ones_own_new_password_ends_tokens_where_the_box_is_ticked() {
    let (app, site) = service().await;
    let mut alice = app.sign_in_again("alice").await;
    let page = alice.get("/account/password").await.body;
    let (_, field) = page.split_once("id=\"end_tokens\"").expect("a box");
    assert!(
        field
            .split('>')
            .next()
            .expect("its tag")
            .contains("checked")
    );
    let token = basic("alice", &made(&app, for_site(&site)).await);
    let (first, second) = ("a new and long password 1", "a new and long password 2");
    let form = [("current_password", PASSWORD), ("new_password", first)];
    assert_eq!(alice.post("/account/password", &form).await.status, 303);
    assert_eq!(status(&app, DAV, &token).await, 200, "not ticked");
    let form = [
        ("current_password", first),
        ("new_password", second),
        ("end_tokens", "on"),
    ];
    assert_eq!(alice.post("/account/password", &form).await.status, 303);
    assert_eq!(status(&app, DAV, &token).await, 401);
}

#[rocket::async_test]
async fn atk_16_foreign_authorization_beside_a_live_cookie_is_untouched_and_uncounted() {
    let (app, site) = service().await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(DAV).await;
    for foreign in [
        "Basic Ym9iOmJvYg==",
        "Bearer eyJ.e30.x",
        "Negotiate YII=",
        "Digest username=\"bob\"",
        "nonsense",
    ] {
        let headers = [SCRIPT[0], SCRIPT[1], ("Authorization", foreign)];
        let answer = alice.there.ask("GET", DAV, &headers).await;
        assert_eq!(answer.status, 200, "{foreign}");
        assert_eq!(answer.header("authorization"), foreign);
        assert_eq!(answer.header("remote-methods"), "password");
    }
    // A token of the same user is that user; of another, nobody can say who is meant.
    let own = made(&app, for_site(&site)).await;
    app.user("bob").await;
    let secret = Secret::generate();
    app_tokens::add(
        &app.app,
        &Actor::operator(),
        "bob",
        for_site(&site),
        &secret,
    )
    .await
    .expect("a database")
    .expect("a token");
    let bobs = secret.reveal().to_owned();
    for (token, expected) in [(own, [200, 200, 200]), (bobs, [400, 403, 400])] {
        let authorization = format!("Bearer {token}");
        let headers = [PROGRAM, ("Authorization", authorization.as_str())];
        let found = [
            alice.there.ask("GET", DAV, &headers).await.status,
            alice.there.ask_as_nginx("GET", DAV, &headers).await.status,
            alice
                .there
                .ask_as_envoy(Method::Get, DAV, &headers)
                .await
                .status,
        ];
        assert_eq!(found, expected);
    }
}

/// ASVS 6.3.4: for a user with two factors, each path by one of them ends before a two-factor site.
#[rocket::async_test]
async fn mfa_15_no_path_by_one_factor_opens_a_two_factor_site() {
    let (app, site) = service().await;
    on_terms(&app, site.clone(), |site| site.terms.factors = Factors::Two).await;
    let one_factor_token = made(&app, for_site(&site)).await;
    let mut before = Person::signed_in(&app, "alice").await;
    let mut own = app.sign_in_again("alice").await;
    Authenticator::set_up(&app, &mut own).await;
    // A session of before the second factor.
    let sent = before.there.open(DAV).await;
    let led = before.here.follow(sent.header("location")).await;
    assert!(
        led.header("location").starts_with("/reauthenticate"),
        "{led:?}"
    );
    assert_eq!(before.there.ask("GET", DAV, &SCRIPT).await.status, 401);
    // A password alone, at the form and by Basic.
    let mut by_password = app.anonymous();
    let answer = by_password.sign_in("alice", PASSWORD).await;
    assert_eq!(answer.header("location"), "/login/code");
    assert_eq!(by_password.session().await.status, 401);
    for authorization in [
        basic("alice", PASSWORD),
        format!("Bearer {PASSWORD}"),
        basic("alice", &one_factor_token),
        format!("Bearer {one_factor_token}"),
    ] {
        let status = status(&app, DAV, &authorization).await;
        assert!([401, 403].contains(&status), "{authorization}: {status}");
    }
    // The token is good for one factor, no more.
    assert!(
        users::by_name(app.app.db.reader(), "alice")
            .await
            .expect("a database")
            .expect("a user")
            .has_totp
    );
}

#[rocket::async_test]
async fn a_token_is_made_once_however_often_the_form_is_sent() {
    let (app, _) = service().await;
    let mut alice = app.sign_in_again("alice").await;
    let id = alice
        .get("/account/tokens")
        .await
        .field_of("action=\"/account/tokens\"", "id");
    let form = [
        ("id", id.as_str()),
        ("name", "phone"),
        ("sites", "dav.example.net"),
        ("networks", "10.0.0.0/8"),
        ("expires", "90d"),
    ];
    let first = alice.post("/account/tokens", &form).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert!(first.header("cache-control").contains("no-store"));
    assert!(first.body.contains("vst_"));
    let again = alice.post("/account/tokens", &form).await;
    assert_eq!(
        (again.status, again.header("location")),
        (303, "/account/tokens")
    );
    let page = alice.get("/account/tokens").await.unescaped();
    assert_eq!(page.matches("<h3>phone").count(), 1);
    assert!(
        page.contains("dav.example.net") && page.contains("10.0.0.0/8"),
        "{page}"
    );
    for (sites, all, networks, expires) in [
        ("", "", "", "90d"),
        ("dav.example.net", "on", "", "90d"),
        ("unknown.example.net", "", "", "90d"),
        ("dav.example.net", "", "10.0.0.0/99", "90d"),
        ("dav.example.net", "", "", "soon"),
    ] {
        let id = uuid::Uuid::now_v7().to_string();
        let mut form = vec![
            ("id", id.as_str()),
            ("name", "x"),
            ("sites", sites),
            ("networks", networks),
            ("expires", expires),
        ];
        if !all.is_empty() {
            form.push(("all_sites", all));
        }
        let refused = alice.post("/account/tokens", &form).await;
        assert_eq!(refused.status, 422, "{sites} {all} {networks} {expires}");
        assert!(!refused.body.contains("vst_"));
    }
}

#[rocket::async_test]
async fn making_and_revoking_is_sensitive_and_recorded_and_of_ones_own_alone() {
    let (app, site) = service().await;
    let mut alice = app.sign_in_again("alice").await;
    let mut bob = app.signed_in("bob").await;
    let new = for_site(&site);
    let id = new.id;
    let token = basic("alice", &made(&app, new).await);
    let revoke = format!("/account/tokens/{id}/revoke");
    assert_eq!(bob.post(&revoke, &[("rd", "")]).await.status, 404);
    assert_eq!(status(&app, DAV, &token).await, 200);
    app.wait(Duration::from_secs(3_600)).await;
    assert_eq!(
        alice.post(&revoke, &[("rd", "")]).await.status,
        403,
        "asks for the password again"
    );
    let again = [("rd", ""), ("password_again", PASSWORD)];
    assert_eq!(alice.post(&revoke, &again).await.status, 303);
    assert_eq!(status(&app, DAV, &token).await, 401);
    let events = app
        .sql("SELECT event || ' ' || detail FROM audit WHERE event LIKE 'token%' ORDER BY id")
        .await;
    assert_eq!(events, ["token_add calendar", "token_revoke calendar"]);
}

#[rocket::async_test]
async fn an_admin_sees_and_revokes_the_tokens_of_a_user() {
    let (app, site) = service().await;
    let new = for_site(&site);
    let id = new.id;
    let token = basic("alice", &made(&app, new).await);
    let alice = app.user("alice").await;
    let mut admin = app.admin().await;
    let page = format!("/admin/users/{}", alice.id);
    assert!(admin.get(&page).await.body.contains("calendar"));
    let revoke = format!("{page}/tokens/{id}/revoke");
    assert_eq!(admin.post(&revoke, &[("rd", "")]).await.status, 303);
    assert_eq!(status(&app, DAV, &token).await, 401);
    assert_eq!(admin.post(&revoke, &[("rd", "")]).await.status, 404);
}

#[rocket::async_test]
async fn a_user_has_fifty_tokens_at_most() {
    let (app, site) = service().await;
    let mut last = uuid::Uuid::nil();
    for _ in 0..app_tokens::MOST {
        let new = for_site(&site);
        last = new.id;
        made(&app, new).await;
    }
    let add = async || {
        app_tokens::add(
            &app.app,
            &Actor::operator(),
            "alice",
            for_site(&site),
            &Secret::generate(),
        )
        .await
        .expect("a database")
    };
    assert_eq!(add().await, Err(app_tokens::Refused::TooMany));
    app_tokens::revoke(&app.app, &Actor::operator(), last, None)
        .await
        .expect("a database");
    assert!(add().await.is_ok());
}

#[rocket::async_test]
async fn the_last_use_is_written_a_moment_later() {
    let (app, site) = service().await;
    let token = basic("alice", &made(&app, for_site(&site)).await);
    let headers = [
        PROGRAM,
        ("Authorization", token.as_str()),
        ("X-Forwarded-For", "192.0.2.7"),
    ];
    assert_eq!(app.anonymous().ask("GET", DAV, &headers).await.status, 200);
    let app = app.restarted().await;
    let tokens = app_tokens::all(app.app.db.reader())
        .await
        .expect("a database");
    assert_eq!(tokens[0].last_used_at, Some(app.clock.now()));
    assert_eq!(tokens[0].last_address.as_deref(), Some("192.0.2.7"));
}
