//! Mail servers that fail, and a program that is killed while it sends.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use vestibule::foundation::mail::counts;

use super::faulty::FaultyServer;
use super::{MINUTE, ask, with_settings};
use crate::process::{Machine, wait_for};

/// A machine with alice, whose mail goes to this server.
fn machine(server: &FaultyServer) -> Machine {
    let mut file = "[default.vestibule]\n".to_owned();
    file.write_str(&server.settings()).expect("a text");
    let machine = Machine::with_file(&file);
    machine.add_user("alice", &["--email", "alice@example.com"]);
    machine
}

/// As if the five minutes were over after which another process takes what one has died with.
fn forget_claims(machine: &Machine) {
    machine.execute("UPDATE mails SET next_try_at = 0 WHERE sent_at IS NULL");
}

#[test]
fn mai_01_what_was_taken_when_the_program_was_killed_comes_again_under_the_same_id() {
    let Some(server) = FaultyServer::start("hold") else {
        return;
    };
    let machine = machine(&server);
    let program = machine.start();
    let asked = machine.anonymous().post("/reset", &[("username", "alice")]);
    assert_eq!(asked.status, 200);
    server.kept(1);
    program.kill();
    server.mode("take");
    forget_claims(&machine);
    let mut program = machine.start();
    let ids = server.kept(2);
    wait_for("the mark", || {
        let sent = machine.number("SELECT count(*) FROM mails WHERE sent_at IS NOT NULL");
        (sent == 1).then_some(())
    });
    program.stop();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(server.ids().len(), 2, "it was sent no third time");
}

#[test]
fn mai_01_a_mail_whose_program_was_killed_right_after_the_answer_is_sent_by_the_next() {
    let Some(server) = FaultyServer::start("later") else {
        return;
    };
    let machine = machine(&server);
    let program = machine.start();
    let mut browser = machine.anonymous();
    for _ in 0..3 {
        let asked = browser.post("/reset", &[("username", "alice")]);
        assert_eq!(asked.status, 200);
    }
    program.kill();
    server.mode("take");
    forget_claims(&machine);
    let mut program = machine.start();
    let mut ids = server.kept(3);
    program.stop();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each that was acknowledged came");
}

#[rocket::async_test]
async fn mai_01_a_mail_whose_answer_was_lost_comes_again_under_the_same_id() {
    let Some(server) = FaultyServer::start("drop") else {
        return;
    };
    let app = with_settings(&server.settings()).await;
    ask(&mut app.anonymous(), "alice").await;
    app.sweep().await;
    server.mode("take");
    app.wait(2 * MINUTE).await;
    app.sweep().await;
    let ids = server.kept(2);
    assert_eq!(ids[0], ids[1]);
}

#[rocket::async_test]
async fn mai_02_a_server_that_is_busy_for_long_gets_the_mail_once_it_is_not() {
    let Some(server) = FaultyServer::start("later") else {
        return;
    };
    let app = with_settings(&server.settings()).await;
    ask(&mut app.anonymous(), "alice").await;
    for _ in 0..3 {
        app.sweep().await;
        app.wait(6 * MINUTE).await;
    }
    let waiting = counts(&app.app).await.expect("a database");
    assert_eq!((waiting.failing, waiting.given_up), (1, 0));
    let error = app.sql("SELECT last_error FROM mails").await.remove(0);
    assert!(error.contains("Come again later"), "{error}");
    server.mode("take");
    app.wait(10 * MINUTE).await;
    app.sweep().await;
    assert_eq!(server.ids().len(), 1);
}

#[rocket::async_test]
async fn mai_02_a_mail_that_is_refused_for_good_is_given_up_and_the_next_one_is_sent() {
    let Some(server) = FaultyServer::start("refuse") else {
        return;
    };
    let app = with_settings(&server.settings()).await;
    ask(&mut app.anonymous(), "alice").await;
    app.sweep().await;
    server.mode("take");
    ask(&mut app.anonymous(), "alice").await;
    app.sweep().await;
    let over = counts(&app.app).await.expect("a database");
    assert_eq!((over.waiting, over.given_up), (0, 1));
    assert_eq!(server.ids().len(), 1);
}

#[test]
fn mai_02_a_server_that_never_answers_keeps_no_request_and_no_stop_waiting() {
    let Some(server) = FaultyServer::start("hold") else {
        return;
    };
    let machine = machine(&server);
    let mut program = machine.start();
    let mut browser = machine.anonymous();
    browser.post("/reset", &[("username", "alice")]);
    server.kept(1);
    let meanwhile = browser.post("/reset", &[("username", "alice")]);
    assert_eq!(meanwhile.status, 200);
    let queued = machine.number("SELECT count(*) FROM mails WHERE sent_at IS NULL");
    assert_eq!(queued, 2);
    let asked_to_stop = Instant::now();
    program.stop();
    let took = asked_to_stop.elapsed();
    assert!(took < Duration::from_secs(10), "a stop took {took:?}");
}
