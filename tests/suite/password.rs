//! Passwords: what they must be, how they are kept, how they are changed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::people::passwords::{Hasher, Password, Weakness, check};
use vestibule::people::users::{self, Changes};

use crate::support::{Answer, Client, PASSWORD, TestApp};

const ANOTHER: &str = "another long password";

async fn hashes(app: &TestApp) -> Vec<String> {
    app.sql("SELECT password_hash FROM users ORDER BY username")
        .await
}

async fn change(client: &mut Client, current: &str, new: &str) -> Answer {
    let fields = [("current_password", current), ("new_password", new)];
    client.post("/account/password", &fields).await
}

#[rocket::async_test]
async fn pwd_01_passwords_are_kept_as_argon2id_with_a_salt_each() {
    let app = TestApp::start().await;
    for username in ["alice", "bob", "carol", "dave"] {
        app.user(username).await;
    }
    let mut salts = BTreeSet::new();
    for hash in hashes(&app).await {
        let rest = hash
            .strip_prefix("$argon2id$v=19$m=19456,t=2,p=1$")
            .expect("OWASP's least");
        let (salt, output) = rest.split_once('$').expect("salt and output");
        assert_eq!(
            (salt.len(), output.len()),
            (22, 43),
            "16 bytes and 32 in base64"
        );
        salts.insert(salt.to_owned());
    }
    assert_eq!(salts.len(), 4);
}

#[rocket::async_test]
async fn pwd_02_raised_parameters_rehash_at_the_next_right_sign_in_alone() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let old = hashes(&app).await;
    let app = app
        .restarted_with("passwords.iterations = 3\npasswords.memory_kib = 20480")
        .await;
    assert_eq!(
        app.anonymous()
            .sign_in("alice", "not that password")
            .await
            .status,
        401
    );
    assert_eq!(hashes(&app).await, old);
    let (mut one, mut two) = (app.anonymous(), app.anonymous());
    let both = rocket::futures::future::join(
        one.sign_in("alice", PASSWORD),
        two.sign_in("alice", PASSWORD),
    )
    .await;
    assert_eq!((both.0.status, both.1.status), (303, 303));
    assert!(hashes(&app).await[0].starts_with("$argon2id$v=19$m=20480,t=3,p=1$"));
    assert_eq!(
        (one.session().await.status, two.session().await.status),
        (200, 200)
    );
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 303);
}

#[rocket::async_test]
async fn pwd_02_lowered_parameters_never_weaken_a_hash() {
    let app = TestApp::with("passwords.iterations = 3").await;
    app.user("alice").await;
    let strong = hashes(&app).await;
    let app = app.restarted_with("").await;
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 303);
    assert_eq!(hashes(&app).await, strong);
}

#[test]
fn pwd_03_fifteen_characters_of_any_kind_are_enough_and_long_ones_are_welcome() {
    let judge = |password: &str, least| check(password, least, "alice", "auth.example.com");
    let word = "abcdefghijklmnoqrsuvwxyz ä漢🦀".chars().cycle();
    let of_length = |n| word.clone().skip(3).take(n).collect::<String>();
    for (length, least, fine) in [
        (7, 8, false),
        (8, 8, true),
        (14, 8, true),
        (8, 15, false),
        (14, 15, false),
        (15, 15, true),
        (64, 15, true),
        (128, 15, true),
        (256, 15, true),
    ] {
        let wanted = if fine {
            Ok(())
        } else {
            Err(Weakness::Short { min_length: least })
        };
        assert_eq!(
            judge(&of_length(length), least),
            wanted,
            "{length} of at least {least}"
        );
    }
    for password in [
        "onlylowercaseletters",
        "ONLYUPPERCASELETTERS",
        "all these are words",
        "пароль на каждый день",
        "🦀🐙🐌🐝🦋🐞🦂🐢🐍🦎🦖🦕🐊🐸🐬",
    ] {
        assert_eq!(judge(password, 15), Ok(()), "{password}");
    }
    assert_eq!(judge(&"ä".repeat(513), 15), Err(Weakness::Long));
}

#[rocket::async_test]
async fn pwd_03_a_short_password_is_refused_with_the_length_that_is_asked_for() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let answer = change(&mut alice, PASSWORD, "fourteen chars").await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.body.contains("15 characters at least"),
        "{}",
        answer.body
    );
    assert_eq!(
        change(&mut alice, PASSWORD, "fifteen chars !").await.status,
        303
    );
}

#[test]
fn pwd_04_passwords_that_are_tried_first_are_refused_in_all_their_disguises() {
    for password in [
        "password1234567",
        "PassWord1234567",
        "!!password!!2026",
        "passwordpassword",
        "qwertyuiop12345",
        "letmein letmein ",
        "123456789012345",
        "111111111111111",
        "aaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "1qaz2wsx3edc4rfv",
    ] {
        assert_eq!(
            check(password, 15, "alice", "auth.example.com"),
            Err(Weakness::Common),
            "{password}"
        );
    }
}

#[test]
fn pwd_04_names_that_anyone_knows_are_no_passwords() {
    for (password, username, name) in [
        ("alicealicealice", "alice", "alice"),
        ("Alice2026!!!!!!", "alice", "alice"),
        ("alice99!!!!!!!!", "alice99", "alice99"),
        ("bob.smith.2026.", "bob.smith", "bob.smith"),
        ("Vestibule-20262", "alice", "vestibule"),
        ("my vestibule 26", "alice", "vestibule"),
        ("auth.example.com", "alice", "auth.example.com"),
        ("Example!Example!", "alice", "example"),
        ("example20262026", "alice", "example"),
    ] {
        let judged = check(password, 15, username, "auth.example.com");
        assert_eq!(judged, Err(Weakness::Names(name.to_owned())), "{password}");
    }
    for password in [
        "alice likes tea at five",
        "an example of a long one",
        "the vestibule is blue",
    ] {
        assert_eq!(
            check(password, 15, "alice", "auth.example.com"),
            Ok(()),
            "{password}"
        );
    }
}

#[rocket::async_test]
async fn pwd_04_a_refusal_says_why() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    for (password, reason) in [
        ("password1234567", "among those that are tried first"),
        ("alice2026202620", "little more than “alice”"),
        ("example.com2026", "little more than “example”"),
    ] {
        let answer = change(&mut alice, PASSWORD, password).await;
        assert_eq!(answer.status, 422, "{password}");
        assert!(answer.body.contains(reason), "{password}: {}", answer.body);
    }
    assert_eq!(alice.sign_in("alice", PASSWORD).await.status, 303);
}

#[rocket::async_test]
async fn pwd_04_every_way_to_a_password_is_judged() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let weak = Password::new("password1234567".to_owned());
    let operator = Actor::operator();
    let set = lifecycle::set_password(&app.app, &operator, "alice", &weak).await;
    assert_eq!(
        set.expect("a database"),
        Err(users::Refused::Weak(Weakness::Common))
    );
    let new = users::NewUser {
        username: "bob".to_owned(),
        ..Default::default()
    };
    let made = users::create(&app.app, &operator, new, &weak).await;
    assert_eq!(
        made.expect("a database"),
        Err(users::Refused::Weak(Weakness::Common))
    );
    let code = app.setup_code().await;
    let fields = [
        ("code", code.as_str()),
        ("username", "root"),
        ("password", weak.reveal()),
    ];
    assert_eq!(app.anonymous().post("/setup", &fields).await.status, 422);
}

#[rocket::async_test]
async fn pwd_05_a_change_needs_the_current_password() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let mut elsewhere = app.sign_in_again("alice").await;
    let before = hashes(&app).await;
    let answer = change(&mut alice, "not that password", ANOTHER).await;
    assert_eq!(answer.status, 403);
    assert_eq!(hashes(&app).await, before);
    assert_eq!(elsewhere.session().await.status, 200);
}

#[rocket::async_test]
async fn pwd_05_a_change_ends_the_users_other_sessions_and_renews_this_one() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let mut elsewhere = app.sign_in_again("alice").await;
    let mut stolen = alice.clone();
    assert_eq!(change(&mut alice, PASSWORD, ANOTHER).await.status, 303);
    assert_eq!(alice.session().await.status, 200);
    assert_eq!(elsewhere.session().await.status, 401);
    assert_eq!(stolen.session().await.status, 401, "the old token is dead");
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 401);
    assert_eq!(app.anonymous().sign_in("alice", ANOTHER).await.status, 303);
}

#[rocket::async_test]
async fn pwd_05_wrong_tries_of_a_change_count() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    for _ in 0..5 {
        assert_eq!(
            change(&mut alice, "not that password", ANOTHER)
                .await
                .status,
            403
        );
    }
    assert_eq!(change(&mut alice, PASSWORD, ANOTHER).await.status, 429);
}

/// Peak memory of this process in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("a peak");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number")
}

#[rocket::async_test]
async fn pwd_06_a_stored_hash_cannot_ask_for_more_than_the_server_has() {
    let app = TestApp::with("throttle.account_tries = 100").await;
    app.user("alice").await;
    let (before, started) = (peak_memory(), Instant::now());
    for statement in [
        "UPDATE users SET password_hash = replace(password_hash, 'm=19456,t=2,p=1', 'm=4194304,t=2,p=1')",
        "UPDATE users SET password_hash = replace(password_hash, 'm=4194304,t=2,p=1', 'm=19456,t=1000000,p=1')",
        "UPDATE users SET password_hash = replace(password_hash, 'm=19456,t=1000000,p=1', 'm=262145,t=2,p=1')",
        "UPDATE users SET password_hash = replace(password_hash, 'm=262145,t=2,p=1', 'm=19456,t=2,p=255')",
        "UPDATE users SET password_hash = replace(password_hash, 'm=19456,t=2,p=255', 'm=19456,t=17,p=1')",
        "UPDATE users SET password_hash = replace(password_hash, 'argon2id$v=19$m=19456,t=17,p=1', 'argon2d$v=19$m=19456,t=2,p=1')",
        "UPDATE users SET password_hash = replace(password_hash, '$argon2d$', '$argon2i$')",
    ] {
        app.execute(statement).await;
        let answer = app.anonymous().sign_in("alice", PASSWORD).await;
        assert_eq!(
            (answer.status, answer.all("set-cookie").count()),
            (500, 0),
            "{:?}",
            hashes(&app).await
        );
    }
    assert!(
        hashes(&app).await[0].starts_with("$argon2i$v=19$m=19456,t=2,p=1$"),
        "each statement did its part"
    );
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "a million passes take minutes"
    );
    assert!(
        peak_memory() - before < 2 * 1024 * 1024,
        "4 GiB were not allocated"
    );
}

#[rocket::async_test]
async fn pwd_07_password_managers_find_their_fields() {
    let app = TestApp::start().await;
    let mut visitor = app.anonymous();
    let (sign_in, setup) = (
        visitor.get("/login").await.body,
        visitor.get("/setup").await.body,
    );
    let mut alice = app.signed_in("alice").await;
    let (change, again) = (
        alice.get("/account/password").await.body,
        alice.get("/reauthenticate").await.body,
    );
    for (page, name, autocomplete) in [
        (&sign_in, "password", "current-password"),
        (&setup, "password", "new-password"),
        (&change, "current_password", "current-password"),
        (&change, "new_password", "new-password"),
        (&again, "password", "current-password"),
    ] {
        let field = format!("name=\"{name}\" type=\"password\" autocomplete=\"{autocomplete}\"");
        assert!(page.contains(&field), "{field}: {page}");
        assert_eq!(
            page.matches("type=\"password\"").count(),
            page.matches("-password\" required").count(),
            "{page}"
        );
    }
    for (page, fills) in [(&sign_in, "username webauthn"), (&setup, "username")] {
        assert!(
            page.contains(&format!(
                "name=\"username\" type=\"text\" autocomplete=\"{fills}\""
            )),
            "{page}"
        );
    }
    for page in [&change, &again] {
        assert!(
            page.contains("autocomplete=\"username\" value=\"alice\""),
            "whose password it is: {page}"
        );
    }
    for page in [sign_in, setup, change, again] {
        for barrier in ["onpaste", "oncopy", "onkey", "<script>", "maxlength"] {
            assert!(!page.contains(barrier), "{barrier}: {page}");
        }
    }
}

#[rocket::async_test]
async fn pwd_08_a_password_does_not_grow_old() {
    let app = TestApp::start().await;
    app.user("alice").await;
    app.wait(Duration::from_secs(400 * 24 * 60 * 60)).await;
    let mut alice = app.sign_in_again("alice").await;
    assert_eq!(alice.get("/account").await.status, 200);
}

#[rocket::async_test]
async fn pwd_08_a_password_that_others_may_know_must_be_changed_at_the_next_sign_in() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let changes = Changes {
        must_change_password: Some(true),
        ..Changes::default()
    };
    let flagged = lifecycle::change(&app.app, &Actor::operator(), "alice", changes).await;
    flagged.expect("a database").expect("a user");
    let mut alice = app.sign_in_again("alice").await;
    let sent = alice.get("/account").await;
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, "/account/password")
    );
    assert_eq!(
        change(&mut alice, PASSWORD, PASSWORD).await.status,
        422,
        "the same one is no change"
    );
    assert_eq!(alice.get("/account").await.status, 303);
    assert_eq!(change(&mut alice, PASSWORD, ANOTHER).await.status, 303);
    assert_eq!(alice.get("/account").await.status, 200);
    assert_eq!(app.anonymous().sign_in("alice", ANOTHER).await.status, 303);
}

const DECOMPOSED: &str = "schu\u{308}ler fahren im regen";
const COMPOSED: &str = "sch\u{fc}ler fahren im regen";

#[rocket::async_test]
async fn atk_24_a_password_is_one_however_it_is_spelt() {
    let app = TestApp::start().await;
    for (name, set, typed) in [
        ("alice", DECOMPOSED, COMPOSED),
        ("bob", COMPOSED, DECOMPOSED),
    ] {
        let mut browser = app.signed_in(name).await;
        assert_eq!(change(&mut browser, PASSWORD, set).await.status, 303);
        assert_eq!(app.anonymous().sign_in(name, typed).await.status, 303);
        let again = browser
            .post("/reauthenticate", &[("password", typed)])
            .await;
        assert_eq!(again.status, 303);
        let same = change(&mut browser, set, typed).await;
        assert_eq!(same.status, 422, "it is the current one");
        assert_eq!(change(&mut browser, typed, ANOTHER).await.status, 303);
    }
}

#[rocket::async_test]
async fn atk_24_a_hash_of_what_was_typed_verifies_as_typed_and_is_made_anew() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    assert_eq!(change(&mut alice, PASSWORD, COMPOSED).await.status, 303);
    // As a version wrote it that hashed what was typed.
    app.execute("UPDATE users SET password_form = 'typed'")
        .await;
    let computed = || app.app.state::<Hasher>().computed();
    let before = computed();
    let other = app.anonymous().sign_in("alice", DECOMPOSED).await;
    assert_eq!((other.status, computed() - before), (401, 1));
    let old = hashes(&app).await;
    let right = app.anonymous().sign_in("alice", COMPOSED).await;
    assert_eq!((right.status, computed() - before), (303, 3));
    assert_ne!(hashes(&app).await, old);
    let forms = app.sql("SELECT password_form FROM users").await;
    assert_eq!(forms, ["nfc"]);
    let either = app.anonymous().sign_in("alice", DECOMPOSED).await;
    assert_eq!((either.status, computed() - before), (303, 4));
}

#[rocket::async_test]
async fn atk_24_a_form_that_this_version_does_not_know_lets_nobody_in() {
    let app = TestApp::start().await;
    app.user("alice").await;
    app.execute("UPDATE users SET password_form = 'of-tomorrow'")
        .await;
    let answer = app.anonymous().sign_in("alice", PASSWORD).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (503, ""));
}

/// 1,024 bytes as it is hashed, more as it is typed.
fn longest() -> String {
    (0..256).map(|n| format!("a\u{308}{n:02x}")).collect()
}

#[test]
fn atk_24_a_password_is_measured_as_it_is_hashed() {
    let judge = |password: &str| check(password, 15, "alice", "auth.example.com");
    // Fourteen characters, each typed with two code points; and one that stands for three.
    let fourteen = "a\u{308}e\u{301}".repeat(7);
    let short = Err(Weakness::Short { min_length: 15 });
    assert_eq!(judge(&fourteen), short);
    assert_eq!(judge(&"\u{1d160}".repeat(5)), short);
    let longest = longest();
    assert_eq!((longest.len(), judge(&longest)), (1_280, Ok(())));
    assert_eq!(judge(&(longest + "5")), Err(Weakness::Long));
}

#[rocket::async_test]
async fn atk_24_the_longest_password_signs_in_in_each_spelling() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let typed = longest();
    let composed = typed.replace("a\u{308}", "\u{e4}");
    assert_eq!((typed.len(), composed.len()), (1_280, 1_024));
    assert_eq!(change(&mut alice, PASSWORD, &typed).await.status, 303);
    for spelling in [typed, composed] {
        let answer = app.anonymous().sign_in("alice", &spelling).await;
        assert_eq!(answer.status, 303, "{} bytes", spelling.len());
    }
}
