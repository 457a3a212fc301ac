//! Second factors: codes of authenticator apps, recovery codes, trusted devices, and what they are asked for.

use std::time::Duration;

use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;

use crate::support::{Answer, Authenticator, Client, PASSWORD, STEP, TestApp, logged};

const MINUTE: Duration = Duration::from_secs(60);

/// So many tries that a test about something else never meets the throttle.
const PATIENT: &str = "throttle.account_tries = 1000\nthrottle.address_tries = 1000";

/// A user with an authenticator app, in the browser in which it was set up.
async fn with_totp(app: &TestApp, username: &str) -> (Client, Authenticator) {
    let mut client = app.signed_in(username).await;
    let authenticator = Authenticator::set_up(app, &mut client).await;
    (client, authenticator)
}

/// A browser between the password and the second step.
async fn after_password(app: &TestApp, username: &str) -> Client {
    let mut client = app.anonymous();
    let answer = client.sign_in(username, PASSWORD).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(answer.header("location"), "/login/code");
    client
}

async fn give_code(client: &mut Client, code: &str) -> Answer {
    client.post("/login/code", &[("code", code)]).await
}

async fn is_signed_in(client: &mut Client) -> bool {
    client.session().await.status == 200
}

async fn methods(client: &mut Client) -> String {
    client.session().await.json()["session"]["methods"].to_string()
}

async fn events(app: &TestApp, event: &'static str) -> Vec<String> {
    let rows = app
        .sql("SELECT event || ' ' || result || ' ' || coalesce(detail, '') FROM audit ORDER BY id")
        .await;
    rows.into_iter()
        .filter(|row| row.starts_with(event))
        .collect()
}

#[rocket::async_test]
async fn a_code_of_the_app_is_the_second_step() {
    let app = TestApp::start().await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut client = after_password(&app, "alice").await;
    let page = client.get("/login/code").await;
    assert!(page.body.contains("authenticator app"), "{}", page.body);
    let answer = give_code(&mut client, &authenticator.code(&app)).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "/account");
    assert_eq!(methods(&mut client).await, r#"["password","totp"]"#);
    assert!(!client.cookies.contains_key("__Host-vestibule-pending"));
}

#[rocket::async_test]
async fn the_way_to_a_page_survives_the_second_step_and_so_does_keep_me_signed_in() {
    let app = TestApp::start().await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut client = app.anonymous();
    let form = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("remember", "on"),
        ("rd", "/account/sessions"),
    ];
    client.post("/login", &form).await;
    let answer = give_code(&mut client, &authenticator.code(&app)).await;
    assert_eq!(answer.header("location"), "/account/sessions");
    let mut cookies = answer.all("set-cookie");
    let kept = cookies.any(|cookie| {
        cookie.starts_with("__Host-vestibule=") && cookie.contains("Max-Age=7776000")
    });
    assert!(kept, "{:?}", answer.headers);
}

#[rocket::async_test]
async fn mfa_10_the_password_alone_opens_nothing() {
    let app = TestApp::start().await;
    with_totp(&app, "alice").await;
    let mut client = after_password(&app, "alice").await;
    assert_eq!(client.token(), "", "there is no session yet");
    assert_eq!(client.session().await.status, 401);
    for page in [
        "/account",
        "/account/factors",
        "/account/totp",
        "/account/password",
        "/reauthenticate",
    ] {
        let answer = client.get(page).await;
        assert!(
            answer.header("location").starts_with("/login?"),
            "{page}: {}",
            answer.status
        );
    }
    // What stands for the sign-in is no session, wherever it is put.
    let pending = client.cookies["__Host-vestibule-pending"].clone();
    client
        .cookies
        .insert("__Host-vestibule".to_owned(), pending);
    assert_eq!(client.session().await.status, 401);
}

#[rocket::async_test]
async fn log_11_no_step_can_be_skipped() {
    let app = TestApp::start().await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let answer = give_code(&mut app.anonymous(), &authenticator.code(&app)).await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("Begin again"), "{}", answer.body);
    assert_eq!(
        app.anonymous().get("/login/code").await.header("location"),
        "/login"
    );
}

#[rocket::async_test]
async fn mfa_10_a_step_belongs_to_the_browser_that_took_the_one_before() {
    let app = TestApp::start().await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let _elsewhere = after_password(&app, "alice").await;
    let mut other = app.anonymous();
    assert_eq!(
        give_code(&mut other, &authenticator.code(&app))
            .await
            .status,
        401
    );
    assert!(!is_signed_in(&mut other).await);
}

#[rocket::async_test]
async fn mfa_10_a_sign_in_waits_five_minutes_for_its_second_step() {
    let app = TestApp::start().await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut client = after_password(&app, "alice").await;
    app.wait(5 * MINUTE).await;
    let answer = give_code(&mut client, &authenticator.code(&app)).await;
    assert_eq!(answer.status, 401);
    assert!(!is_signed_in(&mut client).await);
    app.sweep().await;
    let left = app
        .sql("SELECT CAST(count(*) AS TEXT) FROM pending_sign_ins")
        .await;
    assert_eq!(left, ["0"]);
}

#[rocket::async_test]
async fn mfa_10_a_new_password_or_a_disabled_user_ends_a_sign_in_between_its_steps() {
    let app = TestApp::start().await;
    for username in ["alice", "bob"] {
        let (_, authenticator) = with_totp(&app, username).await;
        let mut client = after_password(&app, username).await;
        let actor = Actor::operator();
        if username == "alice" {
            let other =
                vestibule::people::passwords::Password::new("another password of hers".to_owned());
            lifecycle::set_password(&app.app, &actor, username, &other)
                .await
                .expect("a database")
                .expect("a user");
        } else {
            lifecycle::disable(&app.app, &actor, username)
                .await
                .expect("a database")
                .expect("a user");
        }
        let answer = give_code(&mut client, &authenticator.code(&app)).await;
        assert_eq!(answer.status, 401, "{username}");
        assert!(!is_signed_in(&mut client).await, "{username}");
    }
}

/// What many are answered, in order of the numbers, who give the same as their second step.
async fn all_at_once(clients: Vec<Client>, field: (&str, &str)) -> Vec<u16> {
    let answers = clients.into_iter().map(|mut client| async move {
        loop {
            // Who waits for the database longer than a second is told to come again.
            match client.post("/login/code", &[field]).await.status {
                503 => {}
                status => return status,
            }
        }
    });
    let mut answers = rocket::futures::future::join_all(answers).await;
    answers.sort_unstable();
    answers
}

#[rocket::async_test]
async fn mfa_01_one_code_at_a_hundred_sign_ins_at_once_is_good_for_one() {
    let app = TestApp::with(PATIENT).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(after_password(&app, "alice").await);
    }
    let code = authenticator.code(&app);
    let answers = all_at_once(clients, ("code", &code)).await;
    assert_eq!(answers, [vec![303], vec![401; 99]].concat());
}

#[rocket::async_test]
async fn mfa_01_a_code_that_was_used_is_as_wrong_as_any_other() {
    let app = TestApp::with(PATIENT).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let code = authenticator.code(&app);
    let mut first = after_password(&app, "alice").await;
    assert_eq!(give_code(&mut first, &code).await.status, 303);
    let mut second = after_password(&app, "alice").await;
    let used = give_code(&mut second, &code).await;
    let wrong = give_code(&mut second, &other_than(&authenticator, &app)).await;
    assert_eq!(used.status, 401);
    assert_eq!(used.body, wrong.body);
}

/// A code that is not right now, nor a step before or after.
fn other_than(authenticator: &Authenticator, app: &TestApp) -> String {
    let right: Vec<String> = (-2..=2)
        .map(|steps| authenticator.code_of(app, steps))
        .collect();
    (0..10)
        .map(|n| format!("{n}{n}{n}{n}{n}{n}"))
        .find(|code| !right.contains(code))
        .expect("five codes are not ten")
}

#[rocket::async_test]
async fn mfa_01_a_code_of_a_step_before_one_that_was_used_is_refused() {
    let app = TestApp::with(PATIENT).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut client = after_password(&app, "alice").await;
    assert_eq!(
        give_code(&mut client, &authenticator.code_of(&app, 1))
            .await
            .status,
        303
    );
    let mut client = after_password(&app, "alice").await;
    assert_eq!(
        give_code(&mut client, &authenticator.code_of(&app, 0))
            .await
            .status,
        401
    );
    assert_eq!(
        give_code(&mut client, &authenticator.code_of(&app, -1))
            .await
            .status,
        401
    );
}

#[rocket::async_test]
async fn mfa_06_a_clock_that_goes_back_opens_no_code_again() {
    let app = TestApp::with(PATIENT).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut client = after_password(&app, "alice").await;
    let code = authenticator.code(&app);
    assert_eq!(give_code(&mut client, &code).await.status, 303);
    // As if the machine had been five minutes ahead when the code was used.
    app.execute("UPDATE totp SET last_step = last_step + 10")
        .await;
    let mut client = after_password(&app, "alice").await;
    app.wait(STEP).await;
    assert_eq!(
        give_code(&mut client, &authenticator.code(&app))
            .await
            .status,
        401
    );
    assert!(!is_signed_in(&mut client).await);
}

#[rocket::async_test]
async fn mfa_02_wrong_codes_are_counted_for_the_user_over_all_sign_ins() {
    let app = TestApp::with("throttle.address_tries = 1000").await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let wrong = other_than(&authenticator, &app);
    let mut answers = Vec::new();
    for _ in 0..8 {
        let mut client = after_password(&app, "alice").await;
        answers.push(give_code(&mut client, &wrong).await.status);
    }
    assert_eq!(answers, [401, 401, 401, 401, 401, 429, 429, 429]);
    let mut client = after_password(&app, "alice").await;
    let right = give_code(&mut client, &authenticator.code(&app)).await;
    assert_eq!(right.status, 429, "nor is a right one looked at");
    let wait: u64 = right.header("retry-after").parse().expect("seconds");
    assert!((1..=900).contains(&wait), "{wait}");
}

#[rocket::async_test]
async fn mfa_02_wrong_codes_at_once_do_not_overrun_the_limit() {
    let app = TestApp::with("throttle.address_tries = 1000").await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let wrong = other_than(&authenticator, &app);
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(after_password(&app, "alice").await);
    }
    let answers = clients.into_iter().map(|mut client| {
        let wrong = wrong.clone();
        async move { give_code(&mut client, &wrong).await.status }
    });
    let answers = rocket::futures::future::join_all(answers).await;
    assert!(
        answers.iter().filter(|status| **status == 401).count() <= 5,
        "{answers:?}"
    );
    assert!(
        answers.iter().all(|status| [401, 429].contains(status)),
        "{answers:?}"
    );
}

#[rocket::async_test]
async fn mfa_02_after_a_hundred_wrong_codes_in_a_row_no_code_is_looked_at_any_more() {
    let app = TestApp::with(PATIENT).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    app.execute("UPDATE totp SET failures = 99").await;
    let mut client = after_password(&app, "alice").await;
    give_code(&mut client, &other_than(&authenticator, &app)).await;
    assert_eq!(
        give_code(&mut client, &authenticator.code(&app))
            .await
            .status,
        401
    );
    let code = authenticator.recovery_codes[0].clone();
    let answer = client
        .post("/login/code", &[("recovery_code", &code)])
        .await;
    assert_eq!(answer.status, 303, "a recovery code is");
}

#[rocket::async_test]
async fn mfa_03_what_is_no_code_is_said_to_be_none_and_costs_no_try() {
    let app = TestApp::with("throttle.account_tries = 1").await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut client = after_password(&app, "alice").await;
    let code = authenticator.code(&app);
    for typed in [
        format!(" {code}"),
        format!("{code} "),
        format!("+{code}"),
        "１２３４５６".to_owned(),
        "12345".to_owned(),
        String::new(),
    ] {
        let answer = give_code(&mut client, &typed).await;
        assert_eq!(answer.status, 422, "{typed:?}");
        assert!(answer.body.contains("six digits"), "{typed:?}");
    }
    let both = [
        ("code", code.as_str()),
        ("recovery_code", authenticator.recovery_codes[0].as_str()),
    ];
    assert_eq!(client.post("/login/code", &both).await.status, 422);
    assert_eq!(
        client
            .post_body("/login/code", format!("code={code}&code={code}"))
            .await
            .status,
        422
    );
    assert_eq!(give_code(&mut client, &code).await.status, 303);
}

#[rocket::async_test]
async fn mfa_04_neither_secret_nor_recovery_code_is_in_the_database() {
    let app = TestApp::start().await;
    let (mut client, authenticator) = with_totp(&app, "alice").await;
    let secret = authenticator.secret();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let dump = app.dump().await.join("\n").to_lowercase();
    assert!(dump.contains("totp"), "the dump has the row");
    assert!(!dump.contains(&hex));
    for code in &authenticator.recovery_codes {
        let typed = code.replace('-', "").to_lowercase();
        assert!(!dump.contains(&typed) && !dump.contains(&code.to_lowercase()));
    }
    let page = client.get("/account/recovery-codes").await;
    for code in &authenticator.recovery_codes {
        assert!(!page.body.contains(code.as_str()), "they are shown once");
    }
}

#[rocket::async_test]
async fn a_recovery_code_replaces_the_app_once_however_it_is_typed() {
    let app = TestApp::with(PATIENT).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    assert_eq!(authenticator.recovery_codes.len(), 10);
    let code = authenticator.recovery_codes[0].clone();
    let mut client = after_password(&app, "alice").await;
    let typed = code.to_lowercase().replace('-', " ");
    let answer = client
        .post("/login/code", &[("recovery_code", &typed)])
        .await;
    assert_eq!(answer.status, 303);
    assert_eq!(
        methods(&mut client).await,
        r#"["password","recovery_code"]"#
    );
    assert!(
        client
            .get("/account/factors")
            .await
            .body
            .contains("9 are left")
    );
    let mut client = after_password(&app, "alice").await;
    let answer = client
        .post("/login/code", &[("recovery_code", &code)])
        .await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        events(&app, "recovery_code_use").await,
        ["recovery_code_use ok 9 left"]
    );
}

#[rocket::async_test]
async fn mfa_04_one_recovery_code_at_a_hundred_sign_ins_at_once_is_good_for_one() {
    let app = TestApp::with(PATIENT).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(after_password(&app, "alice").await);
    }
    let code = &authenticator.recovery_codes[3];
    let answers = all_at_once(clients, ("recovery_code", code)).await;
    assert_eq!(answers, [vec![303], vec![401; 99]].concat());
}

#[rocket::async_test]
async fn new_recovery_codes_make_the_old_ones_void() {
    let app = TestApp::with(PATIENT).await;
    let (mut client, authenticator) = with_totp(&app, "alice").await;
    let page = client.post("/account/recovery-codes", &[]).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("cache-control"), "no-store");
    let new = page.elements("<li><code>", "</code>");
    assert_eq!(new.len(), 10);
    let mut client = after_password(&app, "alice").await;
    for (code, status) in [(&authenticator.recovery_codes[0], 401), (&new[0], 303)] {
        let answer = client.post("/login/code", &[("recovery_code", code)]).await;
        assert_eq!(answer.status, status);
    }
}

#[rocket::async_test]
async fn mfa_05_a_factor_is_changed_only_with_a_second_factor_proven_lately() {
    let app = TestApp::with(PATIENT).await;
    let (mut client, authenticator) = with_totp(&app, "alice").await;
    app.wait(16 * MINUTE).await;
    for change in [
        "/account/totp/remove",
        "/account/recovery-codes",
        "/account/totp",
    ] {
        let asked = client.post(change, &[]).await;
        assert_eq!(asked.status, 403, "{change}");
        assert!(
            asked.body.contains("name=\"code_again\""),
            "{change}: {}",
            asked.body
        );
        assert!(!asked.body.contains("name=\"password_again\""), "{change}");
        let by_password = client.post(change, &[("password_again", PASSWORD)]).await;
        assert_eq!(
            by_password.status, 403,
            "{change}: a password is not enough"
        );
    }
    let code = authenticator.code(&app);
    let removed = client
        .post("/account/totp/remove", &[("code_again", &code)])
        .await;
    assert_eq!(removed.status, 303, "{}", removed.body);
    assert!(
        is_signed_in(&mut client).await,
        "the session goes on under its new cookie"
    );
    assert_eq!(
        app.sign_in_again("alice").await.session().await.status,
        200,
        "by the password alone"
    );
}

#[rocket::async_test]
async fn atk_01_a_password_signs_nobody_in_who_has_a_factor_and_enrols_none() {
    let app = TestApp::start().await;
    let mut early = app.signed_in("alice").await;
    let (_, _) = with_totp(&app, "alice").await;
    // A session by the password alone, from before.
    let answer = early.get("/account/totp").await;
    assert!(
        answer.header("location").starts_with("/reauthenticate?"),
        "{:?}",
        answer.headers
    );
    let answer = early.post("/account/totp", &[("code", "123456")]).await;
    assert!(
        answer.header("location").starts_with("/reauthenticate?"),
        "{}",
        answer.status
    );
    assert!(!answer.body.contains("setup-key"));
}

#[rocket::async_test]
async fn atk_02_a_session_with_fewer_factors_than_its_user_has_may_step_up_and_sign_out_alone() {
    let app = TestApp::with(PATIENT).await;
    let mut early = app.signed_in("alice").await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    assert_eq!(early.session().await.status, 401);
    for page in [
        "/account",
        "/account/sessions",
        "/account/password",
        "/account/factors",
    ] {
        let answer = early.get(page).await;
        assert!(
            answer.header("location").starts_with("/reauthenticate"),
            "{page}: {}",
            answer.status
        );
    }
    let by_password = early
        .post("/reauthenticate", &[("password", PASSWORD)])
        .await;
    assert_eq!(by_password.status, 403);
    let code = authenticator.code(&app);
    let answer = early
        .post(
            "/reauthenticate",
            &[("code", &code), ("rd", "/account/sessions")],
        )
        .await;
    assert_eq!(answer.header("location"), "/account/sessions");
    assert_eq!(methods(&mut early).await, r#"["password","totp"]"#);
}

#[rocket::async_test]
async fn atk_02_a_session_with_fewer_factors_signs_out() {
    let app = TestApp::start().await;
    let mut early = app.signed_in("alice").await;
    with_totp(&app, "alice").await;
    assert_eq!(early.post("/logout", &[]).await.status, 303);
    assert_eq!(early.token(), "");
}

#[rocket::async_test]
async fn confirming_an_app_adds_its_method_to_the_session_under_a_new_token() {
    let app = TestApp::start().await;
    let mut client = app.signed_in("alice").await;
    let before = client.token();
    Authenticator::set_up(&app, &mut client).await;
    assert_ne!(client.token(), before);
    assert_eq!(methods(&mut client).await, r#"["password","totp"]"#);
    let mut stolen = app.anonymous();
    stolen.cookies.insert("__Host-vestibule".to_owned(), before);
    assert_eq!(stolen.session().await.status, 401);
}

#[rocket::async_test]
async fn an_app_is_set_up_long_after_the_password_and_the_way_there_loses_nothing() {
    let app = TestApp::start().await;
    let mut client = app.signed_in("alice").await;
    let authenticator = Authenticator::offered(&mut client).await;
    app.wait(16 * MINUTE).await;
    let code = authenticator.code(&app);
    let asked = client.post("/account/totp", &[("code", &code)]).await;
    assert_eq!(asked.status, 403);
    let mut fields = asked.fields_of("action=\"/account/totp\"");
    fields.retain(|(name, _)| !name.is_empty());
    for (name, value) in &mut fields {
        if name == "password_again" {
            *value = PASSWORD.to_owned();
        }
    }
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let shown = client.post("/account/totp", &fields).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert_eq!(shown.elements("<li><code>", "</code>").len(), 10);
    assert_eq!(methods(&mut client).await, r#"["password","totp"]"#);
}

/// All that the database says, but for the signs of life that nodes write.
async fn rows(app: &TestApp) -> Vec<String> {
    let rows = app.dump().await.into_iter();
    rows.filter(|row| !row.starts_with("nodes:")).collect()
}

#[rocket::async_test]
async fn a_page_that_offers_a_key_writes_nothing() {
    let app = TestApp::start().await;
    let mut client = app.signed_in("alice").await;
    let first = client.get("/account/totp").await;
    app.wait(Duration::ZERO).await;
    let before = rows(&app).await;
    let again = client.get("/account/totp").await;
    assert_eq!(
        first.elements("id=\"setup-key\">", "<"),
        again.elements("id=\"setup-key\">", "<")
    );
    app.wait(Duration::ZERO).await;
    assert_eq!(rows(&app).await, before);
}

#[rocket::async_test]
async fn a_wrong_first_code_sets_nothing_up() {
    let app = TestApp::start().await;
    let mut client = app.signed_in("alice").await;
    let authenticator = Authenticator::offered(&mut client).await;
    let wrong = client
        .post(
            "/account/totp",
            &[("code", &other_than(&authenticator, &app))],
        )
        .await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("setup-key"), "the page is there again");
    assert_eq!(app.sign_in_again("alice").await.session().await.status, 200);
}

#[rocket::async_test]
async fn an_app_that_replaces_another_ends_the_old_ones_codes() {
    let app = TestApp::with(PATIENT).await;
    let (mut client, old) = with_totp(&app, "alice").await;
    let new = Authenticator::set_up(&app, &mut client).await;
    assert!(new.recovery_codes.is_empty(), "the recovery codes stay");
    let mut client = after_password(&app, "alice").await;
    assert_eq!(give_code(&mut client, &old.code(&app)).await.status, 401);
    assert_eq!(give_code(&mut client, &new.code(&app)).await.status, 303);
}

#[rocket::async_test]
async fn mfa_13_whatever_happens_to_a_factor_is_recorded_once_and_told_once() {
    let app = TestApp::with(PATIENT).await;
    let (mut client, authenticator) = with_totp(&app, "alice").await;
    client.post("/account/recovery-codes", &[]).await;
    client.post("/account/totp/remove", &[]).await;
    for event in ["totp_add", "recovery_codes_new", "totp_remove"] {
        assert_eq!(
            events(&app, event).await,
            [format!("{event} ok ")],
            "{event}"
        );
    }
    let page = client.get("/account").await;
    for told in ["was set up", "New recovery codes", "was removed"] {
        assert_eq!(page.body.matches(told).count(), 1, "{told}");
    }
    client.post("/account/notices/seen", &[]).await;
    assert!(
        !client.get("/account").await.body.contains("was set up"),
        "once read, it is gone"
    );
    drop(authenticator);
}

#[rocket::async_test]
async fn atk_17_the_first_wrong_code_after_a_right_password_is_told_to_the_owner() {
    let app = TestApp::with(PATIENT).await;
    let (mut client, authenticator) = with_totp(&app, "alice").await;
    let mut thief = after_password(&app, "alice").await.at("198.51.100.9");
    for _ in 0..3 {
        give_code(&mut thief, &other_than(&authenticator, &app)).await;
    }
    let page = client.get("/account").await;
    assert_eq!(page.body.matches("then a wrong code").count(), 1);
    assert!(page.body.contains("198.51.100.9"));
}

#[rocket::async_test]
async fn atk_17_who_has_the_password_does_not_shut_the_owner_out() {
    let app = TestApp::start().await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let wrong = other_than(&authenticator, &app);
    let mut thief = app.anonymous().at("198.51.100.9");
    thief.sign_in("alice", PASSWORD).await;
    for _ in 0..6 {
        give_code(&mut thief, &wrong).await;
    }
    assert_eq!(give_code(&mut thief, &wrong).await.status, 429);
    let mut owner = after_password(&app, "alice").await;
    assert_eq!(
        give_code(&mut owner, &authenticator.code(&app))
            .await
            .status,
        303,
        "at a known address"
    );
    let mut travelling = app.anonymous().at("192.0.2.77");
    travelling.sign_in("alice", PASSWORD).await;
    let code = authenticator.recovery_codes[0].clone();
    let answer = travelling
        .post("/login/code", &[("recovery_code", &code)])
        .await;
    assert_eq!(answer.status, 303, "and anywhere by a recovery code");
}

#[rocket::async_test]
async fn an_admin_removes_lost_factors_which_ends_the_sessions_and_is_told() {
    let app = TestApp::with(PATIENT).await;
    let (mut alice, _) = with_totp(&app, "alice").await;
    let mut admin = app.admin().await;
    let id = app.user("alice").await.id;
    let page = admin.get(&format!("/admin/users/{id}")).await;
    assert!(page.body.contains("Remove second factors"));
    let done = admin
        .post(&format!("/admin/users/{id}/reset-factors"), &[])
        .await;
    assert_eq!(done.status, 303);
    assert!(!is_signed_in(&mut alice).await);
    let mut alice = app.sign_in_again("alice").await;
    assert!(
        alice
            .get("/account")
            .await
            .body
            .contains("An admin removed your second factors")
    );
    assert_eq!(events(&app, "factors_reset").await, ["factors_reset ok "]);
    let left = app
        .sql("SELECT CAST(count(*) AS TEXT) FROM recovery_codes")
        .await;
    assert_eq!(left, ["0"]);
}

#[rocket::async_test]
async fn key_02_a_secret_that_was_put_into_another_users_row_opens_nothing() {
    let app = TestApp::with(PATIENT).await;
    let (_, alices) = with_totp(&app, "alice").await;
    let (_, bobs) = with_totp(&app, "bob").await;
    app.execute(
        "UPDATE totp SET secret = (SELECT o.secret FROM totp o WHERE o.user_id <> totp.user_id)
         WHERE user_id = (SELECT id FROM users WHERE username = 'alice')",
    )
    .await;
    for code in [bobs.code(&app), alices.code(&app)] {
        let mut client = after_password(&app, "alice").await;
        let (answer, log) = logged(give_code(&mut client, &code)).await;
        assert_eq!(answer.status, 500);
        assert!(log.contains("sealed for another row"), "{log}");
        assert!(!is_signed_in(&mut client).await);
    }
}

const TRUSTING: &str = "throttle.account_tries = 1000\nthrottle.address_tries = 1000\nsecond_factor.trust_device = \"30d\"";

/// A browser that signed in with a code and asked to be trusted.
async fn trusted(app: &TestApp, username: &str, authenticator: &Authenticator) -> Client {
    let mut client = after_password(app, username).await;
    let form = [
        ("code", authenticator.code(app)),
        ("trust", "on".to_owned()),
    ];
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = client.post("/login/code", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    app.wait(STEP).await;
    client
}

/// What a browser is asked for by the next sign-in: nothing more, or the second step.
async fn next_step(client: &mut Client, username: &str) -> String {
    client
        .sign_in(username, PASSWORD)
        .await
        .header("location")
        .to_owned()
}

#[rocket::async_test]
async fn mfa_16_a_trusted_device_is_spared_the_second_step_until_its_time_is_over() {
    let app = TestApp::with(TRUSTING).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut client = trusted(&app, "alice", &authenticator).await;
    client.post("/logout", &[]).await;
    assert_eq!(next_step(&mut client, "alice").await, "/account");
    assert_eq!(
        methods(&mut client).await,
        r#"["password"]"#,
        "it proves nothing"
    );
    assert_eq!(
        next_step(&mut app.anonymous(), "alice").await,
        "/login/code",
        "another browser is asked"
    );
    app.user("bob").await;
    app.wait(Duration::from_secs(30 * 24 * 3600)).await;
    client.cookies.remove("__Host-vestibule");
    assert_eq!(next_step(&mut client, "alice").await, "/login/code");
}

#[rocket::async_test]
async fn mfa_16_a_trusted_device_is_listed_and_asked_again_once_it_is_revoked() {
    let app = TestApp::with(TRUSTING).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut client = trusted(&app, "alice", &authenticator).await;
    let page = client.get("/account/sessions").await.unescaped();
    let (_, rest) = page
        .split_once("/account/trusted/")
        .expect("a trusted device");
    let id = rest.split('/').next().expect("an id").to_owned();
    let mut copied = client.clone();
    let answer = client
        .post(&format!("/account/trusted/{id}/revoke"), &[])
        .await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(next_step(&mut copied, "alice").await, "/login/code");
    let mut bob = app.signed_in("bob").await;
    let foreign = bob
        .post(&format!("/account/trusted/{id}/revoke"), &[])
        .await;
    assert_eq!(foreign.status, 404);
}

#[rocket::async_test]
async fn atk_18_trust_ends_with_whatever_changes_how_its_user_signs_in() {
    for change in [
        "password",
        "new factor",
        "removed factor",
        "disable",
        "revoke session",
        "revoke others",
        "everyone",
        "reset",
    ] {
        let app = TestApp::with(TRUSTING).await;
        let (mut owner, authenticator) = with_totp(&app, "alice").await;
        let mut client = trusted(&app, "alice", &authenticator).await;
        let actor = Actor::operator();
        match change {
            "password" => {
                let form = [
                    ("current_password", PASSWORD),
                    ("new_password", "quite another password"),
                ];
                assert_eq!(owner.post("/account/password", &form).await.status, 303);
                let mut again = client.clone();
                let answer = again.sign_in("alice", "quite another password").await;
                assert_eq!(answer.header("location"), "/login/code", "{change}");
                continue;
            }
            "new factor" => drop(Authenticator::set_up(&app, &mut owner).await),
            "removed factor" => {
                assert_eq!(owner.post("/account/totp/remove", &[]).await.status, 303);
                Authenticator::set_up(&app, &mut owner).await;
            }
            "disable" => {
                lifecycle::disable(&app.app, &actor, "alice")
                    .await
                    .expect("a database")
                    .expect("a user");
                lifecycle::enable(&app.app, &actor, "alice")
                    .await
                    .expect("a database")
                    .expect("a user");
            }
            "revoke session" => {
                let session = client.session().await.json()["session"]["id"]
                    .as_str()
                    .expect("an id")
                    .to_owned();
                assert_eq!(
                    owner
                        .post(&format!("/account/sessions/{session}/revoke"), &[])
                        .await
                        .status,
                    303
                );
            }
            "revoke others" => {
                assert_eq!(
                    owner
                        .post("/account/sessions/revoke-others", &[])
                        .await
                        .status,
                    303
                );
            }
            "everyone" => {
                vestibule::sessions::revoke_everyone(&app.app, &actor, None)
                    .await
                    .expect("a database");
            }
            _ => {
                lifecycle::reset_factors(&app.app, &actor, "alice")
                    .await
                    .expect("a database")
                    .expect("a user");
                let mut alice = app.sign_in_again("alice").await;
                Authenticator::set_up(&app, &mut alice).await;
            }
        }
        assert_eq!(
            next_step(&mut client, "alice").await,
            "/login/code",
            "{change}"
        );
    }
}

#[rocket::async_test]
async fn atk_18_trust_makes_nothing_fresh_and_is_not_given_after_a_recovery_code() {
    let app = TestApp::with(TRUSTING).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut client = trusted(&app, "alice", &authenticator).await;
    client.post("/logout", &[]).await;
    client.sign_in("alice", PASSWORD).await;
    let asked = client.post("/account/totp/remove", &[]).await;
    assert_eq!(asked.status, 403, "a change asks for the factor itself");
    let mut other = after_password(&app, "alice").await;
    let form = [
        ("recovery_code", authenticator.recovery_codes[0].as_str()),
        ("trust", "on"),
    ];
    assert_eq!(other.post("/login/code", &form).await.status, 303);
    assert!(!other.cookies.contains_key("__Host-vestibule-trusted"));
}

#[rocket::async_test]
async fn a_device_is_trusted_only_where_the_settings_say_so() {
    let app = TestApp::with(PATIENT).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let mut client = after_password(&app, "alice").await;
    assert!(
        !client
            .get("/login/code")
            .await
            .body
            .contains("Trust this device")
    );
    let client = trusted(&app, "alice", &authenticator).await;
    assert!(!client.cookies.contains_key("__Host-vestibule-trusted"));
}

#[rocket::async_test]
async fn who_must_have_a_second_factor_sets_one_up_first_and_then_goes_on() {
    let app = TestApp::with("second_factor.required = \"all\"").await;
    app.user("alice").await;
    let mut client = app.anonymous();
    let form = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("rd", "/account/sessions"),
    ];
    let answer = client.post("/login", &form).await;
    let way = answer.header("location").to_owned();
    assert!(way.starts_with("/account/factors?rd="), "{way}");
    let page = client.get(&way).await;
    assert!(
        page.body.contains("A password alone is not enough"),
        "{}",
        page.body
    );
    assert_eq!(
        client.session().await.status,
        401,
        "until then there is nobody"
    );
    for page in ["/account", "/account/sessions"] {
        assert!(
            client
                .get(page)
                .await
                .header("location")
                .starts_with("/account/factors"),
            "{page}"
        );
    }
    let rd = page.unescaped();
    let (_, rest) = rd
        .split_once("href=\"/account/totp?rd=")
        .expect("the way to set one up");
    let rd = rest.split('"').next().expect("its end").to_owned();
    let offered = Authenticator::offered(&mut client).await;
    let rd = percent_encoding::percent_decode_str(&rd)
        .decode_utf8()
        .expect("text")
        .into_owned();
    let shown = client
        .post(
            "/account/totp",
            &[("code", &offered.code(&app)), ("rd", &rd)],
        )
        .await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(
        shown.unescaped().contains("href=\"/login?rd="),
        "{}",
        shown.body
    );
    assert_eq!(client.session().await.status, 200);
    let on = client.get("/login?rd=%2Faccount%2Fsessions").await;
    assert_eq!(on.header("location"), "/account/sessions");
}

#[rocket::async_test]
async fn a_second_factor_is_required_of_whom_the_settings_name_alone() {
    for (required, admin, staff, other) in [
        ("none", false, false, false),
        ("admins", true, false, false),
        ("group:staff", false, true, false),
        ("all", true, true, true),
    ] {
        let app = TestApp::with(&format!("second_factor.required = \"{required}\"")).await;
        app.add(vestibule::people::users::NewUser {
            username: "sam".to_owned(),
            groups: vec!["staff".to_owned()],
            ..Default::default()
        })
        .await;
        let mut clients = [
            app.admin().await,
            app.sign_in_again("sam").await,
            app.signed_in("alice").await,
        ];
        for (client, is_required) in clients.iter_mut().zip([admin, staff, other]) {
            let is_led = client
                .get("/account")
                .await
                .header("location")
                .starts_with("/account/factors");
            assert_eq!(is_led, is_required, "{required}");
        }
    }
}

#[rocket::async_test]
async fn atk_02_what_the_settings_ask_for_holds_for_sessions_from_before() {
    let app = TestApp::start().await;
    let mut client = app.signed_in("alice").await;
    let app = app.restarted_with("second_factor.required = \"all\"").await;
    client.connect(&app);
    assert_eq!(client.session().await.status, 401);
    assert!(
        client
            .get("/account")
            .await
            .header("location")
            .starts_with("/account/factors")
    );
}

#[rocket::async_test]
async fn secrets_survive_a_restart_and_a_lost_key_is_said_to_be_lost() {
    let app = TestApp::with(PATIENT).await;
    let (_, authenticator) = with_totp(&app, "alice").await;
    let app = app.restarted().await;
    let mut client = after_password(&app, "alice").await;
    assert_eq!(
        give_code(&mut client, &authenticator.code(&app))
            .await
            .status,
        303
    );
    std::fs::remove_file(app.folder.path().join("vestibule.key")).expect("a key file");
    let app = app.restarted().await;
    let refused = vestibule::foundation::secrets::prepare(&app.app).await;
    let said = refused.expect_err("no key").to_string();
    assert!(
        said.contains("is missing") && said.contains("put it back"),
        "{said}"
    );
    assert!(
        !app.folder.path().join("vestibule.key").exists(),
        "no other one is made"
    );
}
