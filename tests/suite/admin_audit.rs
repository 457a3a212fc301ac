//! The audit trail in an admin's hands: its page, its files, and the same filters at the command line.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use vestibule::account::lifecycle;
use vestibule::foundation::audit::{self, Actor, Event, Record, Source};

use crate::support::{Answer, Client, PASSWORD, TestApp};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const ROUTES: [&str; 4] = [
    "/admin",
    "/admin/audit",
    "/admin/audit.csv",
    "/admin/audit.jsonl",
];

#[rocket::async_test]
async fn adm_01_the_overview_and_the_audit_trail_are_for_admins_alone() {
    let app = TestApp::start().await;
    let (mut admin, mut user) = (app.admin().await, app.signed_in("alice").await);
    for route in ROUTES {
        let answer = app.anonymous().get(route).await;
        let location = answer.header("location").to_owned();
        assert_eq!(answer.status, 303, "{route}");
        assert!(location.starts_with("/login?rd=%2Fadmin"), "{location}");
        let answer = user.get(route).await;
        assert_eq!(answer.status, 403, "{route}");
        assert!(!answer.body.contains("sign_in"), "{}", answer.body);
        assert_eq!(admin.get(route).await.status, 200, "{route}");
    }
}

#[rocket::async_test]
async fn hdr_05_no_browser_stores_an_admins_page() {
    let app = TestApp::start().await;
    let (mut admin, mut user) = (app.admin().await, app.signed_in("alice").await);
    for route in ROUTES {
        for answer in [
            admin.get(route).await,
            user.get(route).await,
            app.anonymous().get(route).await,
        ] {
            let caching = answer.header("cache-control");
            assert_eq!(caching, "no-store", "{route}: {}", answer.status);
        }
    }
    let answer = admin.get("/admin/audit?limit=0").await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (400, "no-store")
    );
}

/// (event, result, whom it concerns, by whom)
type Told<'a> = (&'a str, &'a str, &'a str, &'a str);

#[rocket::async_test]
async fn aud_01_each_event_is_one_record_with_all_its_fields() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let mut alice = app.signed_in("alice").await;
    let new = "another correct horse battery";
    alice.sign_in("alice", "not her password").await;
    alice
        .post("/reauthenticate", &[("password", PASSWORD)])
        .await;
    alice
        .post("/reauthenticate", &[("password", "not that")])
        .await;
    let passwords = [("current_password", PASSWORD), ("new_password", new)];
    alice.post("/account/password", &passwords).await;
    alice.post("/logout", &[]).await;
    alice.sign_in("nobody", PASSWORD).await;
    for _ in 0..28 {
        app.anonymous().sign_in("alice", new).await;
    }

    let mut expected: Vec<Told> = vec![
        ("user_create", "ok", "admin", "command line"),
        ("sign_in", "ok", "admin", "admin"),
        ("user_create", "ok", "alice", "command line"),
        ("sign_in", "ok", "alice", "alice"),
        ("sign_in", "refused", "alice", "visitor"),
        ("reauthenticate", "ok", "alice", "alice"),
        ("reauthenticate", "refused", "alice", "visitor"),
        ("password_change", "ok", "alice", "alice"),
        ("sign_out", "ok", "alice", "alice"),
        ("sign_in", "refused", "unknown", "visitor"),
    ];
    expected.extend([("sign_in", "ok", "alice", "alice"); 28]);
    expected.extend([
        ("user_disable", "ok", "alice", "command line"),
        ("user_delete", "ok", "alice", "command line"),
    ]);
    let operator = Actor::operator();
    let disabled = lifecycle::disable(&app.app, &operator, "alice").await;
    disabled.expect("a database").expect("a user");
    let deleted = lifecycle::delete(&app.app, &operator, "alice").await;
    deleted.expect("a database").expect("a user");

    let records = exported(&mut admin, "").await;
    let told: Vec<Told> = records.iter().rev().map(essence).collect();
    assert_eq!(told, expected);
    assert_eq!(told.len(), 40);
    for record in &records {
        assert_complete(record);
    }
    let page = admin.get("/admin/audit?limit=200").await;
    assert_eq!(page.body.matches("<time datetime=").count(), 40);
}

fn essence(record: &Value) -> Told<'_> {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    let username = text("username");
    // Of a name that nobody has, only a hash is kept.
    let username = username.split(" (").next().unwrap_or_default();
    (text("event"), text("result"), username, text("actor"))
}

fn assert_complete(record: &Value) {
    let there = |key: &str| !record[key].is_null();
    assert!(record["at"].as_str().is_some_and(|at| at.ends_with('Z')));
    let known = !record["username"]
        .as_str()
        .unwrap_or_default()
        .starts_with("unknown");
    assert_eq!(there("user_id"), known, "{record}");
    assert_eq!(there("address"), record["source"] == "web", "{record}");
    let own_session = record["source"] == "web" && record["result"] == "ok";
    assert_eq!(there("session_id"), own_session, "{record}");
}

#[rocket::async_test]
async fn a_person_reads_what_happened() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    app.anonymous().sign_in("admin", "not that").await;
    let page = admin.get("/admin/audit").await;
    for words in ["Sign-in", "refused", "203.0.113.7", "User added"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
}

#[rocket::async_test]
async fn each_filter_alone_finds_its_records_and_no_others() {
    let (app, mut admin) = with_records().await;
    for (query, found) in FILTERS {
        assert_eq!(details(&mut admin, query).await, *found, "{query}");
    }
    drop(app);
}

#[rocket::async_test]
async fn all_filters_together_find_what_each_of_them_finds() {
    let (_app, mut admin) = with_records().await;
    let all =
        "q=e-&event=session_revoke&user=bob&address=198.51.100.9&since=2026-11-26&until=2026-11-26";
    assert_eq!(details(&mut admin, all).await, ["03"]);
    for (missed, other) in [
        ("event=session_revoke", "event=setup"),
        ("user=bob", "user=carol"),
        ("198.51.100.9", "198.51.100.8"),
        ("since=2026-11-26", "since=2026-11-27"),
        ("until=2026-11-26", "until=2026-11-25"),
        ("q=e-", "q=nothing"),
    ] {
        let found = details(&mut admin, &all.replace(missed, other)).await;
        assert!(found.is_empty(), "{other}: {found:?}");
    }
}

/// One record a day from 24 November on, newest found first.
const FILTERS: &[(&str, &[&str])] = &[
    ("q=de-", &["04", "03", "02", "01"]),
    ("q=BOB", &["04", "03"]),
    ("q=root", &["02"]),
    ("q=de-02", &["02"]),
    ("q=100%25", &["04"]),
    ("q=0%25", &["04"]),
    ("q=d_-", &[]),
    ("q=%5C", &[]),
    ("q=198.51", &["03"]),
    ("q=51.100", &[]),
    ("q=%20de-01%20", &["01"]),
    ("event=sign_in", &["02", "01"]),
    ("event=session_revoke", &["04", "03"]),
    ("user=bob", &["03"]),
    ("user=Bob", &["03"]),
    ("user=bo", &[]),
    ("address=198.51.100.9", &["03"]),
    ("address=198.51.100.0", &[]),
    ("address=2001:DB8:0::7", &["02"]),
    ("since=2026-11-26", &["04", "03"]),
    ("since=2026-11-26T12:00:00Z", &["04", "03"]),
    ("since=2026-11-26T12:00:01Z", &["04"]),
    ("until=2026-11-25", &["02", "01"]),
    ("until=2026-11-25T12:00", &["01"]),
    ("until=2026-11-25T13:00:00%2B01:00", &["01"]),
    ("since=2026-11-25&until=2026-11-26", &["03", "02"]),
    ("since=2026-11-27&until=2026-11-26", &[]),
];

/// A service with an admin, whose own records are away, and four others.
async fn with_records() -> (TestApp, Client) {
    let app = TestApp::start().await;
    let visitor = |address: &str| Actor::visitor(address.parse::<IpAddr>().expect("an address"));
    let by_root = Actor {
        username: Some("root".to_owned()),
        ..visitor("2001:db8::7")
    };
    let record = |event, username: &str, detail: &str| Record {
        username: Some(username.to_owned()),
        detail: Some(detail.to_owned()),
        ..Record::anonymous(event)
    };
    let by_time = Actor {
        source: Source::System,
        username: None,
        address: None,
    };
    let records = [
        (
            visitor("203.0.113.7"),
            record(Event::SignIn, "alice", "de-01"),
        ),
        (by_root, record(Event::SignIn, "carol", "de-02")),
        (
            visitor("198.51.100.9"),
            record(Event::SessionRevoke, "bob", "De-03"),
        ),
        (
            by_time,
            record(Event::SessionRevoke, "bobby", "de-04: 100%"),
        ),
    ];
    for (actor, record) in records {
        write(&app, &actor, &[record]).await;
        app.clock.advance(DAY);
    }
    let admin = app.admin().await;
    app.execute("DELETE FROM audit WHERE username = 'admin'")
        .await;
    (app, admin)
}

async fn write(app: &TestApp, actor: &Actor, records: &[Record]) {
    let tx = app.app.db.begin().await.expect("a transaction");
    audit::commit(tx, app.clock.now(), actor, records)
        .await
        .expect("a commit");
}

/// Which of the records `de-NN` the page shows, in its order; the files must have the same.
async fn details(admin: &mut Client, query: &str) -> Vec<String> {
    let page = admin.get(&format!("/admin/audit?{query}")).await;
    assert_eq!(page.status, 200, "{query}: {}", page.body);
    let shown = numbers(&page);
    let in_file: Vec<String> = exported(admin, query)
        .await
        .iter()
        .map(|record| record["detail"].as_str().unwrap_or_default()[3..5].to_owned())
        .collect();
    assert_eq!(shown, in_file, "{query}: page and file");
    shown
}

fn numbers(page: &Answer) -> Vec<String> {
    let (_, records) = page.body.split_once("<tbody").unwrap_or_default();
    let lower = records.to_lowercase();
    lower
        .match_indices("de-")
        .map(|(place, _)| lower[place + 3..place + 5].to_owned())
        .collect()
}

async fn exported(admin: &mut Client, query: &str) -> Vec<Value> {
    let file = admin.get(&format!("/admin/audit.jsonl?{query}")).await;
    assert_eq!(file.status, 200, "{query}: {}", file.body);
    file.body
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect()
}

#[rocket::async_test]
async fn pages_stay_right_while_records_come_in() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    app.execute("DELETE FROM audit").await;
    let record = |number: u32| Record::anonymous(Event::SignIn).detail(format!("de-{number:02}"));
    // Some at one moment, as a revoke of many writes them.
    let first: Vec<Record> = (10..27).map(record).collect();
    write(&app, &Actor::operator(), &first).await;

    let mut seen = Vec::new();
    let mut next = Some("/admin/audit?event=sign_in&limit=5".to_owned());
    let mut late = 30;
    while let Some(address) = next {
        let page = admin.get(&address).await;
        seen.extend(numbers(&page));
        assert_eq!(
            link(&page, "First page").is_some(),
            address.contains("after="),
            "the way back from {address}"
        );
        next = link(&page, "Next page");
        app.clock.advance(Duration::from_millis(1));
        write(&app, &Actor::operator(), &[record(late)]).await;
        late += 1;
    }
    let expected: Vec<String> = (10..27).rev().map(|number| number.to_string()).collect();
    assert_eq!(seen, expected);
}

#[rocket::async_test]
async fn a_page_begins_where_a_record_was_that_is_gone() {
    let (app, mut admin) = with_records().await;
    let page = admin.get("/admin/audit?limit=2").await;
    let next = link(&page, "Next page").expect("another page");
    app.execute("DELETE FROM audit WHERE detail = 'De-03'")
        .await;
    assert_eq!(numbers(&admin.get(&next).await), ["02", "01"]);
}

/// Where a link of the page leads.
fn link(page: &Answer, text: &str) -> Option<String> {
    let (before, _) = page.body.split_once(&format!(">{text}<"))?;
    let (_, address) = before.rsplit_once("href=\"")?;
    let address = address.split('"').next()?;
    Some(address.replace("&#x2f;", "/").replace("&amp;", "&"))
}

#[rocket::async_test]
async fn adm_06_parameters_that_are_not_good_are_named_and_refused() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let long = format!("q={}", "a".repeat(201));
    for query in [
        "limit=0",
        "limit=-1",
        "limit=1e9",
        "limit=abc",
        "limit=201",
        "limit=9223372036854775808",
        "after=9223372036854775808",
        "after=abc",
        "after=00000000-0000-0000-0000-000000000000",
        "after=f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "since=yesterday",
        "since=2026-02-30",
        "since=99999-01-01",
        "until=2026-11-24T25:00",
        "until=%00",
        "event=sign_inn",
        "event=SIGN_IN",
        "address=203.0.113",
        "address=203.0.113.7%25",
        "q=%00",
        &long,
    ] {
        let name = query.split('=').next().unwrap_or_default();
        for route in &ROUTES[1..] {
            let answer = admin.get(&format!("{route}?{query}")).await;
            assert_eq!(answer.status, 400, "{route}?{query}");
            let named = format!("“{name}”");
            assert!(answer.body.contains(&named), "{query}: {}", answer.body);
        }
    }
}

#[rocket::async_test]
async fn parameters_that_find_nothing_find_nothing() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    for query in [
        "user=%00",
        "user=%FF%FE",
        "user=%27%20OR%201=1",
        "q=%27%22%3B--",
        "after=00000000-0000-7000-8000-000000000000",
        "until=0001-01-01",
    ] {
        let answer = admin.get(&format!("/admin/audit?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        assert!(!answer.body.contains("<tbody"), "{query}");
    }
    let empty = "/admin/audit?q=&event=&user=&address=&since=&until=&after=&limit=";
    assert!(admin.get(empty).await.body.contains("<tbody"));
}

/// What spreadsheets, CSV readers and pages could take for something else than text.
const HOSTILE: [&str; 12] = [
    "=HYPERLINK(\"https://evil.example\")",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "'=1",
    "'quoted'",
    "a,b;c\td",
    "\"quotes\" and \"\"more\"\"",
    "two\nlines\r\nand \u{2028} more",
    "\tindented",
    "\"><svg onload=alert(1)>{{7*7}}",
    "ünïcode \u{1f511} \u{202e}",
];

#[rocket::async_test]
async fn files_give_hostile_texts_back_as_they_were() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    app.execute("DELETE FROM audit").await;
    for text in HOSTILE {
        let record = Record::anonymous(Event::UserChange).detail("to be replaced");
        write(&app, &Actor::operator(), &[record]).await;
        // Behind the back of what tames texts before they are written.
        let mut tx = app.app.db.begin().await.expect("a transaction");
        tx.query(
            "UPDATE audit SET detail = $1, username = $1, actor = $1 WHERE detail = 'to be replaced'",
        )
        .bind(text)
        .execute()
        .await
        .expect("an update");
        tx.commit().await.expect("a commit");
    }
    let expected: Vec<&str> = HOSTILE.iter().rev().copied().collect();

    let file = admin.get("/admin/audit.csv").await;
    let mut reader = csv::Reader::from_reader(file.body.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    for name in ["username", "actor", "detail"] {
        let column = header
            .iter()
            .position(|cell| cell == name)
            .expect("a column");
        let cells: Vec<&str> = rows.iter().map(|row| &row[column]).collect();
        for cell in &cells {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "{cell}"
            );
        }
        // As the documentation says: drop one apostrophe at the beginning.
        let told: Vec<&str> = cells
            .iter()
            .map(|cell| cell.strip_prefix('\'').unwrap_or(cell))
            .collect();
        assert_eq!(told, expected, "{name}");
    }

    let records = exported(&mut admin, "").await;
    for name in ["username", "actor", "detail"] {
        let told: Vec<&str> = records
            .iter()
            .filter_map(|record| record[name].as_str())
            .collect();
        assert_eq!(told, expected, "{name}");
    }
}

#[rocket::async_test]
async fn a_file_is_saved_under_a_name_and_says_what_it_is() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    for (route, name, kind) in [
        ("/admin/audit.csv", "audit.csv", "text/csv; charset=utf-8"),
        (
            "/admin/audit.jsonl",
            "audit.jsonl",
            "application/jsonl; charset=utf-8",
        ),
    ] {
        let answer = admin.get(route).await;
        let disposition = format!("attachment; filename=\"{name}\"");
        assert_eq!(answer.header("content-disposition"), disposition);
        assert!(answer.header("content-type").starts_with(kind));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

#[rocket::async_test]
async fn a_file_holds_all_records_however_many_are_read_at_once() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    app.execute("DELETE FROM audit").await;
    let records: Vec<Record> = (0..2_000)
        .map(|number| Record::anonymous(Event::SignIn).detail(number.to_string()))
        .collect();
    write(&app, &Actor::operator(), &records).await;
    // Exactly two readings, then one more than two.
    for count in [2_000, 2_001] {
        let told: Vec<String> = exported(&mut admin, "limit=3&event=sign_in")
            .await
            .iter()
            .map(|record| record["detail"].as_str().unwrap_or_default().to_owned())
            .collect();
        let expected: Vec<String> = (0..count).rev().map(|n: u32| n.to_string()).collect();
        assert_eq!(told, expected);
        let lines = admin.get("/admin/audit.csv").await.body.lines().count();
        assert_eq!(lines, told.len() + 1, "a header and a line each");
        let another = Record::anonymous(Event::SignIn).detail(count.to_string());
        write(&app, &Actor::operator(), &[another]).await;
    }
}

#[rocket::async_test]
async fn a_file_that_breaks_off_says_so() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    app.execute("ALTER TABLE audit RENAME TO away").await;
    let file = admin.get("/admin/audit.jsonl").await;
    assert!(
        file.body.contains("\"error\":\"incomplete"),
        "{}",
        file.body
    );
    let file = admin.get("/admin/audit.csv").await;
    let last = file.body.lines().last().unwrap_or_default();
    assert!(last.contains("incomplete"), "{last}");
}

#[rocket::async_test]
async fn the_command_line_has_the_same_filters() {
    let (app, _admin) = with_records().await;
    for (arguments, found) in [
        ("--search 0%", vec!["04"]),
        ("--event sign_in", vec!["02", "01"]),
        ("--user BOB", vec!["03"]),
        ("--address 2001:db8:0::7", vec!["02"]),
        ("--since 2026-11-26T12:00:01Z", vec!["04"]),
        ("--until 2026-11-25", vec!["02", "01"]),
        ("--limit 3", vec!["04", "03", "02"]),
        ("", vec!["04", "03", "02", "01"]),
    ] {
        let output = audit_list(&app, arguments);
        assert!(output.status.success(), "{arguments}: {output:?}");
        let records: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a list");
        let told: Vec<&str> = records
            .iter()
            .map(|record| &record["detail"].as_str().unwrap_or_default()[3..5])
            .collect();
        assert_eq!(told, found, "{arguments}");
    }
}

#[rocket::async_test]
async fn the_command_line_refuses_what_is_not_good() {
    let app = TestApp::start().await;
    for arguments in [
        "--limit 0",
        "--limit=-1",
        "--since yesterday",
        "--until 2026-02-30",
        "--event sign_inn",
        "--address 203.0.113",
    ] {
        let output = audit_list(&app, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {output:?}");
        let name = arguments.split([' ', '=']).next().unwrap_or_default();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(name), "{arguments}: {told}");
    }
}

fn audit_list(app: &TestApp, arguments: &str) -> std::process::Output {
    let database = format!(
        "sqlite:{}",
        app.folder.path().join("vestibule.db").display()
    );
    Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .current_dir(app.folder.path())
        .env_clear()
        .args(["--database", &database, "audit", "list", "--json"])
        .args(arguments.split_whitespace())
        .output()
        .expect("the binary runs")
}

#[rocket::async_test]
async fn two_users_who_had_one_name_are_told_apart() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let first = app.user("alice").await.id;
    app.anonymous().sign_in("alice", "not hers").await;
    lifecycle::delete(&app.app, &Actor::operator(), "alice")
        .await
        .expect("a database")
        .expect("a user");
    // Nobody has the name: all who ever had it.
    let gone = admin.get("/admin/audit?user=alice").await;
    assert_eq!(exported(&mut admin, "user=alice").await.len(), 3);
    assert!(
        gone.body.contains(&format!("/admin/audit?user={first}")),
        "{}",
        gone.body
    );

    app.clock.advance(DAY);
    let mut admin = app.sign_in_again("admin").await;
    let second = app.user("alice").await.id;
    let of = async |admin: &mut Client, user: &str| -> Vec<String> {
        let records = exported(admin, &format!("user={user}")).await;
        let ids = records
            .iter()
            .map(|record| record["user_id"].as_str().expect("an id"));
        ids.map(str::to_owned).collect()
    };
    assert_eq!(of(&mut admin, "ALICE").await, [second.to_string()]);
    assert_eq!(
        of(&mut admin, &second.to_string()).await,
        [second.to_string()]
    );
    assert_eq!(
        of(&mut admin, &first.to_string()).await,
        vec![first.to_string(); 3]
    );
    let page = admin.get("/admin/audit?user=alice").await.body;
    assert!(page.contains("A user alice was deleted <time"), "{page}");
    assert!(
        page.contains(&format!("/admin/audit?user={first}")),
        "{page}"
    );
    assert!(
        page.contains(&format!("<p>User id <code>{second}</code></p>")),
        "{page}"
    );
    // What was the first one's page leads to what is left.
    let former = admin.get(&format!("/admin/users/{first}")).await;
    assert_eq!(
        former.header("location"),
        format!("/admin/audit?user={first}")
    );
    let own = admin.get(&format!("/admin/users/{second}")).await.body;
    assert!(!own.contains("User deleted"), "{own}");

    let listed = audit_list(&app, "--user alice");
    let records = |out: &[u8]| String::from_utf8_lossy(out).matches("\"id\"").count();
    assert_eq!(records(&listed.stdout), 1);
    let hint = String::from_utf8_lossy(&listed.stderr);
    assert!(hint.contains(&format!("--user {first}")), "{hint}");
    let listed = audit_list(&app, &format!("--user {first}"));
    assert_eq!((records(&listed.stdout), listed.stderr.len()), (3, 0));
}
