//! Passkeys: who comes in by one, what is refused, and what people do with theirs.

use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::futures::future::join_all;
use rocket::http::Method;
use serde_json::{Value, json};

use crate::support::passkey::{BE, BS, Passkey, UP, UV, asked, encode};
use crate::support::{Answer, Client, PASSWORD, TestApp};

const REFUSED: &str = "That passkey was not accepted.";
const STALE: &str = "This page was open for too long";

/// A user who has a passkey, and nobody signed in.
async fn alice(app: &TestApp) -> Passkey {
    app.signed_in("alice").await.add_passkey().await
}

/// Sends what a passkey answers to the sign-in page.
async fn send(client: &mut Client, assertion: &str) -> Answer {
    client
        .post("/login/passkey", &[("assertion", assertion)])
        .await
}

/// Sign-ins in the audit trail: result, user and why.
async fn sign_ins(app: &TestApp) -> Vec<String> {
    app.sql(
        "SELECT result || ' ' || coalesce(username, 'nobody') || coalesce(': ' || detail, '') FROM audit
         WHERE event = 'sign_in' ORDER BY id",
    )
    .await
}

async fn last_sign_in(app: &TestApp) -> String {
    sign_ins(app).await.pop().expect("a record")
}

async fn sessions(app: &TestApp) -> usize {
    app.sql("SELECT 'live' FROM sessions WHERE ended_at IS NULL")
        .await
        .len()
}

#[rocket::async_test]
async fn a_passkey_signs_in_and_counts_as_two_factors() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    let mut browser = app.anonymous();
    let answer = browser.sign_in_by(&mut passkey).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account"),
        "{}",
        answer.body
    );
    let session = browser.session().await.json();
    assert_eq!(session["user"]["username"], "alice");
    assert_eq!(session["session"]["methods"], json!(["passkey"]));
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(last_sign_in(&app).await, "ok alice: passkey");
    let stored = app
        .sql("SELECT counter || ' ' || (last_used_at IS NOT NULL) FROM passkeys")
        .await;
    assert!(
        ["2 1", "2 true"].contains(&stored[0].as_str()),
        "{stored:?}"
    );
}

#[rocket::async_test]
async fn keys_of_each_usual_kind_sign_in() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    for mut passkey in [Passkey::ed25519(), Passkey::rsa()] {
        let answer = browser.register(&mut passkey).await;
        assert!(
            answer.status < 400,
            "{}: {}",
            passkey.algorithm,
            answer.body
        );
        let answer = app.anonymous().sign_in_by(&mut passkey).await;
        assert_eq!(answer.status, 303, "{}: {}", passkey.algorithm, answer.body);
    }
}

#[rocket::async_test]
async fn what_is_asked_is_a_key_on_the_device_that_recognises_its_person() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let made = browser.asked_at("/account/passkeys").await;
    assert_eq!(made["rp"]["id"], "auth.example.com");
    assert_eq!(made["attestation"], "none");
    let selection = json!({"residentKey": "required", "userVerification": "required"});
    assert_eq!(made["authenticatorSelection"], selection);
    assert_eq!(made["excludeCredentials"], json!([]));
    let handle = made["user"]["id"].as_str().expect("a handle");
    let id = app.user("alice").await.id;
    assert_eq!(
        URL_SAFE_NO_PAD.decode(handle).expect("base64"),
        id.as_bytes()
    );
    let passkey = browser.add_passkey().await;
    let again = browser.asked_at("/account/passkeys").await;
    assert_eq!(again["excludeCredentials"][0]["id"], encode(&passkey.id));
    let transports = &again["excludeCredentials"][0]["transports"];
    assert_eq!(transports, &json!(["internal", "hybrid"]));
    let asked = app.anonymous().asked_at("/login").await;
    assert_eq!(asked["userVerification"], "required");
    assert_eq!(asked["allowCredentials"], json!([]));
    assert_eq!(asked["rpId"], "auth.example.com");
}

#[rocket::async_test]
async fn a_sign_in_by_passkey_ends_the_browsers_former_session_and_leads_on() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    let mut browser = app.signed_in("bob").await;
    let before = browser.token();
    let options = browser.asked_at("/login?switch").await;
    let answer = passkey.get(&options);
    let fields = [
        ("assertion", answer.as_str()),
        ("remember", "on"),
        ("rd", "/account/sessions"),
    ];
    let answer = browser.post("/login/passkey", &fields).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account/sessions")
    );
    let cookie = answer
        .all("set-cookie")
        .find(|cookie| cookie.starts_with("__Host-vestibule="));
    assert!(
        cookie.expect("a session").contains("Max-Age="),
        "kept signed in"
    );
    assert_ne!(browser.token(), before);
    let ended =
        "SELECT end_reason FROM sessions s JOIN users u ON u.id = s.user_id WHERE username = 'bob'";
    assert_eq!(app.sql(ended).await, ["replaced"]);
}

#[rocket::async_test]
async fn whoever_must_change_the_password_does_that_first() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    app.execute("UPDATE users SET must_change_password = TRUE")
        .await;
    let mut browser = app.anonymous();
    let answer = browser.sign_in_by(&mut passkey).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account/password")
    );
}

#[rocket::async_test]
async fn mfa_07_an_answer_that_was_made_elsewhere_or_otherwise_is_refused() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    let mut refused = async |what: &str, forge: &dyn Fn(&mut Passkey)| {
        let mut browser = app.anonymous();
        let options = browser.asked_at("/login").await;
        let (origin, rp_id) = (passkey.origin.clone(), passkey.rp_id.clone());
        forge(&mut passkey);
        let assertion = passkey.get(&options);
        let answer = send(&mut browser, &assertion).await;
        assert_eq!(
            (answer.status, browser.token()),
            (401, String::new()),
            "{what}"
        );
        assert!(
            last_sign_in(&app)
                .await
                .starts_with("refused alice: passkey: "),
            "{what}"
        );
        (passkey.origin, passkey.rp_id) = (origin, rp_id);
        (passkey.flags, passkey.ceremony, passkey.cross_origin) = (UP | UV, None, false);
        answer
    };
    for origin in [
        "https://badauth.example.com",
        "https://sub.auth.example.com",
        "https://example.com",
        "https://badexample.com",
        "http://auth.example.com",
        "https://auth.example.com:8443",
        "https://auth.example.com:443",
        "https://auth.example.com/",
        "https://auth.example.com.",
        "https://AUTH.example.com",
        "https://auth.example.com.evil.example",
        "null",
        "",
    ] {
        let answer = refused(origin, &|passkey| passkey.origin = origin.to_owned()).await;
        assert!(answer.body.contains(REFUSED), "{origin}");
    }
    for rp_id in [
        "example.com",
        "com",
        "sub.auth.example.com",
        "AUTH.example.com",
        "",
    ] {
        refused(rp_id, &|passkey| passkey.rp_id = rp_id.to_owned()).await;
    }
    let answer = refused("not recognised", &|passkey| passkey.flags = UP).await;
    assert!(
        answer
            .body
            .contains("without a PIN, a fingerprint or a face"),
        "{}",
        answer.body
    );
    refused("nobody there", &|passkey| passkey.flags = UV).await;
    refused("a new passkey", &|passkey| {
        passkey.ceremony = Some("webauthn.create")
    })
    .await;
    refused("in a foreign frame", &|passkey| passkey.cross_origin = true).await;
    let mut browser = app.anonymous();
    assert_eq!(
        browser.sign_in_by(&mut passkey).await.status,
        303,
        "the same unforged"
    );
}

#[rocket::async_test]
async fn mfa_07_no_byte_of_what_was_signed_can_be_changed() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    for part in ["clientDataJSON", "authenticatorData", "signature"] {
        let mut browser = app.anonymous();
        let options = browser.asked_at("/login").await;
        let mut answer: Value = serde_json::from_str(&passkey.get(&options)).expect("JSON");
        let value = answer["response"][part].as_str().expect("a part");
        let mut bytes = URL_SAFE_NO_PAD.decode(value).expect("base64");
        // In the JSON a blank before its end, which says the same; elsewhere the last bit.
        match part {
            "clientDataJSON" => bytes.insert(bytes.len() - 1, b' '),
            _ => *bytes.last_mut().expect("a byte") ^= 1,
        }
        answer["response"][part] = json!(encode(bytes));
        let answer = send(&mut browser, &answer.to_string()).await;
        assert_eq!(
            (answer.status, browser.token()),
            (401, String::new()),
            "{part}"
        );
    }
}

#[rocket::async_test]
async fn mfa_07_a_challenge_is_answered_once_and_in_time_by_the_browser_that_got_it() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    let mut browser = app.anonymous();
    let options = browser.asked_at("/login").await;
    let assertion = passkey.get(&options);

    let mut thief = app.anonymous();
    thief.get("/login").await;
    for foreign in [&mut thief, &mut app.anonymous()] {
        let answer = send(foreign, &assertion).await;
        assert_eq!((answer.status, foreign.token()), (401, String::new()));
        assert!(answer.body.contains(STALE), "{}", answer.body);
    }
    app.wait(Duration::from_secs(10 * 60)).await;
    let answer = send(&mut browser, &assertion).await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains(STALE), "too late: {}", answer.body);

    let options = asked(&answer).expect("another one");
    let assertion = passkey.get(&options);
    app.wait(Duration::from_secs(10 * 60) - Duration::from_millis(1))
        .await;
    let mut other_tab = browser.clone();
    assert_eq!(
        send(&mut browser, &assertion).await.status,
        303,
        "just in time"
    );
    let answer = send(&mut other_tab, &assertion).await;
    assert_eq!(answer.status, 401, "used before");
    assert_eq!(
        last_sign_in(&app).await,
        "refused alice: passkey: the answer was used before"
    );
}

#[rocket::async_test]
async fn mfa_07_a_challenge_for_one_purpose_is_none_for_another() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut passkey = browser.add_passkey().await;
    let to_add = browser.asked_at("/account/passkeys").await;
    let answer = send(&mut browser, &passkey.get(&to_add)).await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains(STALE), "{}", answer.body);
    let to_sign_in = browser.asked_at("/login?switch").await;
    let mut options = to_add.clone();
    options["challenge"] = to_sign_in["challenge"].clone();
    let answer = Passkey::new().create(&options);
    let answer = browser
        .post("/account/passkeys", &[("assertion", &answer)])
        .await;
    assert_eq!(answer.status, 422);
    // Nor one that was made for another user in the same browser.
    let options = browser.asked_at("/account/passkeys").await;
    app.user("bob").await;
    browser.sign_in("bob", PASSWORD).await;
    let answer = Passkey::new().create(&options);
    let answer = browser
        .post("/account/passkeys", &[("assertion", &answer)])
        .await;
    assert_eq!(answer.status, 422);
    assert_eq!(app.sql("SELECT name FROM passkeys").await.len(), 1);
}

#[rocket::async_test]
async fn mfa_07_made_up_challenges_are_refused_and_write_nothing() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    let mut browser = app.anonymous();
    browser.get("/login").await;
    let before = app.dump().await;
    for challenge in [
        vec![],
        vec![0; 40],
        vec![255; 40],
        vec![7; 39],
        vec![7; 41],
        vec![7; 4_000],
    ] {
        let options = json!({"challenge": encode(&challenge)});
        let answer = send(&mut browser, &passkey.get(&options)).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
        assert!(answer.body.contains(STALE), "{}", answer.body);
    }
    assert_eq!(app.dump().await, before);
}

#[rocket::async_test]
async fn mfa_07_a_restart_forgets_no_challenge_that_was_answered() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    let mut browser = app.anonymous();
    let options = browser.asked_at("/login").await;
    let assertion = passkey.get(&options);
    let mut again = browser.clone();
    assert_eq!(send(&mut browser, &assertion).await.status, 303);
    app.clock.advance(Duration::from_secs(9 * 60));
    let app = app.restarted().await;
    again.connect(&app);
    let answer = send(&mut again, &assertion).await;
    assert_eq!((answer.status, again.token()), (401, String::new()));
    assert_eq!(
        last_sign_in(&app).await,
        "refused alice: passkey: the answer was used before"
    );
}

#[rocket::async_test]
async fn mfa_11_a_passkey_that_names_another_user_or_none_is_refused() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    let bob = app.user("bob").await.id;
    for handle in [
        Some(bob.as_bytes().to_vec()),
        Some(vec![]),
        Some(vec![0; 16]),
        None,
    ] {
        passkey.user_handle.clone_from(&handle);
        let mut browser = app.anonymous();
        let answer = browser.sign_in_by(&mut passkey).await;
        assert_eq!(
            (answer.status, browser.token()),
            (401, String::new()),
            "{handle:?}"
        );
        assert!(
            last_sign_in(&app)
                .await
                .starts_with("refused alice: passkey: the passkey names ")
        );
    }
}

#[rocket::async_test]
async fn mfa_11_what_can_be_copied_and_what_cannot_stays_so() {
    for (made, used) in [
        (UP | UV, UP | UV | BE),
        (UP | UV, UP | UV | BE | BS),
        (UP | UV | BE, UP | UV),
    ] {
        let app = TestApp::start().await;
        let mut passkey = Passkey::new();
        passkey.flags = made;
        app.signed_in("alice").await.register(&mut passkey).await;
        passkey.flags = used;
        let mut browser = app.anonymous();
        let answer = browser.sign_in_by(&mut passkey).await;
        assert_eq!(
            (answer.status, browser.token()),
            (401, String::new()),
            "{made} {used}"
        );
        let told = "refused alice: passkey: the passkey changed whether it can be copied";
        assert_eq!(last_sign_in(&app).await, told);
    }
}

#[rocket::async_test]
async fn mfa_11_what_is_copied_is_kept_up_and_shown() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut passkey = Passkey::new();
    (passkey.flags, passkey.counter) = (UP | UV | BE, 0);
    browser.register(&mut passkey).await;
    assert!(
        !browser
            .get("/account/passkeys")
            .await
            .body
            .contains("Synced")
    );
    passkey.flags |= BS;
    for _ in 0..2 {
        assert_eq!(
            app.anonymous().sign_in_by(&mut passkey).await.status,
            303,
            "0 counts nothing"
        );
    }
    assert!(
        browser
            .get("/account/passkeys")
            .await
            .body
            .contains("Synced")
    );
}

#[rocket::async_test]
async fn mfa_11_a_counter_that_goes_back_is_refused_and_recorded() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    passkey.counter = 10;
    assert_eq!(app.anonymous().sign_in_by(&mut passkey).await.status, 303);
    for counter in [11, 5, 1, 0] {
        passkey.counter = counter;
        let mut browser = app.anonymous();
        let options = browser.asked_at("/login").await;
        let answer = send(&mut browser, &passkey.get_again(&options)).await;
        assert_eq!(
            (answer.status, browser.token()),
            (401, String::new()),
            "{counter} after 11"
        );
        assert!(answer.body.contains(REFUSED), "{}", answer.body);
        assert_eq!(
            last_sign_in(&app).await,
            "refused alice: passkey: its counter has gone back"
        );
    }
    let told = "SELECT username FROM audit WHERE event = 'passkey_counter_regressed'";
    assert_eq!(app.sql(told).await, ["alice"; 4]);
    passkey.counter = 11;
    assert_eq!(
        app.anonymous().sign_in_by(&mut passkey).await.status,
        303,
        "the rightful one"
    );
}

#[rocket::async_test]
async fn mfa_11_a_counter_that_nobody_signed_accuses_nobody() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    passkey.counter = 0;
    let mut browser = app.anonymous();
    let options = browser.asked_at("/login").await;
    let mut answer: Value = serde_json::from_str(&passkey.get_again(&options)).expect("JSON");
    answer["response"]["signature"] = json!(encode([0; 70]));
    assert_eq!(send(&mut browser, &answer.to_string()).await.status, 401);
    let told = "SELECT username FROM audit WHERE event = 'passkey_counter_regressed'";
    assert!(app.sql(told).await.is_empty());
}

#[rocket::async_test]
async fn mfa_12_of_a_hundred_posts_of_one_answer_one_signs_in() {
    let app = TestApp::with("throttle.address_tries = 1000").await;
    let mut passkey = alice(&app).await;
    let mut browser = app.anonymous();
    let options = browser.asked_at("/login").await;
    let assertion = passkey.get(&options);
    let before = sessions(&app).await;
    let tries = (0..100).map(|_| {
        let (mut browser, assertion) = (browser.clone(), assertion.clone());
        async move { send(&mut browser, &assertion).await.status }
    });
    let mut statuses = join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 303);
    // On PostgreSQL some may not get their turn within a second.
    assert!(
        statuses[1..]
            .iter()
            .all(|status| [401, 503].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(sessions(&app).await, before + 1);
}

/// All that the database says, but for the signs of life that a node gives by itself.
async fn written(app: &TestApp) -> Vec<String> {
    let rows = app.dump().await.into_iter();
    rows.filter(|row| !row.starts_with("nodes: ")).collect()
}

#[rocket::async_test]
async fn mfa_12_a_thousand_views_of_the_sign_in_page_write_nothing() {
    let app = TestApp::start().await;
    alice(&app).await;
    app.anonymous().get("/login").await;
    let before = written(&app).await;
    for _ in 0..1_000 {
        assert_eq!(app.anonymous().get("/login").await.status, 200);
    }
    assert_eq!(written(&app).await, before);
}

#[rocket::async_test]
async fn mfa_12_spent_challenges_are_forgotten_an_hour_after_their_end() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    app.anonymous().sign_in_by(&mut passkey).await;
    let spent = "SELECT 'spent' FROM spent_challenges";
    assert_eq!(app.sql(spent).await.len(), 2, "one made it, one signed in");
    app.wait(Duration::from_secs(70 * 60)).await;
    app.sweep().await;
    assert_eq!(app.sql(spent).await.len(), 2);
    app.wait(Duration::from_millis(1)).await;
    app.sweep().await;
    assert!(app.sql(spent).await.is_empty());
}

#[rocket::async_test]
async fn mfa_14_a_user_without_a_password_keeps_a_passkey() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    browser.add_passkey().await;
    browser.add_passkey().await;
    app.execute("UPDATE users SET password_hash = NULL").await;
    let ids = ids(&mut browser).await;
    // Two at once, from two browsers.
    let deletions = ids.iter().map(|id| {
        let mut browser = browser.clone();
        let path = format!("/account/passkeys/{id}/delete");
        async move { browser.post(&path, &[]).await.status }
    });
    let mut statuses = join_all(deletions).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409]);
    let left = self::ids(&mut browser).await;
    let answer = delete(&mut browser, &left[0]).await;
    assert_eq!(answer.status, 409);
    assert!(
        answer
            .body
            .contains("You could not sign in without this passkey"),
        "{}",
        answer.body
    );
    assert_eq!(self::ids(&mut browser).await, left);
}

#[rocket::async_test]
async fn mfa_14_a_passkey_for_another_host_is_no_way_in() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    browser.add_passkey().await;
    app.execute("UPDATE passkeys SET rp_id = 'old.example'")
        .await;
    browser.add_passkey().await;
    app.execute("UPDATE users SET password_hash = NULL").await;
    let [old, new] = ids(&mut browser).await.try_into().expect("two");
    assert_eq!(delete(&mut browser, &new).await.status, 409);
    assert_eq!(delete(&mut browser, &old).await.status, 303);
}

/// The ids of one's passkeys, as the page has them, the oldest first.
async fn ids(browser: &mut Client) -> Vec<String> {
    let page = browser.get("/account/passkeys").await.unescaped();
    let forms = page.split("action=\"/account/passkeys/").skip(1);
    let ids = forms.filter_map(|form| form.split('"').next()?.strip_suffix("/delete"));
    ids.map(str::to_owned).collect()
}

async fn delete(browser: &mut Client, id: &str) -> Answer {
    browser
        .post(&format!("/account/passkeys/{id}/delete"), &[])
        .await
}

#[rocket::async_test]
async fn a_deleted_passkey_signs_in_no_more() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut passkey = browser.add_passkey().await;
    let id = ids(&mut browser).await.remove(0);
    let answer = delete(&mut browser, &id).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account/passkeys"),
        "{}",
        answer.body
    );
    let answer = app.anonymous().sign_in_by(&mut passkey).await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        last_sign_in(&app).await,
        "refused nobody: passkey: no such passkey"
    );
    assert_eq!(
        app.sql("SELECT event FROM audit WHERE event LIKE 'passkey%' ORDER BY id")
            .await,
        ["passkey_add", "passkey_remove"]
    );
}

#[rocket::async_test]
async fn another_users_passkey_is_as_unknown_as_none() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    alice.add_passkey().await;
    let id = ids(&mut alice).await.remove(0);
    let mut bob = app.signed_in("bob").await;
    for what in ["rename", "delete"] {
        for id in [
            id.as_str(),
            "00000000-0000-7000-8000-000000000000",
            "nonsense",
        ] {
            let fields: &[_] = if what == "rename" {
                &[("name", "Bob's")]
            } else {
                &[]
            };
            let answer = bob
                .post(&format!("/account/passkeys/{id}/{what}"), fields)
                .await;
            assert_eq!(answer.status, 404, "{what} {id}");
        }
    }
    assert_eq!(ids(&mut alice).await, [id]);
}

#[rocket::async_test]
async fn passkeys_have_names_that_people_change() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    browser.add_passkey().await;
    let page = browser.get("/account/passkeys").await;
    assert!(page.body.contains("Firefox on Linux"), "{}", page.body);
    let id = ids(&mut browser).await.remove(0);
    let path = format!("/account/passkeys/{id}/rename");
    let answer = browser
        .post(&path, &[("name", "  Der blaue Schlüssel ")])
        .await;
    assert_eq!(answer.status, 303);
    let page = browser.get("/account/passkeys").await;
    assert!(
        page.body.contains("<h3>Der blaue Schlüssel"),
        "{}",
        page.body
    );
    let stale = browser.get("/account/passkeys").await.field("version");
    browser.post(&path, &[("name", "Der Schlüssel")]).await;
    let answer = browser
        .post(&path, &[("name", "Another"), ("version", &stale)])
        .await;
    assert_eq!(answer.status, 409, "from an older page");
    assert!(
        answer.body.contains("it is called Der Schlüssel now"),
        "{}",
        answer.body
    );
    for name in ["", " ", "a\nb", "a\u{202e}b", "a\u{7f}", &"ü".repeat(65)] {
        let answer = browser.post(&path, &[("name", name)]).await;
        assert_eq!(answer.status, 422, "{name:?}");
    }
    assert_eq!(
        app.sql("SELECT name FROM passkeys").await,
        ["Der Schlüssel"]
    );
}

#[rocket::async_test]
async fn what_is_not_a_passkey_is_not_kept() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut refused = async |what: &str, forge: &dyn Fn(&mut Passkey)| {
        let mut passkey = Passkey::new();
        forge(&mut passkey);
        let answer = browser.register(&mut passkey).await;
        assert_eq!(answer.status, 422, "{what}: {}", answer.body);
        answer
    };
    let answer = refused("not recognised", &|passkey| passkey.flags = UP).await;
    assert!(answer.body.contains("without a PIN"), "{}", answer.body);
    refused("nobody there", &|passkey| passkey.flags = UV).await;
    refused("copied, and never to be", &|passkey| {
        passkey.flags = UP | UV | BS
    })
    .await;
    for origin in [
        "https://evil.example",
        "http://auth.example.com",
        "https://sub.auth.example.com",
    ] {
        refused(origin, &|passkey| passkey.origin = origin.to_owned()).await;
    }
    refused("for a domain", &|passkey| {
        passkey.rp_id = "example.com".to_owned()
    })
    .await;
    refused("a proof", &|passkey| {
        passkey.ceremony = Some("webauthn.get")
    })
    .await;
    refused("in a frame", &|passkey| passkey.cross_origin = true).await;
    // ES256K, PS256, ES512 and one that is none.
    for algorithm in [-47, -37, -36, 0, 1_000] {
        refused("an unknown algorithm", &|passkey| {
            passkey.algorithm = algorithm
        })
        .await;
    }
    refused("no id", &|passkey| passkey.id = Vec::new()).await;
    refused("a long id", &|passkey| passkey.id = vec![1; 1_024]).await;
    assert!(app.sql("SELECT name FROM passkeys").await.is_empty());
}

#[rocket::async_test]
async fn a_passkey_is_kept_once_whoever_sends_it() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let mut passkey = Passkey::new();
    let options = alice.asked_at("/account/passkeys").await;
    let sent = passkey.create(&options);
    let answer = alice
        .post("/account/passkeys", &[("assertion", &sent)])
        .await;
    assert_eq!(answer.status, 200, "with recovery codes: {}", answer.body);
    assert_eq!(
        alice
            .post("/account/passkeys", &[("assertion", &sent)])
            .await
            .status,
        422,
        "again"
    );
    let mut bob = app.signed_in("bob").await;
    let answer = bob.register(&mut passkey).await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.body.contains("registered already"),
        "{}",
        answer.body
    );
    passkey.user_handle = Some(app.user("alice").await.id.as_bytes().to_vec());
    assert_eq!(
        app.anonymous().sign_in_by(&mut passkey).await.status,
        303,
        "still alice's"
    );
}

#[rocket::async_test]
async fn a_user_has_twenty_passkeys_at_most() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut options = json!({});
    for n in 0..20 {
        options = browser.asked_at("/account/passkeys").await;
        let sent = Passkey::new().create(&options);
        let answer = browser
            .post("/account/passkeys", &[("assertion", &sent)])
            .await;
        assert!(answer.status < 400, "{n}: {}", answer.body);
    }
    let page = browser.get("/account/passkeys").await;
    assert!(asked(&page).is_none() && page.body.contains("as many passkeys as there can be"));
    // From a page that was opened before the last one.
    app.execute("DELETE FROM spent_challenges").await;
    let sent = Passkey::new().create(&options);
    let answer = browser
        .post("/account/passkeys", &[("assertion", &sent)])
        .await;
    assert_eq!(answer.status, 422);
    assert_eq!(ids(&mut browser).await.len(), 20);
}

#[rocket::async_test]
async fn making_a_passkey_proves_the_session_by_it_and_gives_it_a_new_token() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let before = browser.token();
    let mut stolen = browser.clone();
    browser.add_passkey().await;
    assert_ne!(browser.token(), before);
    let session = browser.session().await.json();
    assert_eq!(
        session["session"]["methods"],
        json!(["password", "passkey"])
    );
    assert_eq!(stolen.session().await.status, 401);
}

#[rocket::async_test]
async fn whoever_was_not_proven_lately_does_that_before_a_passkey_is_made() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let options = browser.asked_at("/account/passkeys").await;
    app.wait(app.app.settings.sessions.reauthenticate_after)
        .await;
    let page = browser.get("/account/passkeys").await;
    assert!(asked(&page).is_none());
    assert!(
        page.unescaped()
            .contains("href=\"/reauthenticate?rd=/account/passkeys\"")
    );
    let sent = Passkey::new().create(&options);
    let answer = browser
        .post("/account/passkeys", &[("assertion", &sent)])
        .await;
    assert_eq!(answer.status, 403, "asked for the password");
    assert!(app.sql("SELECT name FROM passkeys").await.is_empty());
}

#[rocket::async_test]
async fn a_disabled_users_passkey_signs_nobody_in() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    app.execute("UPDATE users SET disabled_at = 1").await;
    let mut browser = app.anonymous();
    let answer = browser.sign_in_by(&mut passkey).await;
    assert_eq!((answer.status, browser.token()), (401, String::new()));
    assert!(
        answer.body.contains(REFUSED),
        "nobody learns why: {}",
        answer.body
    );
    assert_eq!(
        last_sign_in(&app).await,
        "refused alice: passkey: the user is disabled"
    );
}

#[rocket::async_test]
async fn atk_17_wrong_passkeys_count_against_the_address_alone() {
    let app = TestApp::with("throttle.address_tries = 10").await;
    let mut passkey = alice(&app).await;
    passkey.flags = UP;
    let mut browser = app.anonymous().at("198.51.100.1");
    for n in 0..10 {
        let mut unknown = Passkey::new();
        unknown.user_handle = Some(vec![n; 16]);
        let forged = if n % 2 == 0 {
            &mut passkey
        } else {
            &mut unknown
        };
        assert_eq!(browser.sign_in_by(forged).await.status, 401, "{n}");
    }
    passkey.flags = UP | UV;
    assert_eq!(browser.sign_in_by(&mut passkey).await.status, 429);
    let buckets = app.sql("SELECT bucket FROM throttle").await;
    let buckets: Vec<&String> = buckets
        .iter()
        .filter(|bucket| !bucket.contains("probe") && !bucket.ends_with(" in flight"))
        .collect();
    assert_eq!(buckets, ["address 198.51.100.1"]);
    let mut elsewhere = app.anonymous();
    assert_eq!(elsewhere.sign_in_by(&mut passkey).await.status, 303);
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 303);
}

#[rocket::async_test]
async fn what_is_malformed_is_told_and_changes_nothing() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    let mut browser = app.anonymous();
    browser.sign_in_by(&mut passkey).await;
    let to_sign_in = browser.asked_at("/login?switch").await;
    let to_add = browser.asked_at("/account/passkeys").await;
    let proof = passkey.get(&to_sign_in);
    let made = Passkey::new().create(&to_add);
    let before = app.dump().await;
    for (path, whole, parts) in [
        (
            "/login/passkey",
            proof,
            &[
                "clientDataJSON",
                "authenticatorData",
                "signature",
                "userHandle",
            ][..],
        ),
        (
            "/account/passkeys",
            made,
            &["clientDataJSON", "attestationObject"][..],
        ),
    ] {
        let deep = "[".repeat(2_000);
        let mut sent: Vec<String> = [
            "",
            "null",
            "[]",
            "{}",
            "\u{feff}{}",
            deep.as_str(),
            &whole[..whole.len() - 1],
        ]
        .map(str::to_owned)
        .into();
        let whole: Value = serde_json::from_str(&whole).expect("JSON");
        for part in parts {
            for value in [json!("!"), json!(7), json!("AAA="), json!([])] {
                let mut forged = whole.clone();
                forged["response"][part] = value;
                sent.push(forged.to_string());
            }
        }
        let mut forged = whole.clone();
        forged["rawId"] = json!("*");
        // A raw id is compared before it is read where a passkey is made.
        if path == "/login/passkey" {
            sent.push(forged.to_string());
        }
        for assertion in sent {
            let answer = browser.post(path, &[("assertion", &assertion)]).await;
            assert_eq!(answer.status, 422, "{path} {assertion}: {}", answer.body);
            assert!(
                answer.body.contains("That was no passkey"),
                "{path} {assertion}: {}",
                answer.body
            );
        }
    }
    assert_eq!(app.dump().await, before);
}

#[rocket::async_test]
async fn malformed_cbor_is_told_and_changes_nothing() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let options = browser.asked_at("/account/passkeys").await;
    let made: Value = serde_json::from_str(&Passkey::new().create(&options)).expect("JSON");
    let object = made["response"]["attestationObject"]
        .as_str()
        .expect("an object");
    let object = URL_SAFE_NO_PAD.decode(object).expect("base64");
    let before = app.dump().await;
    let mut forgeries: Vec<Vec<u8>> = (0..object.len())
        .map(|end| object[..end].to_vec())
        .collect();
    forgeries.extend([
        // As deep as it goes, and as long as it says.
        vec![0x81; 8_000],
        [vec![0x9b], vec![0xff; 8]].concat(),
        [vec![0x5b], vec![0x7f; 8]].concat(),
        vec![0xbf; 2_000],
        vec![0xf7],
    ]);
    for forged in forgeries {
        let mut sent = made.clone();
        sent["response"]["attestationObject"] = json!(encode(&forged));
        let sent = sent.to_string();
        let answer = browser
            .post("/account/passkeys", &[("assertion", &sent)])
            .await;
        assert_eq!(
            answer.status,
            422,
            "{} bytes: {}",
            forged.len(),
            answer.body
        );
    }
    assert_eq!(app.dump().await, before);
}

#[rocket::async_test]
async fn hdr_01_scripts_run_where_a_passkey_is_asked_for_and_nowhere_else() {
    let app = TestApp::start().await;
    let mut nobody = app.anonymous();
    let mut admin = app.admin().await;
    let mut with_script = Vec::new();
    for path in app.paths(Method::Get) {
        for browser in [&mut nobody, &mut admin] {
            let answer = browser.get(&path).await;
            let asks = asked(&answer).is_some();
            let policy = answer.header("content-security-policy");
            let permissions = answer.header("permissions-policy");
            assert_eq!(
                policy.contains("script-src 'self';"),
                asks,
                "{path}: {policy}"
            );
            assert_eq!(answer.body.contains("<script"), asks, "{path}");
            assert!(
                !policy.contains("unsafe") && !policy.contains("connect-src"),
                "{policy}"
            );
            let passkeys = if asks { "=(self)" } else { "=()" };
            for permission in ["publickey-credentials-get", "publickey-credentials-create"] {
                assert!(
                    permissions.contains(&format!("{permission}{passkeys}")),
                    "{path}: {permissions}"
                );
            }
            if asks && !with_script.contains(&path) {
                with_script.push(path.clone());
            }
        }
    }
    // Whoever has a passkey is asked for it on these, too.
    assert_eq!(with_script, ["/account/passkeys", "/login"]);
    admin.add_passkey().await;
    for path in ["/reauthenticate", "/account/passkeys"] {
        assert!(
            admin
                .get(path)
                .await
                .header("content-security-policy")
                .contains("script-src"),
            "{path}"
        );
    }
}

#[rocket::async_test]
async fn where_browsers_make_no_passkeys_none_are_offered_and_the_page_says_why() {
    for (url, why) in [
        ("https://192.0.2.7", "public_url is an IP address"),
        ("https://[2001:db8::7]", "public_url is an IP address"),
        ("http://127.0.0.1:8000", "public_url is an IP address"),
        ("http://auth.example.com", "public_url is http"),
    ] {
        let lines = format!("insecure_http = true\npublic_url = {url:?}");
        let app = TestApp::with(&lines).await;
        let host = url.split("://").nth(1).expect("a host");
        let mut browser = app.many_signed_in("alice", 1).await.remove(0);
        if url.starts_with("http:") {
            let token = browser
                .cookies
                .remove("__Host-vestibule")
                .expect("a session");
            browser.cookies.insert("vestibule".to_owned(), token);
        }
        let headers = [
            ("Host", host),
            ("Accept", "text/html"),
            ("Origin", url),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let page = browser
            .send(Method::Get, "/account/passkeys", &headers[..2], "")
            .await;
        assert_eq!(page.status, 200, "{url}");
        assert!(
            page.body.contains(why) && asked(&page).is_none(),
            "{url}: {}",
            page.body
        );
        let page = app
            .anonymous()
            .send(Method::Get, "/login", &headers[..2], "")
            .await;
        assert!(asked(&page).is_none(), "{url}");
        assert!(page.all("set-cookie").next().is_none(), "{url}");
        for path in ["/login/passkey", "/account/passkeys"] {
            let answer = browser
                .send(Method::Post, path, &headers, "assertion=%7B%7D")
                .await;
            assert!(answer.status >= 400, "{url} {path}: {}", answer.status);
        }
    }
    for url in ["http://localhost:8000", "http://auth.localhost:8000"] {
        let app = TestApp::with(&format!("public_url = {url:?}")).await;
        let host = url.strip_prefix("http://").expect("a host");
        let headers = [("Host", host), ("Accept", "text/html")];
        let page = app
            .anonymous()
            .send(Method::Get, "/login", &headers, "")
            .await;
        let name = host.strip_suffix(":8000").expect("a port");
        assert_eq!(asked(&page).expect("options")["rpId"], name);
    }
}

#[rocket::async_test]
async fn a_passkey_that_was_made_for_another_host_says_so_and_is_not_asked_for() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut passkey = browser.add_passkey().await;
    app.execute("UPDATE passkeys SET rp_id = 'old.example'")
        .await;
    let page = browser.get("/account/passkeys").await;
    assert!(page.body.contains("Made for old.example"), "{}", page.body);
    assert_eq!(
        asked(&page).expect("options")["excludeCredentials"],
        json!([])
    );
    let answer = app.anonymous().sign_in_by(&mut passkey).await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        last_sign_in(&app).await,
        "refused alice: passkey: made for another host"
    );
}

#[rocket::async_test]
async fn the_browsers_cookie_is_its_hosts_alone_and_set_once() {
    let app = TestApp::start().await;
    let mut browser = app.anonymous();
    let first = browser.get("/login").await;
    let cookie = first.header("set-cookie");
    assert!(cookie.starts_with("__Host-vestibule-visit="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    assert_eq!(browser.get("/login").await.header("set-cookie"), "");
    let two = format!("{0}; {0}", cookie.split(';').next().expect("a pair"));
    let headers = [("Cookie", two.as_str()), ("Accept", "text/html")];
    let again = browser.send(Method::Get, "/login", &headers, "").await;
    assert_ne!(again.header("set-cookie"), "", "of two neither is believed");
}

/// A browser in which alice's password was right, and the second step is due.
async fn at_second_step(app: &TestApp) -> Client {
    let mut browser = app.anonymous();
    let answer = browser.sign_in("alice", PASSWORD).await;
    assert_eq!(answer.header("location"), "/login/code", "{}", answer.body);
    browser
}

#[rocket::async_test]
async fn a_passkey_is_the_second_step_after_a_password() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    let mut browser = app.anonymous();
    let fields = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("rd", "/account/sessions"),
        ("remember", "on"),
    ];
    browser.post("/login", &fields).await;
    let options = browser.asked_at("/login/code").await;
    assert_eq!(options["allowCredentials"][0]["id"], encode(&passkey.id));
    let assertion = passkey.get(&options);
    let mut again = browser.clone();
    let answer = browser
        .post("/login/code", &[("assertion", &assertion)])
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account/sessions"),
        "{}",
        answer.body
    );
    let session = browser.session().await.json();
    assert_eq!(
        session["session"]["methods"],
        json!(["password", "passkey"])
    );
    assert_eq!(last_sign_in(&app).await, "ok alice: password,passkey");
    let answer = again
        .post("/login/code", &[("assertion", &assertion)])
        .await;
    assert_eq!((answer.status, again.token()), (401, String::new()));
}

#[rocket::async_test]
async fn a_device_that_does_not_say_whose_its_passkey_is_takes_the_second_step() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    let mut browser = at_second_step(&app).await;
    let options = browser.asked_at("/login/code").await;
    // Asked for a passkey by its id, it may leave that out.
    passkey.user_handle = None;
    let answer = browser
        .post("/login/code", &[("assertion", &passkey.get(&options))])
        .await;
    assert_eq!(answer.status, 303, "{}", answer.body);
}

#[rocket::async_test]
async fn atk_20_another_users_passkey_is_no_second_step() {
    let app = TestApp::start().await;
    alice(&app).await;
    let mut mallory = app.signed_in("mallory").await;
    let mut hers = mallory.add_passkey().await;
    let mut browser = at_second_step(&app).await;
    for handle in [
        Some(app.user("alice").await.id.as_bytes().to_vec()),
        None,
        hers.user_handle.clone(),
    ] {
        let options = browser.asked_at("/login/code").await;
        hers.user_handle = handle;
        let answer = browser
            .post("/login/code", &[("assertion", &hers.get(&options))])
            .await;
        assert_eq!((answer.status, browser.token()), (401, String::new()));
    }
    // Nor does what signs her in, in the same browser.
    let options = browser.asked_at("/login").await;
    let answer = browser
        .post("/login/code", &[("assertion", &hers.get(&options))])
        .await;
    assert_eq!((answer.status, browser.token()), (401, String::new()));
}

#[rocket::async_test]
async fn atk_20_at_an_open_screen_only_its_users_passkey_proves_who_it_is() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut passkey = browser.add_passkey().await;
    let mut mallory = app.signed_in("mallory").await;
    let mut hers = mallory.add_passkey().await;
    app.wait(app.app.settings.sessions.reauthenticate_after)
        .await;

    let options = browser.asked_at("/reauthenticate").await;
    assert_eq!(
        options["allowCredentials"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
    let before = browser.token();
    for handle in [hers.user_handle.clone(), passkey.user_handle.clone(), None] {
        hers.user_handle = handle;
        let options = browser.asked_at("/reauthenticate").await;
        let answer = browser
            .post("/reauthenticate", &[("assertion", &hers.get(&options))])
            .await;
        assert_eq!((answer.status, browser.token()), (403, before.clone()));
        let id = ids(&mut browser).await.remove(0);
        let path = format!("/account/passkeys/{id}/delete");
        let page = browser.post(&path, &[]).await;
        let options = asked(&page).expect("what alice's passkey is asked for");
        let answer = browser
            .post(&path, &[("assertion_again", &hers.get(&options))])
            .await;
        assert_eq!(
            (answer.status, browser.token()),
            (403, before.clone()),
            "{}",
            answer.body
        );
        assert_eq!(ids(&mut browser).await, [id]);
    }
    // Her own sign-in page's challenge is none for alice's screen, and alice's none for another session.
    let foreign = mallory.asked_at("/login?switch").await;
    let answer = browser
        .post("/reauthenticate", &[("assertion", &passkey.get(&foreign))])
        .await;
    assert_eq!(answer.status, 403);
    let options = browser.asked_at("/reauthenticate").await;
    let fields = [
        ("assertion", passkey.get(&options)),
        ("rd", "/account/sessions".to_owned()),
    ];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let answer = browser.post("/reauthenticate", &fields).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account/sessions"),
        "{}",
        answer.body
    );
    assert_ne!(browser.token(), before);
}

#[rocket::async_test]
async fn a_sensitive_form_is_sent_with_a_passkey_in_the_passwords_place() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut passkey = browser.add_passkey().await;
    app.wait(app.app.settings.sessions.reauthenticate_after)
        .await;
    let id = ids(&mut browser).await.remove(0);
    let path = format!("/account/passkeys/{id}/rename");
    let page = browser.post(&path, &[("name", "The blue key")]).await;
    assert_eq!(page.status, 403);
    let assertion = passkey.get(&asked(&page).expect("options"));
    let kept = page.fields_of("data-options");
    assert!(
        kept.contains(&("name".to_owned(), "The blue key".to_owned())),
        "{kept:?}"
    );
    let fields = [("name", "The blue key"), ("assertion_again", &assertion)];
    let answer = browser.post(&path, &fields).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account/passkeys"),
        "{}",
        answer.body
    );
    assert_eq!(app.sql("SELECT name FROM passkeys").await, ["The blue key"]);
    assert_eq!(browser.session().await.status, 200, "under its new token");
}

#[rocket::async_test]
async fn a_proof_again_and_a_new_passkey_in_one_form_leave_one_token() {
    let app = TestApp::with("sessions.reauthenticate_after = \"5m\"").await;
    let mut browser = app.signed_in("alice").await;
    let options = browser.asked_at("/account/passkeys").await;
    app.wait(app.app.settings.sessions.reauthenticate_after)
        .await;
    let sent = Passkey::new().create(&options);
    let fields = [("assertion", sent.as_str()), ("password_again", PASSWORD)];
    let answer = browser.post("/account/passkeys", &fields).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let sessions = answer
        .all("set-cookie")
        .filter(|cookie| cookie.starts_with("__Host-vestibule="));
    assert_eq!(sessions.count(), 1);
    assert_eq!(browser.session().await.status, 200);
}

#[rocket::async_test]
async fn the_first_passkey_comes_with_recovery_codes_and_the_last_takes_them_along() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let answer = browser.register(&mut Passkey::new()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.elements("<li><code>", "</code>").len(),
        10,
        "{}",
        answer.body
    );
    assert_eq!(
        browser.register(&mut Passkey::new()).await.status,
        303,
        "the same ones stay good"
    );
    for id in ids(&mut browser).await {
        assert_eq!(app.sql("SELECT 'code' FROM recovery_codes").await.len(), 10);
        delete(&mut browser, &id).await;
    }
    assert!(
        app.sql("SELECT 'code' FROM recovery_codes")
            .await
            .is_empty()
    );
}

#[rocket::async_test]
async fn mfa_11_the_owner_is_told_of_a_passkey_that_may_be_a_copy() {
    let app = TestApp::start().await;
    let mut passkey = alice(&app).await;
    passkey.counter = 10;
    let mut browser = app.anonymous();
    browser.sign_in_by(&mut passkey).await;
    passkey.counter = 3;
    app.anonymous().sign_in_by(&mut passkey).await;
    let page = browser.get("/account").await;
    assert!(
        page.body
            .contains("A passkey was refused, because it may be a copy."),
        "{}",
        page.body
    );
}

#[test]
fn config_check_says_where_browsers_make_no_passkeys() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |url: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        program
            .env_clear()
            .current_dir(&folder)
            .args(["config", "check"]);
        program
            .env("VESTIBULE_TRUSTED_PROXIES", "[\"127.0.0.1\"]")
            .env("VESTIBULE_PUBLIC_URL", url)
            .env("VESTIBULE_INSECURE_HTTP", "true");
        let output = program.output().expect("the program");
        assert!(output.status.success(), "{url}: {output:?}");
        String::from_utf8(output.stdout).expect("a text")
    };
    for url in ["https://auth.example.com", "http://localhost:8000"] {
        assert_eq!(check(url), "The settings are good.\n", "{url}");
    }
    let told = check("https://192.0.2.7");
    assert!(
        told.contains("Passkeys are off: public_url is an IP address"),
        "{told}"
    );
    let told = check("http://auth.example.com");
    assert!(
        told.contains("Passkeys are off: public_url is http"),
        "{told}"
    );
}
