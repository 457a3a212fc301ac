//! The queries of the session listing.
//!
//! Rows are read in the order of an index until a page is full. A search for what is rare would
//! read them all that way, so rare users, devices and addresses are found first, and their sessions
//! sorted. What is neither rare nor common is found first as well, and then read in order: the index
//! says which rows are not among it.

mod plan;

use sqlx::{FromRow, QueryBuilder, Sqlite, SqlitePool};
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::people::users::{like_pattern, push_candidates, push_match};
use crate::sessions::listing::{Cursor, Query, Sort, State};
use plan::{Few, Plan, Search, Sources, Way, looks_like_address, plan};

/// A session as lists show it.
#[derive(Clone, Debug, serde::Serialize, FromRow)]
pub struct Found {
    pub id: Uuid,
    pub user_id: Uuid,
    /// The user is gone; the name may be another's now.
    #[sqlx(default)]
    pub user_deleted: bool,
    pub username: String,
    pub display_name: String,
    pub methods: String,
    pub remember: bool,
    pub address: String,
    pub device: String,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub authenticated_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
    pub ended_by: Option<String>,
}

const COLUMNS: &str = "SELECT s.id, s.user_id, u.username, u.display_name, s.methods, s.remember, s.address, s.device, s.user_agent,
    s.created_at, s.last_seen_at, s.authenticated_at,
    CASE WHEN s.expires_at < s.idle_expires_at THEN s.expires_at ELSE s.idle_expires_at END AS expires_at,
    s.ended_at, s.end_reason, s.ended_by ";

/// One page of live or of ended sessions.
pub(crate) async fn page(
    pool: &SqlitePool,
    query: &Query,
    now: Timestamp,
) -> Result<Vec<Found>, sqlx::Error> {
    let Some(plan) = plan(pool, query).await? else {
        return Ok(Vec::new());
    };
    statement(&plan, query, now)
        .build_query_as()
        .fetch_all(pool)
        .await
}

/// One page of the sessions of users who were deleted: few, and all ended.
pub(crate) async fn page_of_former(
    pool: &SqlitePool,
    query: &Query,
) -> Result<Vec<Found>, sqlx::Error> {
    let mut sql = QueryBuilder::new(COLUMNS);
    sql.push(
        ", 1 AS user_deleted FROM former_sessions s
         JOIN (SELECT id, username, username AS search, '' AS display_name FROM former_users) u ON u.id = s.user_id
         WHERE 1 = 1",
    );
    if let Some(user_id) = query.user_id {
        sql.push(" AND s.user_id = ").push_bind(user_id);
    }
    push_search(&mut sql, &Search::of(&query.q, true), &query.q);
    push_page(&mut sql, query);
    sql.build_query_as().fetch_all(pool).await
}

fn statement(plan: &Plan, query: &Query, now: Timestamp) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new(COLUMNS);
    push_tables(&mut sql, plan, query);
    push_state(&mut sql, query.state, now);
    if let Way::Among(found) = plan.way {
        push_narrowing(&mut sql, found, query);
    }
    push_search(&mut sql, &plan.search, &query.q);
    push_page(&mut sql, query);
    sql
}

fn push_page(sql: &mut QueryBuilder<Sqlite>, query: &Query) {
    push_place(sql, query.after.as_ref());
    sql.push(match query.sort {
        Sort::LastSeen => " ORDER BY s.last_seen_at DESC, s.id DESC",
        Sort::Started => " ORDER BY s.id DESC",
        Sort::User => " ORDER BY u.username, s.id",
    });
    sql.push(" LIMIT ").push_bind(query.limit);
}

/// CROSS JOIN: the table that is named first is read first.
fn push_tables(sql: &mut QueryBuilder<Sqlite>, plan: &Plan, query: &Query) {
    match &plan.way {
        Way::Few(few) => push_few(sql, few, query),
        Way::InOrder | Way::Among(_) if query.sort == Sort::User => {
            sql.push("FROM users u CROSS JOIN sessions s WHERE s.user_id = u.id AND ");
        }
        Way::InOrder | Way::Among(_) => {
            sql.push("FROM sessions s CROSS JOIN users u WHERE u.id = s.user_id AND ");
        }
    }
}

/// The ids of the few first, each from an index of its own.
fn push_few(sql: &mut QueryBuilder<Sqlite>, few: &Few, query: &Query) {
    sql.push("FROM (");
    let joined = match few {
        Few::State => {
            sql.push("SELECT id FROM sessions WHERE ")
                .push(of_state(query.state));
            "s.id = f.id"
        }
        Few::User(id) => {
            sql.push("SELECT id FROM sessions WHERE user_id = ")
                .push_bind(*id);
            "s.id = f.id"
        }
        Few::Search(found) if !found.sessions => {
            push_candidates(sql, &query.q);
            "s.user_id = f.user_id"
        }
        Few::Search(found) => {
            if found.users {
                sql.push("SELECT id FROM sessions WHERE user_id IN (");
                push_candidates(sql, &query.q);
                sql.push(") UNION ");
            }
            push_sessions(sql, query);
            "s.id = f.id"
        }
    };
    sql.push(") f CROSS JOIN sessions s CROSS JOIN users u WHERE ")
        .push(joined)
        .push(" AND u.id = s.user_id AND ");
}

/// IS TRUE keeps away from the indexes of users and ids: all that is found would be sorted. So the index of
/// the order is read, which has both, and no row of a session that is not among them.
fn push_narrowing(sql: &mut QueryBuilder<Sqlite>, found: Sources, query: &Query) {
    sql.push(" AND (");
    if found.users {
        sql.push("s.user_id IN (");
        push_candidates(sql, &query.q);
        sql.push(")");
    }
    if found.users && found.sessions {
        sql.push(" OR ");
    }
    if found.sessions {
        sql.push("s.id IN (");
        push_sessions(sql, query);
        sql.push(")");
    }
    sql.push(") IS TRUE");
}

/// The ids of sessions that are found by their address or their device.
fn push_sessions(sql: &mut QueryBuilder<Sqlite>, query: &Query) {
    sql.push("SELECT id FROM sessions WHERE ")
        .push(of_state(query.state));
    if looks_like_address(&query.q) {
        let (from, to) = range_of_prefix(&query.q);
        sql.push(" AND address >= ").push_bind(from);
        sql.push(" AND address < ").push_bind(to);
    } else {
        sql.push(" AND device IN (SELECT name FROM devices WHERE name LIKE ")
            .push_bind(like_pattern(&query.q))
            .push(" ESCAPE '\\')");
    }
}

fn of_state(state: State) -> &'static str {
    if state == State::Ended {
        "ended_at IS NOT NULL"
    } else {
        "ended_at IS NULL"
    }
}

fn push_state(sql: &mut QueryBuilder<Sqlite>, state: State, now: Timestamp) {
    sql.push("s.").push(of_state(state));
    if state != State::Ended {
        sql.push(" AND s.idle_expires_at > ").push_bind(now);
        sql.push(" AND s.expires_at > ").push_bind(now);
    }
}

fn push_search(sql: &mut QueryBuilder<Sqlite>, search: &Search, q: &str) {
    match search {
        Search::All => {}
        // LIKE keeps away from the index of addresses: it would give all of them, to be sorted.
        Search::Address => {
            sql.push(" AND s.address LIKE ").push_bind(format!("{q}%"));
        }
        Search::Text { any_device } => {
            sql.push(" AND (");
            push_match(sql, q);
            if *any_device {
                sql.push(" OR s.device LIKE ").push_bind(like_pattern(q));
                sql.push(" ESCAPE '\\'");
            }
            sql.push(")");
        }
    }
}

fn push_place(sql: &mut QueryBuilder<Sqlite>, after: Option<&Cursor>) {
    match after {
        None => {}
        Some(Cursor::LastSeen(at, id)) => {
            sql.push(" AND (s.last_seen_at, s.id) < (").push_bind(*at);
            sql.push(", ").push_bind(*id).push(")");
        }
        Some(Cursor::Started(id)) => {
            sql.push(" AND s.id < ").push_bind(*id);
        }
        Some(Cursor::User(username, id)) => {
            sql.push(" AND u.username >= ").push_bind(username.clone());
            sql.push(" AND (u.username, s.id) > (")
                .push_bind(username.clone());
            sql.push(", ").push_bind(*id).push(")");
        }
    }
}

/// Sessions in a state, counted up to `most`, in the order of an index that has their times.
pub(crate) async fn count(
    pool: &SqlitePool,
    state: State,
    now: Timestamp,
    most: u32,
) -> Result<u32, sqlx::Error> {
    let mut sql =
        QueryBuilder::<Sqlite>::new("SELECT count(*) FROM (SELECT 1 FROM sessions s WHERE ");
    match state {
        State::All => {
            sql.push("1 = 1");
        }
        one => {
            push_state(&mut sql, one, now);
            sql.push(" ORDER BY s.last_seen_at DESC, s.id DESC");
        }
    }
    sql.push(" LIMIT ").push_bind(most).push(") f");
    sql.build_query_scalar().fetch_one(pool).await
}

/// What begins with `prefix` lies from the first to below the second.
fn range_of_prefix(prefix: &str) -> (String, String) {
    let from = prefix.to_ascii_lowercase();
    // Above every digit, letter and separator of an address.
    let to = format!("{from}~");
    (from, to)
}

#[cfg(test)]
mod tests {
    use sqlx::{Row, SqlitePool};

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

        fn pool(&self) -> &SqlitePool {
            self.db.reader()
        }

        /// How SQLite reads this page, a step a line.
        async fn steps(&self, query: &Query) -> Vec<String> {
            let plan = plan(self.pool(), query).await.expect("a plan");
            let sql = statement(&plan.expect("something is found"), query, NOW).into_string();
            let explain = format!("EXPLAIN QUERY PLAN {sql}");
            sqlx::query(sqlx::AssertSqlSafe(explain))
                .fetch_all(self.pool())
                .await
                .expect("an explanation")
                .iter()
                .map(|row| row.get("detail"))
                .collect()
        }
    }

    async fn fill(tx: &mut db::Connection) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(
            "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 999)
             INSERT INTO users (id, username, display_name, email, admin, password_changed_at, created_at)
             SELECT CAST(printf('%016d', n) AS BLOB), printf('user%04d', n), 'A user', printf('user%04d@example.com', n), 0, 0, 0 FROM n",
        )
        .execute(&mut *tx)
        .await?;
        sqlx::raw_sql("INSERT INTO devices VALUES ('Firefox on Linux'), ('Konqueror on Linux'), ('Epiphany on Linux')")
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < $1 - 1)
             INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                                   idle_expires_at, expires_at, address, user_agent, device, ended_at, end_reason)
             SELECT CAST(printf('%032d', n) AS BLOB), CAST(printf('%016d', n) AS BLOB), CAST(printf('%016d', n % 1000) AS BLOB),
                    'password', 0, n, n, n, 1000000, 1000000, printf(CASE WHEN n < $2 THEN '198.51.100.%d' WHEN n < $3 THEN '203.0.113.%d' ELSE '192.0.2.%d' END, n % 250), '',
                    CASE WHEN n < $2 THEN 'Konqueror on Linux' WHEN n < $3 THEN 'Epiphany on Linux' ELSE 'Firefox on Linux' END,
                    CASE WHEN n < $2 THEN 999 END, CASE WHEN n < $2 THEN 'signed_out' END
             FROM n",
        )
        .bind(LIVE + ENDED)
        .bind(ENDED)
        .bind(ENDED + SOME)
        .execute(tx)
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
}
