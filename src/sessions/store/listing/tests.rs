use super::*;
use crate::foundation::db::{self, Db, Location};

/// Live sessions of 1,000 users, most on one device and in one network, and `SOME` on another and in
/// another; few ended ones, likewise.
const LIVE: u32 = 20_000;
const SOME: u32 = 2_000;
const ENDED: u32 = 20;
const NOW: Timestamp = Timestamp::from_micros(1_000);

struct Filled {
    db: Db,
    _folder: tempfile::TempDir,
}

impl Filled {
    async fn create() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vestibule.db");
        let location = Location::parse(&path.to_string_lossy()).expect("a path");
        db::prepare(&location).await.expect("a database");
        let db = Db::open(&location, 1_000).await.expect("a database");
        let mut tx = db.begin().await.expect("a transaction");
        fill(&mut tx).await.expect("rows");
        tx.commit().await.expect("a commit");
        Self {
            db,
            _folder: folder,
        }
    }

    fn pool(&self) -> &Pool {
        self.db.reader()
    }

    /// How SQLite reads this page, a step a line.
    async fn steps(&self, query: &Query) -> Vec<String> {
        let plan = plan(self.pool(), query).await.expect("a plan");
        let plan = plan.expect("something is found");
        statement(self.pool(), &plan, query, NOW).steps().await
    }
}

async fn fill(tx: &mut db::Connection) -> Result<(), sqlx::Error> {
    tx.query(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 999)
         INSERT INTO users (id, username, display_name, email, admin, password_changed_at, created_at)
         SELECT CAST(printf('%016d', n) AS BLOB), printf('user%04d', n), 'A user', printf('user%04d@example.com', n), 0, 0, 0 FROM n",
    )
    .execute()
    .await?;
    tx.query("INSERT INTO devices VALUES ('Firefox on Linux'), ('Konqueror on Linux'), ('Epiphany on Linux')")
        .execute()
        .await?;
    tx.query(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < $1 - 1)
         INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                               idle_expires_at, expires_at, address, user_agent, device, ended_at, end_reason)
         SELECT CAST(printf('%032d', n) AS BLOB), CAST(printf('%016d', n) AS BLOB), CAST(printf('%016d', n % 1000) AS BLOB),
                'password', 0, n, n, n, 1000000, 1000000, printf(CASE WHEN n < $2 THEN '198.51.100.%d' WHEN n < $3 THEN '203.0.113.%d' ELSE '192.0.2.%d' END, n % 250), '',
                CASE WHEN n < $2 THEN 'Konqueror on Linux' WHEN n < $3 THEN 'Epiphany on Linux' ELSE 'Firefox on Linux' END,
                CASE WHEN n < $2 THEN 999 END, CASE WHEN n < $2 THEN 'signed_out' END
         FROM n",
    )
    .bind(i64::from(LIVE + ENDED))
    .bind(i64::from(ENDED))
    .bind(i64::from(ENDED + SOME))
    .execute()
    .await?;
    Ok(())
}

fn query(q: &str, state: State, sort: Sort) -> Query {
    Query {
        q: q.to_owned(),
        user_id: None,
        state,
        sort,
        after: None,
        limit: 51,
    }
}

const SORTS: [Sort; 3] = [Sort::LastSeen, Sort::Started, Sort::User];

fn place(sort: Sort) -> Cursor {
    match sort {
        Sort::LastSeen => Cursor::LastSeen(NOW, Uuid::nil()),
        Sort::Started => Cursor::Started(Uuid::nil()),
        Sort::User => Cursor::User("user0500".to_owned(), Uuid::nil()),
    }
}

/// It stops as soon as the page is full: nothing is sorted.
fn is_read_in_order(steps: &[String]) -> bool {
    !steps.iter().any(|step| step.contains("TEMP B-TREE"))
}

/// No table and no index is read from end to end, but that of the few devices there are.
fn is_found_by_index(steps: &[String]) -> bool {
    let short = [
        "SCAN f",
        "SCAN devices",
        "SCAN search_users VIRTUAL TABLE INDEX 0:M1",
    ];
    let scans = |step: &&String| {
        step.starts_with("SCAN ") && !short.iter().any(|short| step.starts_with(short))
    };
    steps.iter().find(scans).is_none()
}

#[rocket::async_test]
async fn pages_of_many_are_read_in_order() {
    let filled = Filled::create().await;
    for sort in SORTS {
        for q in ["", "Firefox", "example.com", "192.0.2.", "Epiphany"] {
            let first = query(q, State::Live, sort);
            let later = Query {
                after: Some(place(sort)),
                ..first.clone()
            };
            let steps = filled.steps(&first).await;
            assert!(is_read_in_order(&steps), "{first:?}: {steps:?}");
            let steps = filled.steps(&later).await;
            assert!(is_read_in_order(&steps), "{later:?}: {steps:?}");
            assert!(is_found_by_index(&steps[..1]), "{later:?}: {steps:?}");
        }
    }
}

/// Thousands among millions: an index says of each row whether it is one of them.
#[rocket::async_test]
async fn what_is_neither_rare_nor_common_is_found_first_and_read_in_order() {
    let filled = Filled::create().await;
    for (sort, index) in [
        (Sort::LastSeen, "sessions_live_seen"),
        (Sort::Started, "sessions_live_started"),
    ] {
        for q in ["example.com", "user0", "Epiphany", "203.0.113."] {
            let query = query(q, State::Live, sort);
            let steps = filled.steps(&query).await;
            assert!(is_read_in_order(&steps), "{query:?}: {steps:?}");
            assert!(steps[0].contains(index), "{query:?}: {steps:?}");
            let lists = |step: &&String| step.starts_with("LIST SUBQUERY");
            assert!(steps.iter().find(lists).is_some(), "{query:?}: {steps:?}");
            let users = |step: &&String| step.starts_with("SCAN u");
            assert!(steps.iter().find(users).is_none(), "{query:?}: {steps:?}");
        }
    }
}

#[rocket::async_test]
async fn few_are_found_first() {
    let filled = Filled::create().await;
    for sort in SORTS {
        for (q, state) in [
            ("user0007", State::Live),
            ("user0007", State::Ended),
            ("Konqueror", State::Ended),
            ("198.51.100.", State::Ended),
        ] {
            let query = query(q, state, sort);
            let steps = filled.steps(&query).await;
            assert!(is_found_by_index(&steps), "{query:?}: {steps:?}");
        }
    }
}

#[rocket::async_test]
async fn few_ended_sessions_are_sorted_by_user_without_reading_all_users() {
    let filled = Filled::create().await;
    let steps = filled.steps(&query("", State::Ended, Sort::User)).await;
    let ended = |step: &&String| step.contains("INDEX sessions_ended");
    assert!(steps.iter().find(ended).is_some(), "{steps:?}");
    let users = |step: &&String| step.starts_with("SCAN u");
    assert!(steps.iter().find(users).is_none(), "{steps:?}");
}

#[rocket::async_test]
async fn each_way_to_read_finds_the_same() {
    let filled = Filled::create().await;
    for (q, state, most) in [
        ("", State::Ended, ENDED),
        ("user0007", State::Live, 20),
        ("user0007", State::Ended, 1),
        ("Konqueror", State::Ended, ENDED),
        ("Konqueror", State::Live, 0),
        ("198.51.100.7", State::Ended, 1),
        ("nobody", State::Live, 0),
        ("Firefox", State::Live, 51),
        ("EXAMPLE.com", State::Live, 51),
        ("ser0007", State::Live, 20),
        ("00", State::Live, 0),
        ("us", State::Live, 51),
        ("Ko", State::Ended, ENDED),
        ("on", State::Ended, 0),
        ("onqueror", State::Ended, ENDED),
        ("Epiphany", State::Live, 51),
        ("203.0.113.", State::Live, 51),
    ] {
        for sort in SORTS {
            let found = page(filled.pool(), &query(q, state, sort), NOW)
                .await
                .expect("a page");
            assert_eq!(found.len(), most as usize, "{q} {state:?} {sort:?}");
        }
    }
}
