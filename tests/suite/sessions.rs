//! Sessions: how they begin, how long they live, and that what ended stays ended.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::futures::future::{Either, join, join_all, select};
use rocket::tokio::task::yield_now;
use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::foundation::token::Token;
use vestibule::people::users::Changes;
use vestibule::sessions::write_last_uses;

use crate::support::{Client, PASSWORD, TestApp};

const HOUR: Duration = Duration::from_secs(3_600);
const LIVE_AND_ENDED: &str = "SELECT count(*) FILTER (WHERE ended_at IS NULL) || ' live, ' || count(ended_at) || ' ended' FROM sessions";

async fn is_live(browser: &mut Client) -> bool {
    match browser.session().await.status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

async fn count_live(browsers: &mut [Client]) -> usize {
    let mut live = 0;
    for browser in browsers {
        live += usize::from(is_live(browser).await);
    }
    live
}

async fn change(app: &TestApp, username: &str, changes: Changes) {
    lifecycle::change(&app.app, &Actor::operator(), username, changes)
        .await
        .expect("a database")
        .expect("a known user");
}

fn group(name: String) -> Changes {
    Changes {
        add_groups: vec![name],
        ..Changes::default()
    }
}

#[rocket::async_test]
async fn ses_01_a_secret_is_32_random_bytes() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let mut secrets = BTreeSet::new();
    for _ in 0..8 {
        secrets.insert(app.sign_in_again("alice").await.token());
    }
    // The same generator, without a password's hash for each.
    secrets.extend((0..20_000).map(|_| Token::generate().reveal()));
    assert_eq!(secrets.len(), 20_008, "all differ");

    let mut ones = [0_u32; 256];
    for secret in &secrets {
        let bytes = URL_SAFE_NO_PAD.decode(secret).expect("base64url");
        assert_eq!(bytes.len(), 32);
        assert!(uuid::Uuid::try_parse(secret).is_err());
        for (bit, count) in ones.iter_mut().enumerate() {
            *count += u32::from(bytes[bit / 8] >> (bit % 8) & 1);
        }
    }
    for (bit, count) in ones.into_iter().enumerate() {
        let share = f64::from(count) / 20_008.0;
        assert!((0.48..0.52).contains(&share), "bit {bit} is set in {share}");
    }
}

#[rocket::async_test]
async fn ses_02_a_sign_in_makes_a_new_secret_and_ends_the_session_that_was_sent() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut before = browser.clone();
    browser.sign_in("alice", PASSWORD).await;
    assert_ne!(browser.token(), before.token());
    assert!(is_live(&mut browser).await);
    assert!(!is_live(&mut before).await);
}

#[rocket::async_test]
async fn ses_02_a_sign_in_as_another_ends_the_session_that_was_sent() {
    let app = TestApp::start().await;
    app.user("bob").await;
    let mut browser = app.signed_in("alice").await;
    let mut before = browser.clone();
    browser.sign_in("bob", PASSWORD).await;
    assert_eq!(browser.session().await.json()["user"]["username"], "bob");
    assert!(!is_live(&mut before).await);
}

#[rocket::async_test]
async fn ses_03_a_planted_secret_is_never_adopted() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let planted = "A".repeat(43);
    let mut browser = app.anonymous();
    browser
        .cookies
        .insert("__Host-vestibule".to_owned(), planted.clone());
    let mut attacker = browser.clone();

    assert!(!is_live(&mut browser).await);
    let home = browser.get("/").await;
    assert_eq!(
        (home.header("location"), home.header("set-cookie")),
        ("/login", "")
    );
    browser.sign_in("alice", PASSWORD).await;
    assert_ne!(browser.token(), planted);
    assert!(is_live(&mut browser).await);
    assert!(!is_live(&mut attacker).await);
}

#[rocket::async_test]
async fn ses_04_sign_out_ends_the_session_on_the_very_next_request() {
    let app = TestApp::start().await;
    for mut browser in app.many_signed_in("alice", 1_000).await {
        let mut elsewhere = browser.clone();
        assert!(is_live(&mut elsewhere).await);
        let token = browser.token();
        assert_eq!(browser.post("/logout", &[]).await.status, 303);
        assert!(!is_live(&mut elsewhere).await, "{token}");
    }
    assert_eq!(app.sql(LIVE_AND_ENDED).await, ["0 live, 1000 ended"]);
}

#[rocket::async_test]
async fn ses_05_a_session_that_is_not_used_ends() {
    let app = TestApp::with("sessions.idle_timeout = \"1h\"").await;
    let mut browser = app.signed_in("alice").await;
    let token = browser.token();
    app.wait(HOUR - Duration::from_secs(1)).await;
    assert!(is_live(&mut browser).await);
    app.wait(HOUR - Duration::from_secs(1)).await;
    assert!(is_live(&mut browser).await, "its use put the end off");
    app.wait(HOUR).await;
    assert!(!is_live(&mut browser).await);
    assert_eq!(browser.token(), token);
}

#[rocket::async_test]
async fn ses_05_a_use_counts_before_it_is_written() {
    let app = TestApp::with("sessions.idle_timeout = \"1h\"").await;
    let mut browser = app.signed_in("alice").await;
    // While another writes, the server cannot.
    let writing = app.app.db.begin().await.expect("a transaction");
    app.clock.advance(HOUR - Duration::from_secs(1));
    assert!(is_live(&mut browser).await);
    app.clock.advance(HOUR - Duration::from_secs(1));
    assert!(is_live(&mut browser).await);
    app.clock.advance(HOUR);
    assert!(!is_live(&mut browser).await);
    drop(writing);
    app.wait(Duration::ZERO).await;
    assert!(
        !is_live(&mut browser).await,
        "what is written late revives nothing"
    );
}

#[rocket::async_test]
async fn ses_06_a_session_ends_after_its_max_lifetime_though_it_is_used() {
    let app =
        TestApp::with("sessions.max_lifetime = \"10h\"\nsessions.idle_timeout = \"2h\"").await;
    let mut browser = app.signed_in("alice").await;
    for hour in 0..10 {
        assert!(is_live(&mut browser).await, "{hour}");
        app.wait(HOUR).await;
    }
    assert!(!is_live(&mut browser).await);
}

#[rocket::async_test]
async fn ses_06_keep_me_signed_in_has_limits_of_its_own() {
    let lines =
        "sessions.remember_idle_timeout = \"48h\"\nsessions.remember_max_lifetime = \"72h\"";
    let app = TestApp::with(lines).await;
    app.user("alice").await;
    let mut browser = app.anonymous();
    let fields = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("remember", "on"),
    ];
    browser.post("/login", &fields).await;
    app.wait(47 * HOUR).await;
    assert!(is_live(&mut browser).await);
    app.wait(24 * HOUR).await;
    assert!(is_live(&mut browser).await);
    app.wait(HOUR).await;
    assert!(!is_live(&mut browser).await);
}

#[rocket::async_test]
async fn ses_07_what_was_noted_before_an_end_revives_nothing() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    app.wait(HOUR).await;
    let uses = join_all((0..200).map(|_| {
        let mut same = browser.clone();
        async move { same.session().await.status }
    }));
    let mut leaving = browser.clone();
    let (uses, answer) = join(uses, leaving.post("/logout", &[])).await;
    assert!(
        uses.iter().all(|status| [200, 401].contains(status)),
        "{uses:?}"
    );
    assert!(uses.contains(&200), "some came before the end");
    assert_eq!(answer.status, 303);

    let ended = app.dump().await;
    app.wait(Duration::ZERO).await;
    for _ in 0..1_000 {
        assert!(!is_live(&mut browser).await);
    }
    app.wait(Duration::ZERO).await;
    assert_eq!(app.dump().await, ended);
}

#[rocket::async_test]
async fn ses_07_what_was_noted_late_carries_no_session_past_its_max_lifetime() {
    let app = TestApp::with("sessions.max_lifetime = \"3h\"\nsessions.idle_timeout = \"2h\"").await;
    let mut browser = app.signed_in("alice").await;
    app.wait(HOUR).await;
    assert!(is_live(&mut browser).await);
    app.wait(2 * HOUR - Duration::from_secs(1)).await;
    assert!(is_live(&mut browser).await);
    app.wait(Duration::from_secs(1)).await;
    assert!(!is_live(&mut browser).await);
    app.wait(Duration::ZERO).await;
    assert!(!is_live(&mut browser).await);
}

/// More than one statement writes; one session of them ended meanwhile, and one was seen later.
#[rocket::async_test]
async fn ses_07_uses_that_are_written_together_touch_live_sessions_alone_and_put_no_time_back() {
    let app = TestApp::start().await;
    let mut browsers = app.many_signed_in("alice", 150).await;
    app.clock.advance(Duration::from_secs(120));
    assert_eq!(count_live(&mut browsers).await, 150);
    for statement in [
        "UPDATE sessions SET ended_at = 1, end_reason = 'revoked' WHERE id = (SELECT id FROM sessions ORDER BY id LIMIT 1)",
        "UPDATE sessions SET last_seen_at = last_seen_at + 180000000, idle_expires_at = idle_expires_at + 180000000
         WHERE id = (SELECT id FROM sessions ORDER BY id LIMIT 1 OFFSET 99)",
    ] {
        app.execute(statement).await;
    }
    write_last_uses(&app.app).await.expect("a write");
    let moved = "SELECT count(*) || ' by ' || seen || ' and ' || idle FROM
                 (SELECT (last_seen_at - created_at) / 1000000 AS seen, (idle_expires_at - created_at) / 1000000 AS idle FROM sessions) s
                 GROUP BY seen, idle ORDER BY seen";
    assert_eq!(
        app.sql(moved).await,
        [
            "1 by 0 and 43200",
            "148 by 120 and 43320",
            "1 by 180 and 43380"
        ]
    );
}

#[rocket::async_test]
async fn ses_08_disabling_a_user_ends_all_sessions_for_good() {
    let app = TestApp::start().await;
    let mut browsers = app.many_signed_in("alice", 3).await;
    assert_eq!(count_live(&mut browsers).await, 3);
    let operator = Actor::operator();
    lifecycle::disable(&app.app, &operator, "alice")
        .await
        .expect("a database")
        .expect("alice");
    assert_eq!(count_live(&mut browsers).await, 0);

    let refused = app.anonymous().sign_in("alice", PASSWORD).await;
    let unknown = app.anonymous().sign_in("nobody", PASSWORD).await;
    let [refused, unknown] = [refused, unknown].map(|answer| answer.but_for_challenges());
    assert_eq!((refused.status, &refused.body), (401, &unknown.body));

    lifecycle::enable(&app.app, &operator, "alice")
        .await
        .expect("a database")
        .expect("alice");
    assert_eq!(count_live(&mut browsers).await, 0);
    assert!(is_live(&mut app.sign_in_again("alice").await).await);
}

#[rocket::async_test]
async fn ses_08_deleting_a_user_ends_all_sessions() {
    let app = TestApp::start().await;
    let mut browsers = app.many_signed_in("alice", 3).await;
    let mut other = app.signed_in("bob").await;
    lifecycle::delete(&app.app, &Actor::operator(), "alice")
        .await
        .expect("a database")
        .expect("alice");
    assert_eq!(count_live(&mut browsers).await, 0);
    assert!(is_live(&mut other).await);
}

#[rocket::async_test]
async fn ses_09_a_password_change_ends_all_other_sessions_and_renews_the_secret() {
    let app = TestApp::start().await;
    let mut other = app.signed_in("alice").await;
    let mut browser = app.sign_in_again("alice").await;
    let mut before = browser.clone();
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", "a wholly different sentence"),
    ];
    assert_eq!(browser.post("/account/password", &fields).await.status, 303);
    assert!(is_live(&mut browser).await);
    assert!(!is_live(&mut before).await, "the old secret");
    assert!(!is_live(&mut other).await, "the other session");
}

#[rocket::async_test]
async fn ses_13_the_sign_in_beyond_the_limit_ends_the_least_recently_used_session() {
    let app = TestApp::with("sessions.max_per_user = 3").await;
    let mut browsers = Vec::new();
    app.user("alice").await;
    for _ in 0..3 {
        browsers.push(app.sign_in_again("alice").await);
        app.wait(Duration::from_secs(120)).await;
    }
    assert!(is_live(&mut browsers[0]).await, "the oldest is used again");
    app.wait(Duration::from_secs(120)).await;
    browsers.push(app.sign_in_again("alice").await);
    let mut live = Vec::new();
    for browser in &mut browsers {
        live.push(is_live(browser).await);
    }
    assert_eq!(live, [true, false, true, true]);
}

/// Its cookie would be replaced, and the session stay live.
#[rocket::async_test]
async fn where_it_is_not_known_which_session_a_browser_has_nobody_signs_in_with_it() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    app.execute("UPDATE sessions SET methods = 'unreadable'")
        .await;
    assert_eq!(alice.sign_in("alice", PASSWORD).await.status, 503);
    assert_eq!(app.sql(LIVE_AND_ENDED).await, ["1 live, 0 ended"]);
}

#[rocket::async_test]
async fn ses_13_sign_ins_at_once_do_not_overrun_the_limit() {
    let app = TestApp::with("sessions.max_per_user = 5\nthrottle.account_tries = 100").await;
    app.user("alice").await;
    let mut sign_ins = pin!(join_all((0..20).map(async |_| {
        let mut browser = app.anonymous();
        // Twenty at once may be more than the machine hashes in time: each tries again then.
        while browser.sign_in("alice", PASSWORD).await.status == 503 {}
        browser
    })));
    let mut most = 0;
    let mut browsers = loop {
        let counted = app.sql("SELECT CAST(count(*) AS TEXT) FROM sessions WHERE ended_at IS NULL");
        match select(&mut sign_ins, pin!(counted)).await {
            Either::Left((browsers, _)) => break browsers,
            Either::Right((live, _)) => most = most.max(live[0].parse().expect("a number")),
        }
    };
    assert!(most <= 5, "{most}");
    assert_eq!(count_live(&mut browsers).await, 5);
    assert_eq!(app.sql(LIVE_AND_ENDED).await, ["5 live, 15 ended"]);
}

#[rocket::async_test]
async fn ses_14_a_restart_keeps_the_live_live_and_the_ended_ended() {
    let app = TestApp::start().await;
    let mut expired = app.many_signed_in("alice", 50).await;
    app.wait(12 * HOUR).await;
    let mut live = app.many_signed_in("bob", 50).await;
    let mut revoked = app.many_signed_in("carol", 50).await;
    for browser in &revoked {
        browser.clone().post("/logout", &[]).await;
    }
    let app = app.restarted().await;
    for browser in live.iter_mut().chain(&mut revoked).chain(&mut expired) {
        browser.connect(&app);
    }
    assert_eq!(count_live(&mut live).await, 50);
    assert_eq!(count_live(&mut revoked).await, 0);
    assert_eq!(count_live(&mut expired).await, 0);
}

/// The housekeeping at the start of a server, awaited: what `query` counts has gone.
async fn swept(app: &TestApp, query: &'static str) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    loop {
        let left = app.sql(query).await[0].parse().expect("a number");
        seen.insert(left);
        if left == 0 {
            return seen;
        }
        yield_now().await;
    }
}

#[rocket::async_test]
async fn ses_15_old_sessions_are_removed_in_small_batches_and_live_ones_stay() {
    let app = TestApp::start().await;
    app.many_signed_in("alice", 20_250).await;
    app.execute(
        "UPDATE sessions SET ended_at = created_at, end_reason = 'idle', ended_by = 'vestibule'",
    )
    .await;
    app.wait(91 * 24 * HOUR).await;
    let mut live = app.many_signed_in("bob", 20).await;

    let app = app.restarted().await;
    let seen = swept(
        &app,
        "SELECT CAST(count(*) AS TEXT) FROM sessions WHERE ended_at IS NOT NULL",
    )
    .await;
    assert!(seen.len() > 2, "in one go: {seen:?}");
    assert!(
        seen.iter().all(|left| *left == 0 || left % 500 == 250),
        "{seen:?}"
    );
    for browser in &mut live {
        browser.connect(&app);
    }
    assert_eq!(count_live(&mut live).await, 20);
}

#[rocket::async_test]
async fn ses_15_a_session_that_ran_out_is_marked_with_when_and_how_and_stays_for_its_history() {
    let app = TestApp::with("sessions.idle_timeout = \"2h\"\nsessions.max_lifetime = \"3h\"").await;
    let mut used = app.signed_in("alice").await;
    app.sign_in_again("alice").await;
    app.wait(HOUR + HOUR / 2).await;
    assert!(is_live(&mut used).await);
    app.wait(2 * HOUR).await;
    let app = app.restarted().await;
    swept(
        &app,
        "SELECT CAST(count(*) AS TEXT) FROM sessions WHERE ended_at IS NULL",
    )
    .await;
    let ends = app
        .sql("SELECT ((ended_at - created_at) / 60000000) || ' min, ' || end_reason || ', ' || ended_by FROM sessions ORDER BY id")
        .await;
    assert_eq!(
        ends,
        [
            "180 min, max_lifetime, vestibule",
            "120 min, idle, vestibule"
        ]
    );
}

#[rocket::async_test]
async fn ses_16_what_ends_all_sessions_ends_those_of_the_same_instant_before_it_alone() {
    let app = TestApp::start().await;
    let mut before = app.signed_in("alice").await;
    change(&app, "alice", group("staff".to_owned())).await;
    let mut after = app.sign_in_again("alice").await;
    assert_eq!(
        app.sql("SELECT CAST(count(DISTINCT created_at) AS TEXT) FROM sessions")
            .await,
        ["1"],
        "the clock stands still"
    );
    assert!(!is_live(&mut before).await);
    assert!(is_live(&mut after).await);
}

#[rocket::async_test]
async fn ses_16_a_sign_in_beside_an_end_of_all_sessions_lives_only_if_it_came_after() {
    let app = TestApp::with("throttle.account_tries = 100").await;
    app.user("alice").await;
    let mut even = false;
    let mut swap = || {
        even = !even;
        let (add, remove) = if even {
            ("even", "odd")
        } else {
            ("odd", "even")
        };
        Changes {
            remove_groups: vec![remove.to_owned()],
            ..group(add.to_owned())
        }
    };
    for round in 0..60 {
        // A different number each time, for the end to come before, amid and after the sign-in.
        let ends = async {
            for _ in 0..round {
                change(&app, "alice", swap()).await;
            }
        };
        let (mut browser, ()) = join(app.sign_in_again("alice"), ends).await;
        // Written within each transaction, so in the order in which the database took them.
        let last = app.sql("SELECT event FROM audit WHERE event IN ('sign_in', 'user_change') ORDER BY id DESC LIMIT 1").await;
        assert_eq!(
            is_live(&mut browser).await,
            last == ["sign_in"],
            "round {round}: {last:?}"
        );
    }
}

#[rocket::async_test]
async fn ses_17_a_gained_right_needs_a_new_sign_in() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let admin = Changes {
        admin: Some(true),
        ..Changes::default()
    };
    change(&app, "alice", admin).await;
    assert!(!is_live(&mut browser).await);
    let mut again = app.sign_in_again("alice").await;
    assert_eq!(again.session().await.json()["user"]["admin"], true);
    change(&app, "alice", group("staff".to_owned())).await;
    assert!(!is_live(&mut again).await, "a group is a right too");
}

#[rocket::async_test]
async fn ses_17_a_lost_right_is_gone_with_the_next_request() {
    let app = TestApp::start().await;
    app.admin().await;
    let admin = |admin| Changes {
        admin: Some(admin),
        ..Changes::default()
    };
    app.user("alice").await;
    change(&app, "alice", admin(true)).await;
    let mut browser = app.sign_in_again("alice").await;
    change(&app, "alice", admin(false)).await;
    let answer = browser.session().await;
    assert_eq!(
        (answer.status, &answer.json()["user"]["admin"]),
        (200, &false.into())
    );
}

#[rocket::async_test]
async fn bru_10_guessing_secrets_writes_nothing_and_shuts_nobody_out() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let before = app.files();
    let mut guesser = app.anonymous();
    let ((), log) = crate::support::logged(async {
        for _ in 0..2_000 {
            let guess = Token::generate().reveal();
            guesser.cookies.insert("__Host-vestibule".to_owned(), guess);
            assert_eq!(guesser.session().await.status, 401);
        }
    })
    .await;
    assert_eq!(log, "");
    assert!(app.files() == before, "something was written");
    assert!(is_live(&mut browser).await);
}
