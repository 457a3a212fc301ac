//! Guessing passwords: how many tries are heard, whose, and when they come back.

use std::time::Duration;

use rocket::futures::future::join_all;
use rocket::http::Method;
use vestibule::foundation::throttle::{Reservation, Reserved};
use vestibule::people::passwords::Hasher;

use crate::support::{Answer, Client, ORIGIN, PASSWORD, TestApp};

const WRONG: &str = "not that password";

/// Settings' defaults, as documented.
const ACCOUNT_TRIES: usize = 5;
const ADDRESS_TRIES: usize = 50;
const ACCOUNT_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// The nth of many addresses that have nothing in common.
fn elsewhere(n: usize) -> String {
    format!("198.51.{}.{}", n / 250, n % 250 + 1)
}

#[rocket::async_test]
async fn bru_01_after_five_wrong_passwords_none_is_hashed_until_one_comes_back() {
    let app = TestApp::start().await;
    app.user("alice").await;
    for n in 0..ACCOUNT_TRIES {
        let answer = app
            .anonymous()
            .at(&elsewhere(n))
            .sign_in("alice", WRONG)
            .await;
        assert_eq!(answer.status, 401, "try {n}");
    }
    let hashed = app.app.state::<Hasher>().computed();
    for n in 0..20 {
        let password = if n % 2 == 0 { WRONG } else { PASSWORD };
        let answer = app
            .anonymous()
            .at(&elsewhere(50 + n))
            .sign_in("alice", password)
            .await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "900"));
    }
    assert_eq!(app.app.state::<Hasher>().computed(), hashed);
    app.wait(ACCOUNT_INTERVAL).await;
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 303);
}

#[rocket::async_test]
async fn bru_01_one_try_comes_back_each_interval_and_no_more() {
    let app = TestApp::start().await;
    app.user("alice").await;
    for _ in 0..ACCOUNT_TRIES {
        app.anonymous().sign_in("alice", WRONG).await;
    }
    for _ in 0..3 {
        app.wait(ACCOUNT_INTERVAL - Duration::from_millis(1)).await;
        let early = app.anonymous().sign_in("alice", WRONG).await;
        assert_eq!((early.status, early.header("retry-after")), (429, "1"));
        assert!(early.body.contains("Wait a minute"), "{}", early.body);
        app.wait(Duration::from_millis(1)).await;
        assert_eq!(app.anonymous().sign_in("alice", WRONG).await.status, 401);
        assert_eq!(app.anonymous().sign_in("alice", WRONG).await.status, 429);
    }
}

#[rocket::async_test]
async fn bru_02_tries_at_once_do_not_overrun_the_limit() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let hashed = app.app.state::<Hasher>().computed();
    let tries = (0..200).map(|n| {
        let mut client = app.anonymous().at(&elsewhere(n));
        async move { client.sign_in("alice", WRONG).await }
    });
    let answers = join_all(tries).await;
    let heard = answers.iter().filter(|answer| answer.status != 429).count();
    assert!(heard <= ACCOUNT_TRIES, "{heard} were heard");
    let hashed = app.app.state::<Hasher>().computed() - hashed;
    assert_eq!(hashed, heard as u64);
    assert!(hashed > 0, "the limit is no lock");
    let longest = answers
        .iter()
        .filter_map(|answer| answer.header("retry-after").parse().ok())
        .max();
    assert_eq!(
        longest,
        Some(ACCOUNT_INTERVAL.as_secs()),
        "nobody is sent away for longer than it takes"
    );
}

#[rocket::async_test]
async fn bru_03_all_paths_that_check_a_password_share_one_limit() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let hashed = app.app.state::<Hasher>().computed();
    for _ in 0..4 {
        alice.clone().sign_in("alice", WRONG).await;
        alice.post("/reauthenticate", &[("password", WRONG)]).await;
        let fields = [
            ("current_password", WRONG),
            ("new_password", "another long password"),
        ];
        alice.post("/account/password", &fields).await;
    }
    assert_eq!(
        app.app.state::<Hasher>().computed() - hashed,
        ACCOUNT_TRIES as u64
    );
    assert_eq!(alice.clone().sign_in("alice", PASSWORD).await.status, 429);
    assert_eq!(
        alice
            .post("/reauthenticate", &[("password", PASSWORD)])
            .await
            .status,
        429
    );
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", "another long password"),
    ];
    assert_eq!(alice.post("/account/password", &fields).await.status, 429);
}

#[rocket::async_test]
async fn bru_03_guesses_of_the_set_up_code_are_throttled_too() {
    let app = TestApp::start().await;
    let fields = [
        ("code", "wrong"),
        ("username", "eve"),
        ("password", PASSWORD),
    ];
    for _ in 0..ADDRESS_TRIES {
        assert_eq!(app.anonymous().post("/setup", &fields).await.status, 403);
    }
    assert_eq!(app.anonymous().post("/setup", &fields).await.status, 429);
}

#[rocket::async_test]
async fn bru_04_an_attacker_shuts_nobody_out() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    for n in 0..20 {
        app.anonymous()
            .at(&elsewhere(n))
            .sign_in("alice", WRONG)
            .await;
    }
    assert_eq!(
        app.anonymous()
            .at("192.0.2.99")
            .sign_in("alice", PASSWORD)
            .await
            .status,
        429
    );
    assert_eq!(alice.session().await.status, 200, "her session goes on");
    let at_home = app.anonymous().sign_in("alice", PASSWORD).await;
    assert_eq!(
        at_home.status, 303,
        "where she signed in before, she is heard"
    );
    app.wait(ACCOUNT_INTERVAL).await;
    let abroad = app
        .anonymous()
        .at("192.0.2.99")
        .sign_in("alice", PASSWORD)
        .await;
    assert_eq!(abroad.status, 303, "elsewhere after one interval");
}

#[rocket::async_test]
async fn bru_04_an_ipv6_customer_with_another_address_is_still_at_home() {
    let app = TestApp::start().await;
    let home = || app.anonymous().at("2001:db8:1:2::1");
    app.user("alice").await;
    assert_eq!(home().sign_in("alice", PASSWORD).await.status, 303);
    for n in 0..20 {
        app.anonymous()
            .at(&elsewhere(n))
            .sign_in("alice", WRONG)
            .await;
    }
    for (address, status) in [("2001:db8:1:3::1", 429), ("2001:db8:1:2:a:b:c:d", 303)] {
        let mut visitor = app.anonymous().at(address);
        assert_eq!(
            visitor.sign_in("alice", PASSWORD).await.status,
            status,
            "{address}"
        );
    }
}

#[rocket::async_test]
async fn bru_05_one_address_spraying_many_users_is_heard_fifty_times() {
    let app = TestApp::start().await;
    for n in 0..ADDRESS_TRIES {
        let answer = app.anonymous().sign_in(&format!("user{n}"), WRONG).await;
        assert_eq!(answer.status, 401, "try {n}");
    }
    for n in 0..100 {
        assert_eq!(
            app.anonymous()
                .sign_in(&format!("more{n}"), WRONG)
                .await
                .status,
            429
        );
    }
    let neighbour = app
        .anonymous()
        .at("203.0.113.8")
        .sign_in("somebody", WRONG)
        .await;
    assert_eq!(neighbour.status, 401, "another address is heard");
}

#[rocket::async_test]
async fn bru_05_an_ipv6_network_of_64_bits_counts_as_one_address() {
    let app = TestApp::with("throttle.address_tries = 4").await;
    let mut statuses = Vec::new();
    for n in 0..8 {
        let address = format!("2001:db8:1:2:{n:x}:{n:x}::{n:x}");
        statuses.push(
            app.anonymous()
                .at(&address)
                .sign_in(&format!("user{n}"), WRONG)
                .await
                .status,
        );
    }
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429, 429, 429]);
    let neighbour = app
        .anonymous()
        .at("2001:db8:1:3::1")
        .sign_in("somebody", WRONG)
        .await;
    assert_eq!(neighbour.status, 401, "another network is heard");
    let mapped = app
        .anonymous()
        .at("::ffff:192.0.2.1")
        .sign_in("somebody", WRONG)
        .await;
    assert_eq!(
        mapped.status, 401,
        "a mapped IPv4 address is no part of a network"
    );
}

/// A wrong password for a new user each time, from `socket` with `headers` of its own.
async fn sprayed(app: &TestApp, socket: &str, n: usize, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![
        ("Host", "auth.example.com"),
        ("Origin", ORIGIN),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    all.extend(headers);
    let all: Vec<_> = all
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let body = format!("username=user{n}&password=not+that+password");
    app.anonymous()
        .send_from(socket, Method::Post, "/login", &all, body)
        .await
}

#[rocket::async_test]
async fn bru_06_nobody_but_a_trusted_proxy_says_where_a_client_is() {
    let app = TestApp::with("throttle.address_tries = 5").await;
    let socket = "198.51.100.66:1234";
    for n in 0..5 {
        let forged = elsewhere(n);
        let forwarded = format!("for={forged}");
        let headers = [
            ("X-Forwarded-For", forged.as_str()),
            ("X-Real-IP", &forged),
            ("Forwarded", &forwarded),
            ("X_Forwarded_For", &forged),
        ];
        assert_eq!(sprayed(&app, socket, n, &headers).await.status, 401);
    }
    let answer = sprayed(
        &app,
        socket,
        5,
        &[("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")],
    )
    .await;
    assert_eq!(answer.status, 429, "all of them are the socket's");
    let addresses = app
        .sql("SELECT DISTINCT address FROM audit WHERE event = 'sign_in'")
        .await;
    assert_eq!(addresses, ["198.51.100.66"]);
}

#[rocket::async_test]
async fn bru_06_a_trusted_proxy_is_believed_in_x_forwarded_for_and_its_right_end_alone() {
    let app = TestApp::start().await;
    let headers = [
        ("X-Forwarded-For", "192.0.2.1, 198.51.100.1"),
        ("X-Real-IP", "192.0.2.2"),
        ("Forwarded", "for=192.0.2.3"),
        ("X_Forwarded_For", "192.0.2.4"),
    ];
    sprayed(&app, "127.0.0.1:40000", 0, &headers).await;
    sprayed(
        &app,
        "127.0.0.1:40000",
        1,
        &[("X-Forwarded-For", "198.51.100.2, 127.0.0.1")],
    )
    .await;
    sprayed(
        &app,
        "127.0.0.1:40000",
        2,
        &[
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-For", "198.51.100.3"),
        ],
    )
    .await;
    let addresses = app
        .sql("SELECT address FROM audit WHERE event = 'sign_in' ORDER BY id")
        .await;
    assert_eq!(addresses, ["198.51.100.1", "198.51.100.2", "198.51.100.3"]);
}

#[rocket::async_test]
async fn bru_06_a_port_behind_the_address_is_not_the_client() {
    let app = TestApp::with("throttle.address_tries = 3").await;
    let mut statuses = Vec::new();
    for (n, said) in [
        "203.0.113.7:51234",
        "203.0.113.7:51235",
        "203.0.113.7",
        "203.0.113.7:51236",
        "203.0.113.8:51234",
        "[2001:db8::7]:443",
        "[2001:db8:1::7]",
        "2001:db8:2::7:443",
    ]
    .into_iter()
    .enumerate()
    {
        let said = [("X-Forwarded-For", said)];
        statuses.push(sprayed(&app, "127.0.0.1:40000", n, &said).await.status);
    }
    assert_eq!(
        statuses,
        [401, 401, 401, 429, 401, 401, 401, 401],
        "one client is throttled, and no other"
    );
    let addresses = app
        .sql("SELECT DISTINCT address FROM audit WHERE event = 'sign_in' ORDER BY 1")
        .await;
    assert_eq!(
        addresses,
        [
            "2001:db8:1::7",
            "2001:db8:2::7:443",
            "2001:db8::7",
            "203.0.113.7",
            "203.0.113.8"
        ]
    );
}

#[rocket::async_test]
async fn bru_07_what_cannot_be_read_counts_for_the_proxy_itself() {
    let app = TestApp::with("throttle.address_tries = 11").await;
    let many = vec!["127.0.0.1"; 300].join(", ");
    let unreadable = [
        "a",
        "",
        " ",
        ",",
        "1.2.3.4, a",
        "1.2.3.4:",
        "[2001:db8::1",
        "1.2.3.4,",
        "unknown",
        "1.2.3.4/0",
        &many,
    ];
    for (n, value) in unreadable.iter().enumerate() {
        let answer = sprayed(&app, "127.0.0.1:40000", n, &[("X-Forwarded-For", value)]).await;
        assert_eq!(answer.status, 401, "{value}");
    }
    let addresses = app
        .sql("SELECT DISTINCT address FROM audit WHERE event = 'sign_in'")
        .await;
    assert_eq!(addresses, ["127.0.0.1"]);
    let answer = sprayed(&app, "127.0.0.1:40000", 99, &[]).await;
    assert_eq!(answer.status, 429, "all of them were counted");
}

async fn fail(client: &mut Client, username: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(client.sign_in(username, WRONG).await.status);
    }
    statuses
}

#[rocket::async_test]
async fn bru_08_failures_are_remembered_over_a_restart() {
    let app = TestApp::start().await;
    app.user("alice").await;
    assert_eq!(fail(&mut app.anonymous(), "alice", 4).await, [401; 4]);
    let app = app.restarted().await;
    assert_eq!(fail(&mut app.anonymous(), "alice", 2).await, [401, 429]);
}

#[rocket::async_test]
async fn bru_08_failures_are_forgotten_once_their_tries_are_back() {
    let app = TestApp::start().await;
    for n in 0..20 {
        fail(
            &mut app.anonymous().at(&elsewhere(n)),
            &format!("user{n}"),
            1,
        )
        .await;
    }
    let counted = "SELECT bucket FROM throttle WHERE bucket NOT LIKE '% in flight'";
    assert_eq!(app.sql(counted).await.len(), 40);
    let memory = format!("{:?}", app.app.throttle);
    assert!(
        memory.contains("in_flight") && memory.contains("data: {}"),
        "{memory}"
    );
    app.wait(ACCOUNT_INTERVAL).await;
    // A server sweeps when it starts, and each minute.
    let app = app.restarted().await;
    let swept = async {
        while !app.sql("SELECT bucket FROM throttle").await.is_empty() {
            rocket::tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(20);
    rocket::tokio::time::timeout(limit, swept)
        .await
        .expect("no row is left");
}

#[rocket::async_test]
async fn bru_09_a_success_gives_the_users_tries_back() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let mut client = app.anonymous();
    for _ in 0..3 {
        assert_eq!(fail(&mut client, "alice", 4).await, [401; 4]);
        assert_eq!(client.sign_in("alice", PASSWORD).await.status, 303);
    }
}

#[rocket::async_test]
async fn bru_09_a_success_gives_no_tries_back_to_the_address() {
    let app = TestApp::with("throttle.address_tries = 4").await;
    app.user("eve").await;
    let mut eve = app.anonymous();
    fail(&mut eve, "alice", 2).await;
    assert_eq!(eve.sign_in("eve", PASSWORD).await.status, 303);
    assert_eq!(fail(&mut eve, "bob", 3).await, [401, 401, 429]);
}

#[rocket::async_test]
async fn bru_09_failures_count_for_unknown_users_too() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let known = fail(&mut app.anonymous(), "alice", 8).await;
    let unknown = fail(&mut app.anonymous().at("192.0.2.1"), "nobody", 8).await;
    assert_eq!(known, [401, 401, 401, 401, 401, 429, 429, 429]);
    assert_eq!(unknown, known);
}

#[rocket::async_test]
async fn a_try_that_an_error_cut_short_is_given_back() {
    let app = TestApp::with("throttle.account_tries = 1").await;
    app.user("alice").await;
    app.execute(
        "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END",
    )
    .await;
    for _ in 0..3 {
        assert_eq!(app.anonymous().sign_in("alice", WRONG).await.status, 503);
    }
    app.execute("DROP TRIGGER broken").await;
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 303);
}

#[rocket::async_test]
async fn bru_01_a_wrong_try_counts_though_a_right_one_was_answered_before_it() {
    let app = TestApp::start().await;
    let (throttle, db) = (&app.app.throttle, &app.app.db);
    let address = "192.0.2.1".parse().expect("an address");
    let reserve = async || {
        let now = app.clock.now();
        let reserved = throttle
            .reserve(db, now, Some("alice"), false, address)
            .await;
        match reserved.expect("a database") {
            Reserved::Granted(reservation) => Some(reservation),
            Reserved::Throttled { .. } => None,
        }
    };
    let fail = async |reservation: Reservation| {
        let mut tx = db.begin().await.expect("a turn");
        let failed = reservation.failed(&mut tx, app.clock.now()).await;
        failed.expect("a database");
        tx.commit().await.expect("a commit");
    };
    let (guess, right) = (
        reserve().await.expect("a try"),
        reserve().await.expect("a try"),
    );
    let mut tx = db.begin().await.expect("a turn");
    right.succeeded(&mut tx).await.expect("a database");
    tx.commit().await.expect("a commit");
    drop(right);
    fail(guess).await;
    for _ in 1..ACCOUNT_TRIES {
        fail(reserve().await.expect("a try")).await;
    }
    assert!(reserve().await.is_none(), "the first one counts");
}
