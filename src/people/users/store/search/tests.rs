use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sqlx::SqlitePool;
use sqlx::sqlite::SqlitePoolOptions;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_000);

struct Users(SqlitePool);

impl Users {
    async fn none() -> Self {
        let one = SqlitePoolOptions::new().max_connections(1);
        let pool = one.connect("sqlite::memory:").await.expect("a database");
        sqlx::migrate!().run(&pool).await.expect("tables");
        Self(pool)
    }

    fn pool(&self) -> Pool {
        self.0.clone().into()
    }

    async fn add(&self, username: &str, display_name: &str, email: Option<&str>) {
        sqlx::query(
            "INSERT INTO users (id, username, display_name, email, admin, password_changed_at, created_at)
             VALUES (randomblob(16), $1, $2, $3, 0, 1, 1) ON CONFLICT (username) DO NOTHING",
        )
        .bind(username)
        .bind(display_name)
        .bind(email)
        .execute(&self.0)
        .await
        .expect("a user");
    }

    async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement)
            .execute(&self.0)
            .await
            .expect("a statement");
    }

    /// What the pages ask for.
    async fn found(&self, q: &str) -> Vec<String> {
        let found = search(&self.pool(), q, "", 1_000, NOW)
            .await
            .expect("users");
        found.into_iter().map(|one| one.user.username).collect()
    }

    /// The same, read by name as if many were found.
    async fn read_by_name(&self, q: &str) -> Vec<String> {
        let pool = self.pool();
        let sql = page(&pool, q, false, "", 1_000, NOW);
        let users: Vec<Listed> = sql.build().all().await.expect("users");
        users.into_iter().map(|one| one.user.username).collect()
    }

    async fn texts(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT search FROM users ORDER BY username")
            .fetch_all(&self.0)
            .await
            .expect("texts")
    }

    /// Without any index, and not by SQLite.
    async fn expected(&self, q: &str) -> Vec<String> {
        let all: Vec<(String, String)> =
            sqlx::query_as("SELECT username, search FROM users ORDER BY username")
                .fetch_all(&self.0)
                .await
                .expect("users");
        let q = q.to_ascii_lowercase();
        let is_found = |text: &str| match q.chars().count() {
            0..=2 => format!("|{text}").contains(&format!("|{q}")),
            _ => text.contains(&q),
        };
        all.into_iter()
            .filter_map(|(name, text)| is_found(&text).then_some(name))
            .collect()
    }

    /// The index says of each user what the row says, and nothing of anybody else.
    async fn assert_indexed(&self) {
        self.execute("INSERT INTO search_users (search_users, rank) VALUES ('integrity-check', 1)")
            .await;
        let keys = "SELECT (SELECT count(*) FROM users) - (SELECT count(*) FROM search_keys)";
        let missing: i64 = sqlx::query_scalar(keys)
            .fetch_one(&self.0)
            .await
            .expect("a number");
        assert_eq!(missing, 0);
    }
}

/// Texts of few characters, so that they often have each other's parts: what LIKE, FTS5 and SQL have meanings
/// for, both cases, letters beyond ASCII, and such as UTF-16 has no single unit for.
fn text(size: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let characters = [
        "a", "a", "b", "b", "A", "B", "ä", "Ä", "%", "_", "\\", "\"", "'", "|", "*", "^", "-", "(",
        ":", " ", "名", "😀", "𝒳", "e\u{301}",
    ];
    prop::collection::vec(prop::sample::select(characters.to_vec()), size)
        .prop_map(|parts| parts.concat())
}

#[rocket::async_test]
async fn any_text_finds_the_users_that_have_it() {
    let users = Users::none().await;
    let mut runner = TestRunner::deterministic();
    let mut made = |size| {
        let tree = text(size).new_tree(&mut runner).expect("a text");
        tree.current()
    };
    let mut hits = 0;
    for _ in 0..40 {
        users.execute("DELETE FROM users").await;
        for _ in 0..20 {
            users.add(&made(1..8), &made(0..8), Some(&made(0..8))).await;
            users.add(&made(1..4), "", None).await;
        }
        users.assert_indexed().await;
        for n in 0..50 {
            let q = match n % 2 {
                0 => made(0..6),
                _ => part(&users.texts().await, n),
            };
            let expected = users.expected(&q).await;
            assert_eq!(users.found(&q).await, expected, "{q:?}");
            assert_eq!(users.read_by_name(&q).await, expected, "{q:?}");
            hits += usize::from(q.chars().count() > 2 && !expected.is_empty());
        }
    }
    assert!(hits > 500, "{hits} searches of three characters found any");
}

/// A part of one of these texts, in capitals where it has letters for it.
fn part(texts: &[String], n: usize) -> String {
    let text = texts[n % texts.len()].to_ascii_uppercase();
    text.chars().skip(n % 5).take(2 + n % 4).collect()
}

#[rocket::async_test]
async fn one_and_two_characters_find_what_begins_with_them() {
    let users = Users::none().await;
    users
        .add("alice", "Liddell", Some("post@example.com"))
        .await;
    users.add("bob", "王小明", None).await;
    for (q, found) in [
        ("a", vec!["alice"]),
        ("LI", vec!["alice"]),
        ("po", vec!["alice"]),
        ("王", vec!["bob"]),
        ("ob", vec![]),
        ("ic", vec![]),
        ("ice", vec!["alice"]),
        ("|", vec![]),
    ] {
        assert_eq!(users.found(q).await, found, "{q}");
    }
}

#[rocket::async_test]
async fn a_text_that_no_name_can_have_finds_nobody() {
    let users = Users::none().await;
    users.add("alice", "", None).await;
    for q in [
        "\0",
        "\0\0\0",
        "ali\0",
        "ali\0ce",
        "\"",
        "\"\"\"",
        "ali OR ice",
        "text:ali",
        "ali*",
        "NOT",
    ] {
        assert_eq!(users.found(q).await, [""; 0], "{q:?}");
    }
    let long = "alice".repeat(1_000);
    assert_eq!(users.found(&long).await, [""; 0]);
    users.add(&long, "", None).await;
    assert_eq!(users.found(&long).await, [long]);
}

#[rocket::async_test]
async fn the_index_follows_each_change_of_a_user() {
    let users = Users::none().await;
    users
        .add("alice", "Liddell", Some("alice@example.com"))
        .await;
    users.add("bob", "", None).await;
    for (change, q, found) in [
        (
            "UPDATE users SET email = 'hare@example.net' WHERE username = 'alice'",
            "hare@",
            vec!["alice"],
        ),
        (
            "UPDATE users SET admin = 1, password_hash = 'x'",
            "alice@",
            vec![],
        ),
        (
            "UPDATE users SET username = 'robert', display_name = 'Bob' WHERE username = 'bob'",
            "bob",
            vec!["robert"],
        ),
        (
            "UPDATE users SET id = randomblob(16)",
            "robert",
            vec!["robert"],
        ),
        (
            "UPDATE users SET email = username || '@example.org'",
            "example.org",
            vec!["alice", "robert"],
        ),
        (
            "DELETE FROM users WHERE username = 'alice'",
            "liddell",
            vec![],
        ),
        (
            "INSERT INTO users (id, username, display_name, admin, password_changed_at, created_at)
          SELECT randomblob(16), 'carol', display_name, 0, 1, 1 FROM users",
            "bob",
            vec!["carol", "robert"],
        ),
        (
            "BEGIN; DELETE FROM users; ROLLBACK",
            "bob",
            vec!["carol", "robert"],
        ),
        ("DELETE FROM users", "bob", vec![]),
    ] {
        users.execute(change).await;
        users.assert_indexed().await;
        assert_eq!(users.found(q).await, found, "{change}");
    }
}

/// SQLite tells no trigger of the row that REPLACE takes away.
#[rocket::async_test]
async fn a_user_who_is_replaced_by_hand_is_found_and_may_be_changed() {
    let users = Users::none().await;
    for name in ["alice", "bob"] {
        users.add(name, "", None).await;
        users
            .execute(
                "REPLACE INTO users (id, username, display_name, admin, password_changed_at, created_at)
                 SELECT id, username, 'Liddell', 0, 1, 1 FROM users",
            )
            .await;
    }
    assert_eq!(users.found("liddell").await, ["alice", "bob"]);
    assert_eq!(users.found("alice").await, ["alice"]);
    users.execute("UPDATE users SET email = 'hare@example.net' WHERE username = 'bob'; DELETE FROM users WHERE username = 'alice'").await;
    assert_eq!(users.found("alice").await, [""; 0]);
    assert_eq!(users.found("hare").await, ["bob"]);
}

#[rocket::async_test]
async fn of_a_user_who_is_deleted_no_part_stays_in_the_index() {
    let users = Users::none().await;
    users.add("alice", "", None).await;
    users.add("zqxj", "", None).await;
    let parts =
        "SELECT count(*) FROM search_users_data WHERE instr(block, CAST('zqx' AS BLOB)) > 0";
    let count = async || -> i64 {
        let count = sqlx::query_scalar(parts).fetch_one(&users.0);
        count.await.expect("a number")
    };
    assert_eq!(count().await, 1);
    users
        .execute("DELETE FROM users WHERE username = 'zqxj'")
        .await;
    assert_eq!(count().await, 0);
}

#[rocket::async_test]
async fn a_search_reads_the_users_that_it_finds_and_no_others() {
    let pool = Users::none().await.pool();
    for q in ["a", "ali", "alice@example.com"] {
        let mut counted = pool.build("");
        push_candidates(&mut counted, q);
        for sql in [counted, page(&pool, q, true, "", 51, NOW)] {
            let steps = sql.steps().await;
            let by_parts = "SCAN search_users VIRTUAL TABLE INDEX 0:M1";
            assert!(steps.iter().any(|step| step == by_parts), "{steps:?}");
            let scans = |step: &&String| {
                step.starts_with("SCAN ") && !["SCAN f", by_parts].contains(&step.as_str())
            };
            assert_eq!(steps.iter().find(scans), None, "{steps:?}");
        }
    }
}
