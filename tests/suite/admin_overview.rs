//! How things stand, on one page.

use std::time::Duration;

use vestibule::foundation::audit::{self, Actor, Event, Record};

use crate::support::{Answer, TestApp};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[rocket::async_test]
async fn it_tells_sessions_users_and_failures() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    app.signed_in("alice").await;
    let mut ended = app.sign_in_again("alice").await;
    ended.post("/logout", &[]).await;
    app.user("bob").await;
    app.anonymous().sign_in("alice", "not hers").await;
    let tiles = tiles(&admin.get("/admin").await);
    assert_eq!(tiles, ["2 live", "3 users", "1 failed"]);
}

#[rocket::async_test]
async fn the_last_day_of_the_chart_has_a_label_and_each_event_has_its_time_once() {
    let app = TestApp::start().await;
    let page = app.admin().await.get("/admin").await.body;
    let (_, dates) = page.split_once("class=\"dates\"").expect("dates");
    let (dates, _) = dates.split_once("</p>").expect("an end");
    assert!(dates.trim_end().ends_with("<span>24 Nov</span>"), "{dates}");
    // The user that was added and the sign-in, each in its row and in the name of its details.
    assert_eq!(page.matches("just now <span").count(), 2, "{page}");
    assert_eq!(
        page.matches("24 Nov 2026, 12:00:00 UTC").count(),
        4,
        "{page}"
    );
    assert!(!page.contains("2026-11-24 12:00"), "{page}");
}

#[rocket::async_test]
async fn failures_are_those_of_24_hours() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    write(&app, Record::anonymous(Event::SignIn).refused(), 3).await;
    app.clock.advance(DAY / 2);
    write(&app, Record::anonymous(Event::SignIn).refused(), 1).await;
    write(&app, Record::anonymous(Event::Reauthenticate).refused(), 1).await;
    app.clock.advance(DAY / 2 - Duration::from_secs(1));
    admin.sign_in("admin", crate::support::PASSWORD).await;
    assert_eq!(tiles(&admin.get("/admin").await)[2], "4 failed");
    app.clock.advance(Duration::from_secs(2));
    assert_eq!(tiles(&admin.get("/admin").await)[2], "1 failed");
}

#[rocket::async_test]
async fn days_are_those_of_utc_and_thirty() {
    let app = TestApp::start().await;
    app.admin().await;
    app.execute("DELETE FROM audit").await;
    // 24 November, from noon on.
    write(&app, Record::anonymous(Event::SignIn), 2).await;
    app.clock.advance(DAY / 2 - Duration::from_micros(1));
    write(&app, Record::anonymous(Event::SignIn).refused(), 1).await;
    app.clock.advance(Duration::from_micros(1));
    write(&app, Record::anonymous(Event::SignIn), 4).await;
    app.clock.advance(28 * DAY);
    app.execute("DELETE FROM audit WHERE username = 'admin'")
        .await;

    let mut admin = app.anonymous();
    admin.sign_in("admin", crate::support::PASSWORD).await;
    let days = days(&admin.get("/admin").await);
    assert_eq!(days.len(), 30);
    assert_eq!(days[29], ["2026-11-24", "2", "1"]);
    assert_eq!(days[28], ["2026-11-25", "4", "0"]);
    assert_eq!(days[1], ["2026-12-22", "0", "0"]);
    assert_eq!(days[0], ["2026-12-23", "1", "0"], "the admin's own");

    app.clock.advance(DAY);
    admin.sign_in("admin", crate::support::PASSWORD).await;
    let later = self::days(&admin.get("/admin").await);
    assert_eq!((later.len(), &later[29]), (30, &days[28]));
}

#[rocket::async_test]
async fn the_chart_and_its_numbers_are_there_without_scripts() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    app.anonymous().sign_in("admin", "not that").await;
    let page = admin.get("/admin").await.body;
    assert!(page.contains("<svg role=\"img\"") && !page.contains("<script"));
    for (class, count) in [("ok", 1), ("refused", 1), ("hit", 30)] {
        let bars = page.matches(&format!("<rect class=\"{class}\"")).count();
        assert_eq!(bars, count, "{class}: {page}");
    }
}

#[rocket::async_test]
async fn the_newest_events_are_there_and_no_more_than_ten() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    for number in 10..25 {
        let record = Record::anonymous(Event::UserChange).detail(format!("de-{number}"));
        write(&app, record, 1).await;
    }
    let page = admin.get("/admin").await.body;
    let (_, records) = page.split_once("Newest events").expect("the newest events");
    let told: Vec<&str> = records
        .match_indices("de-")
        .map(|(place, _)| &records[place + 3..place + 5])
        .collect();
    let expected: Vec<String> = (15..25).rev().map(|number| number.to_string()).collect();
    assert_eq!(told, expected);
}

async fn write(app: &TestApp, record: Record, times: usize) {
    let tx = app.app.db.begin().await.expect("a transaction");
    let records = vec![record; times];
    audit::commit(tx, app.clock.now(), &Actor::operator(), &records)
        .await
        .expect("a commit");
}

/// Each tile's number and first word.
fn tiles(page: &Answer) -> Vec<String> {
    let tiles = page.body.split("<strong>").skip(1);
    tiles
        .map(|tile| {
            let text = tile.replace("</strong>", "");
            text.split([' ', '<']).take(2).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// The rows of the table: day, signed in, refused.
fn days(page: &Answer) -> Vec<Vec<String>> {
    let (_, table) = page
        .body
        .split_once("<table class=\"figures\"")
        .expect("a table");
    let (table, _) = table.split_once("</table>").expect("its end");
    let (_, rows) = table.split_once("<tbody").expect("its rows");
    rows.split("<tr")
        .skip(1)
        .map(|row| {
            let cells = row.split(['<', '>']);
            cells
                .map(str::trim)
                .filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

#[rocket::async_test]
async fn the_page_of_nodes_names_the_database() {
    let app = TestApp::start().await;
    let page = app.admin().await.get("/admin/nodes").await;
    assert_eq!(page.status, 200);
    let text = page.body.replace("&#x2f;", "/");
    assert!(text.contains(&app.app.db.to_string()), "{text}");
}
