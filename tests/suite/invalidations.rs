//! What the triggers tell of changes, for the cache to drop: in whatever program a row is changed.
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use vestibule::foundation::audit::Actor;
use vestibule::sessions;

use crate::support::TestApp;
use crate::support::proxy::Person;

/// The tables whose rows are kept in memory.
const KEPT: [&str; 5] = ["sessions", "users", "memberships", "site_secrets", "policy"];

/// Columns that are never in memory, or may change there before they do in the database.
const UNTOLD: [&str; 12] = [
    "sessions.last_seen_at",
    "sessions.idle_expires_at",
    "sessions.address",
    "sessions.user_agent",
    "sessions.device",
    "sessions.data",
    "sessions.end_reason",
    "sessions.ended_by",
    "users.password_hash",
    "users.password_changed_at",
    "users.password_form",
    "users.search",
];

/// Alice in a group, with a session and its secret at a site.
async fn started() -> (TestApp, SqliteConnection) {
    let app = TestApp::start().await;
    app.site("app.example.com", "signed-in", &[]).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter("https://app.example.com/").await;
    app.execute("INSERT INTO groups (name) VALUES ('staff')")
        .await;
    app.execute("INSERT INTO memberships (user_id, group_name) SELECT id, 'staff' FROM users")
        .await;
    let options = SqliteConnectOptions::new()
        .filename(app.folder.path().join("vestibule.db"))
        .foreign_keys(false);
    let by_hand = SqliteConnection::connect_with(&options).await;
    (app, by_hand.expect("a database"))
}

/// The keys that a statement leaves behind, in hex.
async fn told(by_hand: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let mut tx = by_hand.begin().await.expect("a transaction");
    for statement in ["DELETE FROM invalidations", statement] {
        sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&mut *tx)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let keys = sqlx::query_scalar("SELECT DISTINCT coalesce(hex(key), 'all') FROM invalidations")
        .fetch_all(&mut *tx)
        .await
        .expect("rows");
    tx.rollback().await.expect("a rollback");
    keys
}

async fn key(by_hand: &mut SqliteConnection, table: &str) -> String {
    let query = match table {
        "sessions" => "SELECT hex(token_hash) FROM sessions",
        "users" | "memberships" => "SELECT hex(id) FROM users",
        "site_secrets" => "SELECT hex(secret_hash) FROM site_secrets",
        _ => "SELECT hex('policy')",
    };
    sqlx::query_scalar(query)
        .fetch_one(by_hand)
        .await
        .expect("a key")
}

async fn columns(by_hand: &mut SqliteConnection, table: &str) -> Vec<(String, String)> {
    sqlx::query_as(AssertSqlSafe(format!(
        "SELECT name, type FROM pragma_table_xinfo('{table}')"
    )))
    .fetch_all(by_hand)
    .await
    .expect("columns")
}

fn change(table: &str, column: &str, kind: &str) -> String {
    let other = match (column, kind) {
        ("ended_at", _) => "1, end_reason = 'revoked'".to_owned(),
        ("remember" | "admin" | "must_change_password", _) => format!("1 - {column}"),
        ("disabled_at", _) => "1".to_owned(),
        ("token_hash" | "secret_hash", _) => "randomblob(32)".to_owned(),
        (_, "BLOB") => "randomblob(16)".to_owned(),
        (_, "INTEGER") => format!("{column} + 1"),
        _ => format!("{column} || 'x'"),
    };
    format!("UPDATE {table} SET {column} = {other}")
}

#[rocket::async_test]
async fn atk_05_a_change_of_whatever_may_be_in_memory_is_told_by_the_key_of_the_old_row() {
    let (_app, mut by_hand) = started().await;
    for table in KEPT {
        let key = key(&mut by_hand, table).await;
        for (column, kind) in columns(&mut by_hand, table).await {
            let name = format!("{table}.{column}");
            if name == "users.search" {
                continue;
            }
            let told = told(&mut by_hand, &change(table, &column, &kind)).await;
            assert_eq!(
                told.contains(&key),
                !UNTOLD.contains(&&*name),
                "{name}: {told:?}"
            );
        }
        let told = told(&mut by_hand, &format!("DELETE FROM {table}")).await;
        assert_eq!(
            told.contains(&key),
            table != "policy",
            "DELETE FROM {table}"
        );
    }
}

#[rocket::async_test]
async fn a_row_that_is_replaced_is_told() {
    let (_app, mut by_hand) = started().await;
    for table in ["sessions", "users", "site_secrets"] {
        let key = key(&mut by_hand, table).await;
        let columns: Vec<String> = columns(&mut by_hand, table)
            .await
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| name != "search")
            .collect();
        let columns = columns.join(", ");
        let replace = format!("REPLACE INTO {table} ({columns}) SELECT {columns} FROM {table}");
        assert_eq!(told(&mut by_hand, &replace).await, [key], "{table}");
    }
}

#[rocket::async_test]
async fn a_new_group_is_told_as_a_change_of_its_member() {
    let (_app, mut by_hand) = started().await;
    let alice = key(&mut by_hand, "users").await;
    let joined = "INSERT INTO memberships (user_id, group_name) SELECT id, 'other' FROM users";
    assert_eq!(told(&mut by_hand, joined).await, [alice]);
}

#[rocket::async_test]
async fn a_use_is_not_told_and_one_that_is_set_back_is() {
    let (_app, mut by_hand) = started().await;
    let session = key(&mut by_hand, "sessions").await;
    for column in ["last_seen_at", "idle_expires_at"] {
        let later = format!("UPDATE sessions SET {column} = {column} + 1");
        assert!(told(&mut by_hand, &later).await.is_empty(), "{column}");
        let earlier = format!("UPDATE sessions SET {column} = {column} - 1");
        assert_eq!(
            told(&mut by_hand, &earlier).await,
            *std::slice::from_ref(&session)
        );
    }
}

#[rocket::async_test]
async fn a_revoke_of_everyone_is_told_in_one_row() {
    let app = TestApp::start().await;
    app.many_signed_in("alice", 3).await;
    let before = app.sql("SELECT count(*) || '' FROM invalidations").await;
    let ended = sessions::revoke_everyone(&app.app, &Actor::operator(), None).await;
    assert_eq!(ended.expect("a database"), 3);
    let after = app
        .sql("SELECT count(*) || '' FROM invalidations WHERE key IS NOT NULL")
        .await;
    assert_eq!(after, before);
    assert_eq!(
        app.sql("SELECT count(*) || '' FROM invalidations WHERE key IS NULL")
            .await,
        ["1"]
    );
    assert_eq!(app.sql("SELECT active || '' FROM bulk_change").await, ["0"]);
}

#[rocket::async_test]
async fn what_the_server_has_seen_is_removed() {
    let (app, _) = started().await;
    let mut bob = app.signed_in("bob").await;
    assert_eq!(bob.clone().post("/logout", &[]).await.status, 303);
    let left = "SELECT count(*) || '' FROM invalidations";
    assert_ne!(app.sql(left).await, ["0"]);
    while app.sql(left).await != ["0"] {
        bob.session().await;
        for (_, work) in app.app.housekeeping() {
            app.app.attempt(*work).await;
        }
    }
}
