//! Signing in: who gets in, who does not, and how little the answers tell.

use std::time::{Duration, Instant};

use rocket::http::Method;
use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::people::passwords::Hasher;
use vestibule::people::users::{self, Changes};

use crate::support::{Answer, Client, ORIGIN, PASSWORD, TestApp, logged};

/// So many tries that none of these tests meets the throttle.
const PATIENT: &str = "throttle.account_tries = 10000\nthrottle.address_tries = 10000";

async fn disabled(app: &TestApp, username: &str) {
    app.user(username).await;
    let done = lifecycle::disable(&app.app, &Actor::operator(), username).await;
    done.expect("a database").expect("a user");
}

/// All that an answer shows: headers in order of their names.
fn shown(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let answer = answer.but_for_challenges();
    let mut headers = answer.headers;
    headers.sort();
    (answer.status, headers, answer.body)
}

#[rocket::async_test]
async fn log_01_a_wrong_password_an_unknown_user_and_a_disabled_one_are_answered_alike() {
    let app = TestApp::start().await;
    app.user("alice").await;
    disabled(&app, "carol").await;
    let wrong = app.anonymous().sign_in("alice", "not that password").await;
    let unknown = app.anonymous().sign_in("nobody", "not that password").await;
    let barred = app.anonymous().sign_in("carol", PASSWORD).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(shown(&wrong), shown(&unknown));
    assert_eq!(shown(&wrong), shown(&barred));
}

#[rocket::async_test]
async fn log_01_a_throttled_known_user_and_a_throttled_unknown_one_are_answered_alike() {
    let app = TestApp::with("throttle.account_tries = 1").await;
    app.user("alice").await;
    let mut answers = Vec::new();
    for username in ["alice", "nobody"] {
        app.anonymous().sign_in(username, "not that password").await;
        answers.push(app.anonymous().sign_in(username, PASSWORD).await);
    }
    assert_eq!(answers[0].status, 429);
    assert_eq!(shown(&answers[0]), shown(&answers[1]));
}

/// One class of tries that must not be told apart by the time they take.
struct Class {
    name: &'static str,
    username: &'static str,
    password: String,
    /// How many hashes each of them computes.
    hashes: u64,
    times: Vec<Duration>,
}

impl Class {
    fn new(name: &'static str, username: &'static str, password: &str, hashes: u64) -> Self {
        Self {
            name,
            username,
            password: password.to_owned(),
            hashes,
            times: Vec::new(),
        }
    }

    async fn measure(&mut self, app: &TestApp) {
        let hashed = app.app.state::<Hasher>().computed();
        let mut client = app.anonymous();
        let before = Instant::now();
        client.sign_in(self.username, &self.password).await;
        self.times.push(before.elapsed());
        assert_eq!(
            app.app.state::<Hasher>().computed() - hashed,
            self.hashes,
            "{}",
            self.name
        );
    }

    fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        times[times.len() / 2].as_secs_f64()
    }

    fn takes_as_long_as(&self, other: &Self) -> bool {
        (0.85..1.15).contains(&(self.median() / other.median()))
    }
}

/// On a busy machine medians come apart by chance, and not each time; a class that can be told from
/// a wrong password is apart in every round. The control shows what that looks like.
#[rocket::async_test]
async fn log_02_whether_a_user_exists_is_not_told_by_the_time_it_takes() {
    let app = TestApp::start().await;
    app.user("eve").await;
    disabled(&app, "frank").await;
    let app = app
        .restarted_with(&format!("{PATIENT}\npasswords.iterations = 5"))
        .await;
    app.user("grace").await;
    let app = app
        .restarted_with(&format!("{PATIENT}\npasswords.memory_kib = 29184"))
        .await;
    app.user("alice").await;
    disabled(&app, "carol").await;
    app.user("dave").await;
    app.execute("UPDATE users SET password_hash = NULL WHERE username = 'dave'")
        .await;
    app.user("heidi").await;
    // Of bcrypt's, as an import leaves it.
    app.execute(
        "UPDATE users SET password_hash = '$2b$09$u4rrMvty2d4ANPA6BxabGuK9K07EKbKcYeM/U5cFMxOUTcdJpUMTW', password_form = 'typed'
         WHERE username = 'heidi'",
    )
    .await;
    let app = app.restarted().await;
    let mut wrong = Class::new("wrong password", "alice", "not that password", 1);
    let mut control = Class::new("not hashed", "alice", &"x".repeat(1_025), 0);
    let suspects = vec![
        Class::new("unknown user", "nobody", "not that password", 1),
        Class::new("disabled user", "carol", PASSWORD, 1),
        Class::new("user without a password", "dave", "not that password", 1),
        Class::new("cheaper hash", "eve", "not that password", 1),
        Class::new("disabled user with a cheaper hash", "frank", PASSWORD, 1),
        Class::new("dearer hash", "grace", "not that password", 1),
        Class::new("imported hash", "heidi", "not that password", 1),
        Class::new("one character", "nobody", "x", 1),
        Class::new("1,024 characters", "alice", &"x".repeat(1_024), 1),
    ];
    assert_alike(&app, &mut wrong, &mut control, suspects).await;
}

/// Nobody of SHA-crypt's is told apart either, whose time goes by the length of the password and of the salt.
#[rocket::async_test]
async fn log_02_whether_a_hash_was_imported_is_not_told_by_the_time_it_takes() {
    let app = TestApp::with(PATIENT).await;
    app.user("ivan").await;
    // Of SHA-crypt, which takes longer for some lengths of the password and the salt.
    app.execute(
        "UPDATE users SET password_hash = '$6$rounds=20000$PAn4c5UqAKZa1yUa$2l4EjRacrIEY.xEQCR7uAye8VGavoq9yZ1tZyF/1NCHWTSGQxdrZLcQ90ylq2DW8R5LSotjWVOrMkNTrXPhcO1', password_form = 'typed'
         WHERE username = 'ivan'",
    )
    .await;
    let app = app.restarted().await;
    let guess = "not that passwords";
    let mut wrong = Class::new("imported hash", "ivan", guess, 1);
    let mut control = Class::new("not hashed", "ivan", &"x".repeat(1_025), 0);
    let suspects = vec![Class::new("unknown user", "nobody", guess, 1)];
    assert_alike(&app, &mut wrong, &mut control, suspects).await;
}

/// Each of the suspects takes as long as a wrong password in one round at least; the control in none.
async fn assert_alike(
    app: &TestApp,
    wrong: &mut Class,
    control: &mut Class,
    mut suspects: Vec<Class>,
) {
    const SAMPLES: usize = 30;
    const ROUNDS: usize = 8;
    for _ in 0..ROUNDS {
        for n in 0..SAMPLES {
            let mut turns: Vec<&mut Class> = suspects
                .iter_mut()
                .chain([&mut *wrong, &mut *control])
                .collect();
            // None always comes after the same one.
            if n % 2 == 1 {
                turns.reverse();
            }
            for class in turns {
                class.measure(app).await;
            }
        }
        assert!(
            !control.takes_as_long_as(wrong),
            "a hash that is not computed is seen"
        );
        suspects.retain(|class| !class.takes_as_long_as(wrong));
        for class in suspects.iter_mut().chain([&mut *wrong, &mut *control]) {
            class.times.clear();
        }
        if suspects.is_empty() {
            return;
        }
    }
    let apart: Vec<&str> = suspects.iter().map(|class| class.name).collect();
    panic!("told apart from a wrong password by their time: {apart:?}");
}

/// The owner of the dearest hash cannot be told by being the first to cost more.
#[rocket::async_test]
async fn log_02_the_dearest_hash_is_known_before_its_owner_signs_in() {
    let dearer = TestApp::with("passwords.iterations = 12").await;
    dearer.user("grace").await;
    let (dearer, usual) = (
        dearer.restarted_with(PATIENT).await,
        TestApp::with(PATIENT).await,
    );
    let unknown = |name| Class::new(name, "nobody", "not that password", 1);
    let (mut beside_it, mut without) = (unknown("beside it"), unknown("without"));
    for _ in 0..15 {
        beside_it.measure(&dearer).await;
        without.measure(&usual).await;
    }
    let times = beside_it.median() / without.median();
    assert!(
        times > 2.0,
        "six times the work takes {times} times as long"
    );
}

#[rocket::async_test]
async fn log_03_a_disabled_user_gets_in_with_nothing() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    disabled(&app, "alice").await;
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 401);
    assert_eq!(browser.session().await.status, 401);
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", "another long password"),
    ];
    let login = "/login?rd=%2F&rm=POST";
    let change = browser.post("/account/password", &fields).await;
    assert_eq!((change.status, change.header("location")), (303, login));
    let again = browser
        .post("/reauthenticate", &[("password", PASSWORD)])
        .await;
    assert_eq!((again.status, again.header("location")), (303, login));
    assert_eq!(browser.session().await.status, 401);
}

#[rocket::async_test]
async fn log_04_a_password_is_taken_as_it_is_whichever_keyboard_spells_it() {
    let app = TestApp::with(PATIENT).await;
    let mut alice = app.signed_in("alice").await;
    let exact = format!(" Pä55  {}", "Xy".repeat(50));
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", exact.as_str()),
    ];
    assert_eq!(alice.post("/account/password", &fields).await.status, 303);
    let compatible = exact.replace('5', "\u{ff15}");
    let others = [
        exact.trim(),
        &exact.to_lowercase(),
        &exact[..72],
        &compatible,
    ];
    for other in others {
        let answer = app.anonymous().sign_in("alice", other).await;
        assert_eq!(answer.status, 401, "{other:?}");
    }
    let decomposed = exact.replace('ä', "a\u{308}");
    for spelling in [exact, decomposed] {
        let answer = app.anonymous().sign_in("alice", &spelling).await;
        assert_eq!(answer.status, 303, "{spelling:?}");
    }
}

#[rocket::async_test]
async fn log_05_an_overlong_password_is_refused_before_it_is_hashed() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let long = "x".repeat(1_025);
    let hashed = app.app.state::<Hasher>().computed();
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let forms: [(&str, Fields, u16); 4] = [
        ("/login", &[("username", "alice"), ("password", &long)], 401),
        ("/reauthenticate", &[("password", &long)], 403),
        (
            "/account/password",
            &[
                ("current_password", &long),
                ("new_password", "another long password"),
            ],
            403,
        ),
        (
            "/account/password",
            &[("current_password", PASSWORD), ("new_password", &long)],
            422,
        ),
    ];
    for (path, fields, status) in forms {
        assert_eq!(alice.post(path, fields).await.status, status, "{path}");
    }
    let huge = "x".repeat(32 * 1024);
    assert_eq!(alice.sign_in("alice", &huge).await.status, 413);
    assert_eq!(app.app.state::<Hasher>().computed(), hashed);
}

#[rocket::async_test]
async fn log_06_a_user_name_has_one_spelling() {
    let app = TestApp::start().await;
    app.user("alice").await;
    for spelling in [
        "Alice",
        "ALICE",
        "alice ",
        " alice",
        "\u{ff41}lice",
        "al\u{131}ce",
        "al\u{200b}ice",
        "alice\u{200b}",
        "аlice",
    ] {
        let new = users::NewUser {
            username: spelling.to_owned(),
            ..Default::default()
        };
        let password = vestibule::people::passwords::Password::new(PASSWORD.to_owned());
        let made = users::create(&app.app, &Actor::operator(), new, &password).await;
        assert!(
            made.expect("a database").is_err(),
            "{spelling:?} is no second user"
        );
    }
    for spelling in ["ALICE", "alice ", "\u{a0}\u{200b}\talice\u{feff}\n"] {
        let answer = app.anonymous().sign_in(spelling, PASSWORD).await;
        assert_eq!(answer.status, 303, "{spelling:?}");
    }
    for another in ["al ice", "alice!", "al\u{200b}ice"] {
        let answer = app.anonymous().sign_in(another, PASSWORD).await;
        assert_eq!(answer.status, 401, "{another:?}");
    }
}

#[rocket::async_test]
async fn log_06_a_name_has_no_blanks_at_its_ends_wherever_it_is_typed() {
    let app = TestApp::start().await;
    let code = app.setup_code().await;
    let made = set_up(&mut app.anonymous(), &code, " owner\u{200b}").await;
    assert_eq!(made.status, 303);
    let new = users::NewUser {
        username: "\u{a0}Bob ".to_owned(),
        email: Some(" bob@example.net\t".to_owned()),
        groups: vec![" staff".to_owned()],
        ..Default::default()
    };
    app.add(new).await;
    let reader = app.app.db.reader();
    let bob = users::by_name(reader, " bob\u{200b}").await;
    let bob = bob.expect("a database").expect("a user");
    assert_eq!(
        (bob.username.as_str(), bob.email.as_deref()),
        ("bob", Some("bob@example.net"))
    );
    assert_eq!(bob.groups, ["staff"]);
    let names = app
        .sql("SELECT username FROM users ORDER BY username")
        .await;
    assert_eq!(names, ["bob", "owner"]);
}

#[rocket::async_test]
async fn log_06_all_spellings_of_a_name_share_one_throttle() {
    let app = TestApp::start().await;
    app.user("alice").await;
    for spelling in ["alice", "Alice", "aLice ", "\u{a0}ALICE", "alicE"] {
        assert_eq!(
            app.anonymous()
                .sign_in(spelling, "not that password")
                .await
                .status,
            401
        );
    }
    for spelling in ["alice", "Alice", "AlIcE", " alice ", "alice\u{200b}"] {
        assert_eq!(
            app.anonymous().sign_in(spelling, PASSWORD).await.status,
            429,
            "{spelling}"
        );
    }
}

#[rocket::async_test]
async fn log_07_a_form_that_is_not_exactly_the_form_signs_nobody_in() {
    let app = TestApp::with(PATIENT).await;
    app.user("alice").await;
    let password = PASSWORD.replace(' ', "+");
    let bodies = [
        String::new(),
        "username=alice".to_owned(),
        format!("password={password}"),
        "username=alice&password=".to_owned(),
        format!("username=&password={password}"),
        format!("username=bob&username=alice&password={password}"),
        format!("username=alice&username=bob&password={password}"),
        format!("username=alice&password={password}&password={password}"),
        format!("username[]=alice&password={password}"),
        format!("username[0]=alice&password={password}"),
        format!("username.name=alice&password={password}"),
        format!("username=alice&username[]=bob&password={password}"),
        format!("username=alice&password[]={password}"),
        format!("Username=alice&password={password}"),
        format!("username=alice&password={password}&admin=true"),
        format!("username=alice&password={password}&%00=x"),
        format!("username=alice%00&password={password}"),
        format!("username=alice&password={password}%ff"),
        format!("username=alice&password={password}&remember=on&remember=on"),
        format!("username%20=alice&password={password}"),
        format!("{{\"username\":\"alice\",\"password\":\"{PASSWORD}\"}}"),
    ];
    for body in bodies {
        let mut client = app.anonymous();
        let answer = client.post_body("/login", &body).await;
        assert!(
            (400..500).contains(&answer.status),
            "{}: {body}",
            answer.status
        );
        assert_eq!(client.token(), "", "{body}");
    }
    for kind in [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
    ] {
        let headers = [("Origin", ORIGIN), ("Content-Type", kind)];
        let body = format!("username=alice&password={password}");
        let answer = app
            .anonymous()
            .send(Method::Post, "/login", &headers, &body)
            .await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    assert_eq!(app.sql("SELECT quote(id) FROM sessions").await, [""; 0]);
}

#[rocket::async_test]
async fn log_08_there_is_no_default_user() {
    let app = TestApp::with(PATIENT).await;
    for username in [
        "admin",
        "root",
        "administrator",
        "vestibule",
        "user",
        "test",
        "guest",
    ] {
        for password in ["admin", "", "password", username] {
            let answer = app.anonymous().sign_in(username, password).await;
            assert_eq!(answer.status, 401, "{username} {password}");
        }
    }
    assert_eq!(app.sql("SELECT username FROM users").await, [""; 0]);
}

async fn set_up(client: &mut Client, code: &str, username: &str) -> Answer {
    let fields = [
        ("code", code),
        ("username", username),
        ("password", PASSWORD),
    ];
    client.post("/setup", &fields).await
}

#[rocket::async_test]
async fn log_08_the_first_admin_needs_the_code_which_is_good_once() {
    let app = TestApp::start().await;
    let code = app.setup_code().await;
    let other = app.app.state::<Hasher>().computed();
    for wrong in ["", "x", &"A".repeat(43), &code[..42]] {
        assert_eq!(
            set_up(&mut app.anonymous(), wrong, "eve").await.status,
            403,
            "{wrong}"
        );
    }
    assert_eq!(
        app.app.state::<Hasher>().computed(),
        other,
        "nothing is hashed for a wrong code"
    );
    let mut admin = app.anonymous();
    assert_eq!(set_up(&mut admin, &code, "root").await.status, 303);
    assert_eq!(admin.session().await.json()["user"]["admin"], true);
    assert_eq!(set_up(&mut app.anonymous(), &code, "eve").await.status, 404);
    assert_eq!(app.sql("SELECT username FROM users").await, ["root"]);
}

#[rocket::async_test]
async fn log_08_the_code_ends_after_an_hour_and_once_there_is_an_admin() {
    let app = TestApp::start().await;
    let code = app.setup_code().await;
    app.wait(Duration::from_secs(60 * 60)).await;
    assert_eq!(set_up(&mut app.anonymous(), &code, "eve").await.status, 403);
    let code = app.setup_code().await;
    app.admin().await;
    assert_eq!(set_up(&mut app.anonymous(), &code, "eve").await.status, 404);
    assert_eq!(app.sql("SELECT username FROM users").await, ["admin"]);
}

#[rocket::async_test]
async fn log_09_a_sign_in_is_a_form_that_is_answered_with_a_get() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let mut client = app.anonymous();
    let query = format!(
        "/login?username=alice&password={}",
        PASSWORD.replace(' ', "+")
    );
    let page = client.get(&query).await;
    assert_eq!((page.status, client.token().as_str()), (200, ""));
    assert!(
        !page.body.contains("battery"),
        "the page does not repeat the query"
    );
    let answer = client.sign_in("alice", PASSWORD).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account")
    );
    assert_eq!(answer.header("referrer-policy"), "same-origin");
}

#[rocket::async_test]
async fn log_09_a_password_is_in_no_log_and_no_file() {
    let app = TestApp::with(PATIENT).await;
    let mut alice = app.signed_in("alice").await;
    let canary = "canary-6f1d-of-a-password";
    let ((), log) = logged(async {
        let fields = [("current_password", PASSWORD), ("new_password", canary)];
        assert_eq!(alice.post("/account/password", &fields).await.status, 303);
        for _ in 0..5 {
            app.anonymous().sign_in("alice", canary).await;
            app.anonymous().sign_in("nobody", canary).await;
            alice.post("/reauthenticate", &[("password", canary)]).await;
        }
    })
    .await;
    assert!(
        log.contains("event=\"password_change\""),
        "there is a log to look at"
    );
    assert!(!log.contains(canary));
    for file in std::fs::read_dir(app.folder.path()).expect("a folder") {
        let path = file.expect("a file").path();
        let bytes = std::fs::read(&path).expect("a file");
        assert!(!contains(&bytes, canary.as_bytes()), "{}", path.display());
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// Nobody was let in: an error, no cookie, no session.
async fn assert_nobody_is_in(app: &TestApp, answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.all("set-cookie").count(), 0);
    let live = app
        .sql("SELECT hex(id) FROM sessions WHERE ended_at IS NULL")
        .await;
    assert_eq!(live, [""; 0]);
}

#[rocket::async_test]
async fn log_10_a_locked_database_lets_nobody_in_and_keeps_nobody_waiting() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(app.app.db.path().expect("a file"));
    let mut other = sqlx::ConnectOptions::connect(&options)
        .await
        .expect("a connection");
    sqlx::query("BEGIN EXCLUSIVE")
        .execute(&mut other)
        .await
        .expect("a lock");
    let records = app.sql("SELECT event FROM audit").await;
    for password in [PASSWORD, "not that password"] {
        let before = Instant::now();
        let answer = app.anonymous().sign_in("alice", password).await;
        assert!(before.elapsed() < Duration::from_secs(5));
        assert_nobody_is_in(&app, &answer, 503).await;
        assert_eq!(answer.header("retry-after"), "1");
    }
    sqlx::query("ROLLBACK")
        .execute(&mut other)
        .await
        .expect("no lock");
    assert_eq!(app.sql("SELECT event FROM audit").await, records);
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 303);
}

#[rocket::async_test]
async fn log_10_a_stored_hash_that_cannot_be_read_lets_nobody_in() {
    let app = TestApp::with(PATIENT).await;
    app.user("alice").await;
    for statement in [
        "UPDATE users SET password_hash = ''",
        "UPDATE users SET password_hash = 'correct horse battery'",
        "UPDATE users SET password_hash = '$argon2id$v=19$m=19456,t=2,p=1$'",
        "UPDATE users SET password_hash = '$2b$12$abcdefghijklmnopqrstuuO0uwzmAcPU0XB8YbGvjuVvjS8WTPYg'",
        "UPDATE users SET password_hash = '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA'",
    ] {
        app.execute(statement).await;
        let answer = app.anonymous().sign_in("alice", PASSWORD).await;
        assert_nobody_is_in(&app, &answer, 500).await;
    }
}

#[rocket::async_test]
async fn log_10_a_record_that_cannot_be_written_lets_nobody_in() {
    let app = TestApp::start().await;
    app.user("alice").await;
    app.execute(
        "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END",
    )
    .await;
    for password in [PASSWORD, "not that password"] {
        let answer = app.anonymous().sign_in("alice", password).await;
        assert_nobody_is_in(&app, &answer, 503).await;
    }
}

#[rocket::async_test]
async fn log_10_a_closed_database_lets_nobody_in() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    app.app.db.close().await;
    let answer = app.anonymous().sign_in("alice", PASSWORD).await;
    assert_eq!((answer.status, answer.all("set-cookie").count()), (503, 0));
    let answer = alice.session().await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (503, Some("unavailable"))
    );
    assert_eq!(alice.get("/account").await.status, 503);
}

#[rocket::async_test]
async fn log_10_a_full_disk_lets_nobody_in_and_is_survived() {
    let app = TestApp::with(PATIENT).await;
    app.user("alice").await;
    let mut client = app.anonymous();
    client.user_agent = "x".repeat(500);
    // Of the one connection that writes: SQLite answers as on a full disk beyond it.
    app.execute("PRAGMA max_page_count = 1").await;
    let mut signed_in = 0;
    let answer = loop {
        let answer = client.clone().sign_in("alice", PASSWORD).await;
        if answer.status != 303 || signed_in > 100 {
            break answer;
        }
        signed_in += 1;
    };
    assert_eq!((answer.status, answer.all("set-cookie").count()), (503, 0));
    let rows = app.sql("SELECT hex(id) FROM sessions").await.len();
    let records = app
        .sql("SELECT event FROM audit WHERE event = 'sign_in'")
        .await
        .len();
    assert_eq!(
        (rows, records),
        (signed_in, signed_in),
        "all of a sign-in, or nothing of it"
    );
    // There is room again. Whether the connection is still the same is SQLite's choice.
    app.execute("PRAGMA max_page_count = 1000000").await;
    assert_eq!(client.sign_in("alice", PASSWORD).await.status, 303);
}

#[rocket::async_test]
async fn log_11_a_password_that_must_be_changed_gives_no_right_but_to_change_it() {
    let app = TestApp::start().await;
    app.admin().await;
    let changes = Changes {
        must_change_password: Some(true),
        ..Changes::default()
    };
    let done = lifecycle::change(&app.app, &Actor::operator(), "admin", changes).await;
    done.expect("a database").expect("a user");
    let mut admin = app.sign_in_again("admin").await;
    assert_eq!(admin.session().await.status, 401);
    let page = admin.get("/account").await;
    assert_eq!(
        (page.status, page.header("location")),
        (303, "/account/password")
    );
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", "another long password"),
    ];
    assert_eq!(admin.post("/account/password", &fields).await.status, 303);
    assert_eq!(admin.session().await.status, 200);
}

#[rocket::async_test]
async fn log_12_a_sign_in_form_from_another_site_is_refused() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let body = format!("username=alice&password={}", PASSWORD.replace(' ', "+"));
    for (site, origin) in [
        ("cross-site", "https://evil.example"),
        ("same-site", "https://shop.example.com"),
        ("cross-site", ORIGIN),
        ("same-site", ORIGIN),
        ("same-origin", "https://evil.example"),
        ("none", "null"),
    ] {
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Sec-Fetch-Site", site),
            ("Origin", origin),
        ];
        let answer = app
            .anonymous()
            .send(Method::Post, "/login", &headers, &body)
            .await;
        assert_eq!(
            (answer.status, answer.all("set-cookie").count()),
            (403, 0),
            "{site} {origin}"
        );
    }
}

#[rocket::async_test]
async fn hdr_05_pages_about_a_person_are_not_stored() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    for path in [
        "/account",
        "/account/password",
        "/reauthenticate",
        "/login",
        "/api/session",
        "/logout",
    ] {
        assert_eq!(
            alice.get(path).await.header("cache-control"),
            "no-store",
            "{path}"
        );
    }
    let wrong = app.anonymous().sign_in("alice", "not that password").await;
    assert_eq!(wrong.header("cache-control"), "no-store");
    let right = app.anonymous().sign_in("alice", PASSWORD).await;
    assert_eq!(right.header("cache-control"), "no-store");
    let left = alice.post("/logout", &[]).await;
    assert_eq!(left.header("clear-site-data"), "\"storage\"");
    assert_eq!(left.header("cache-control"), "no-store");
}
