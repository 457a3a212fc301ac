//! What the triggers tell of changes, for the cache to drop: in whatever program a row is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use vestibule::foundation::audit::Actor;
use vestibule::sessions;

use crate::schemas::fill;
use crate::support::TestApp;
use crate::support::engine::Engine;
use crate::support::postgres::Database;

/// The tables whose rows are kept in memory.
const KEPT: [&str; 8] = [
    "sessions",
    "users",
    "memberships",
    "totp",
    "passkeys",
    "site_secrets",
    "app_tokens",
    "policy",
];

/// Columns that are never in memory, or may change there before they do in the database.
const UNTOLD: [&str; 35] = [
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
    "totp.secret",
    "totp.key_id",
    "totp.created_at",
    "totp.last_step",
    "totp.failures",
    "passkeys.id",
    "passkeys.credential_id",
    "passkeys.public_key",
    "passkeys.algorithm",
    "passkeys.counter",
    "passkeys.aaguid",
    "passkeys.transports",
    "passkeys.rp_id",
    "passkeys.name",
    "passkeys.backup_eligible",
    "passkeys.backed_up",
    "passkeys.created_at",
    "passkeys.last_used_at",
    "app_tokens.name",
    "app_tokens.created_at",
    "app_tokens.created_by",
    "app_tokens.last_used_at",
    "app_tokens.last_address",
];

/// A user in a group, with a session and its secret at a site, in each engine; keys refer to nothing by force, so
/// that each may be changed alone.
async fn started() -> Vec<Engine> {
    let mut engines = Engine::each().await;
    for engine in &mut engines {
        fill(engine, i64::MAX).await;
        engine
            .execute("DELETE FROM users WHERE username = 'guest'; DELETE FROM groups WHERE name = 'staff'")
            .await;
        engine.free_keys().await;
    }
    engines
}

/// The keys that statements leave behind, in hex.
async fn told(engine: &mut Engine, statements: &str) -> Vec<String> {
    engine.execute("BEGIN; DELETE FROM invalidations").await;
    engine.execute(statements).await;
    let hex = engine.hex("key");
    let keys = format!("SELECT coalesce({hex}, 'all') FROM invalidations ORDER BY 1");
    let keys = engine.texts(&keys).await;
    engine.execute("ROLLBACK").await;
    keys
}

async fn key(engine: &mut Engine, table: &str) -> String {
    let (key, table) = match table {
        "sessions" => ("token_hash", "sessions"),
        "users" | "memberships" | "totp" | "passkeys" => ("id", "users"),
        "app_tokens" => ("hash", "app_tokens"),
        "site_secrets" => ("secret_hash", "site_secrets"),
        _ => return "706F6C696379".to_owned(),
    };
    let key = engine.hex(key);
    let keys = engine.texts(&format!("SELECT {key} FROM {table}")).await;
    keys.into_iter().next().expect("a key")
}

async fn columns(engine: &mut Engine, table: &str) -> Vec<(String, String)> {
    let columns = match engine {
        Engine::Sqlite(_) => {
            format!("SELECT name || ' ' || type FROM pragma_table_xinfo('{table}')")
        }
        Engine::Postgres(..) => format!(
            "SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_name = '{table}' AND table_schema = 'public'"
        ),
    };
    let columns = engine.texts(&columns).await.into_iter();
    let parts = columns.map(|column| {
        let (name, kind) = column.split_once(' ').expect("a name and a type");
        (name.to_owned(), kind.to_lowercase())
    });
    parts.collect()
}

fn change(table: &str, column: &str, kind: &str) -> String {
    let other = match (column, kind) {
        ("ended_at", _) => "1, end_reason = 'revoked'".to_owned(),
        (
            "remember"
            | "admin"
            | "email_verified"
            | "must_change_password"
            | "trusted"
            | "two_factor"
            | "backup_eligible"
            | "backed_up",
            _,
        ) => format!("NOT {column}"),
        ("disabled_at" | "expires_at" | "revoked_at" | "last_used_at", _) => "77".to_owned(),
        ("sites" | "last_address", _) => "'x'".to_owned(),
        ("token_hash" | "secret_hash" | "hash", _) => "hash(40)".to_owned(),
        (_, "bytea") => "hash(40)".to_owned(),
        (_, "blob" | "uuid") => "id(9)".to_owned(),
        (_, "integer" | "bigint") => format!("{column} + 1"),
        _ => format!("{column} || 'x'"),
    };
    format!("UPDATE {table} SET {column} = {other}")
}

#[rocket::async_test]
async fn atk_05_a_change_of_whatever_may_be_in_memory_is_told_by_the_key_of_the_old_row() {
    let mut on_each = Vec::new();
    for mut engine in started().await {
        let mut on_this = BTreeMap::new();
        for table in KEPT {
            let key = key(&mut engine, table).await;
            for (column, kind) in columns(&mut engine, table).await {
                let name = format!("{table}.{column}");
                if name == "users.search" {
                    continue;
                }
                let told = told(&mut engine, &change(table, &column, &kind)).await;
                assert_eq!(
                    told.contains(&key),
                    !UNTOLD.contains(&&*name),
                    "{}: {name}: {told:?}",
                    engine.name()
                );
                on_this.insert(name, told);
            }
            let told = told(&mut engine, &format!("DELETE FROM {table}")).await;
            assert_eq!(
                told.contains(&key),
                table != "policy",
                "{}: DELETE FROM {table}",
                engine.name()
            );
            on_this.insert(format!("DELETE FROM {table}"), told);
        }
        on_each.push(on_this);
    }
    for two in on_each.windows(2) {
        assert_eq!(two[0], two[1], "both engines tell the same");
    }
}

#[rocket::async_test]
async fn what_goes_with_a_user_is_told() {
    for mut engine in Engine::each().await {
        fill(&mut engine, i64::MAX).await;
        let delete = "DELETE FROM users WHERE username = 'owner'";
        let mut told = told(&mut engine, delete).await;
        told.dedup();
        let [session, secret, token] = [1, 3, 31].map(|n| format!("{n:064X}"));
        assert_eq!(told, [session, secret, token, format!("{:032}", 1)]);
    }
}

#[rocket::async_test]
async fn a_row_that_sqlite_replaces_is_told() {
    for mut engine in started().await {
        let Engine::Sqlite(_) = engine else { continue };
        for table in [
            "sessions",
            "users",
            "site_secrets",
            "passkeys",
            "app_tokens",
        ] {
            let key = key(&mut engine, table).await;
            let columns: Vec<String> = columns(&mut engine, table)
                .await
                .into_iter()
                .map(|(name, _)| name)
                .filter(|name| name != "search")
                .collect();
            let columns = columns.join(", ");
            let replace = format!("REPLACE INTO {table} ({columns}) SELECT {columns} FROM {table}");
            let mut told = told(&mut engine, &replace).await;
            told.dedup();
            assert_eq!(told, [key], "{table}");
        }
    }
}

#[rocket::async_test]
async fn each_table_that_postgresql_truncates_is_told() {
    for mut engine in started().await {
        let Engine::Postgres(..) = engine else {
            continue;
        };
        for (table, with_those_that_refer_to_it) in [
            ("users", 7),
            ("sessions", 2),
            ("memberships", 1),
            ("site_secrets", 1),
            ("totp", 1),
            ("passkeys", 1),
            ("app_tokens", 1),
        ] {
            let told = told(&mut engine, &format!("TRUNCATE {table} CASCADE")).await;
            assert_eq!(told, vec!["all"; with_those_that_refer_to_it], "{table}");
        }
    }
}

#[rocket::async_test]
async fn a_new_group_is_told_as_a_change_of_its_member() {
    for mut engine in started().await {
        let member = key(&mut engine, "users").await;
        let joined = "INSERT INTO memberships (user_id, group_name) SELECT id, 'other' FROM users";
        assert_eq!(told(&mut engine, joined).await, [member]);
    }
}

#[rocket::async_test]
async fn a_use_is_not_told_and_one_that_is_set_back_is() {
    for mut engine in started().await {
        let session = key(&mut engine, "sessions").await;
        for column in ["last_seen_at", "idle_expires_at"] {
            let later = format!("UPDATE sessions SET {column} = {column} + 1");
            assert!(told(&mut engine, &later).await.is_empty(), "{column}");
            let earlier = format!("UPDATE sessions SET {column} = {column} - 1");
            assert_eq!(
                told(&mut engine, &earlier).await,
                *std::slice::from_ref(&session)
            );
        }
    }
}

#[rocket::async_test]
async fn in_a_change_of_many_sessions_none_is_told_and_other_rows_are() {
    for mut engine in started().await {
        let user = key(&mut engine, "users").await;
        let many = "UPDATE bulk_change SET active = TRUE;
                    UPDATE sessions SET ended_at = 1, end_reason = 'revoked';
                    UPDATE users SET disabled_at = 1; DELETE FROM sessions";
        assert_eq!(told(&mut engine, many).await, [user], "{}", engine.name());
    }
}

/// The tables are found though names without a schema mean nothing here.
#[rocket::async_test]
async fn a_change_with_another_search_path_of_postgresql_is_told() {
    for mut engine in started().await {
        let Engine::Postgres(..) = engine else {
            continue;
        };
        let key = key(&mut engine, "sessions").await;
        let elsewhere = "SET LOCAL search_path = '';
                         UPDATE public.sessions SET ended_at = 1, end_reason = 'revoked';
                         SET LOCAL search_path = public";
        assert_eq!(told(&mut engine, elsewhere).await, [key]);
    }
}

/// The keys that were written since the transaction `oldest`, and which one a later reading goes on from.
async fn since(reader: &mut Engine, oldest: &str) -> (String, Vec<String>) {
    let oldest_now = "SELECT pg_snapshot_xmin(pg_current_snapshot())::TEXT";
    let keys = format!(
        "SELECT encode(key, 'escape') FROM invalidations WHERE txid >= '{oldest}' ORDER BY 1"
    );
    let oldest = reader.texts(oldest_now).await.remove(0);
    (oldest, reader.texts(&keys).await)
}

/// Its id is below that of a change that is seen before it.
#[rocket::async_test]
async fn a_change_that_postgresql_commits_late_is_found_by_its_transaction() {
    let Some(database) = Database::migrated().await else {
        return;
    };
    let database = Arc::new(database);
    let engine = async || Engine::Postgres(database.connect().await, database.clone());
    let (mut early, mut late, mut reader) = (engine().await, engine().await, engine().await);
    let (oldest, none) = since(&mut reader, "0").await;
    assert!(none.is_empty());
    let write = |key| format!("INSERT INTO invalidations (key) VALUES ('{key}')");
    late.execute(&format!("BEGIN; {}", write("late"))).await;
    early.execute(&write("early")).await;
    let (oldest, seen) = since(&mut reader, &oldest).await;
    assert_eq!(seen, ["early"]);
    late.execute("COMMIT").await;
    let (_, seen) = since(&mut reader, &oldest).await;
    assert!(seen.contains(&"late".to_owned()), "{seen:?}");
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
    let active = "SELECT CASE WHEN active THEN 'active' ELSE 'over' END FROM bulk_change";
    assert_eq!(app.sql(active).await, ["over"]);
}

#[rocket::async_test]
async fn what_the_server_has_seen_is_removed() {
    let app = TestApp::start().await;
    app.site("app.example.com", "signed-in", &[]).await;
    let mut bob = app.signed_in("bob").await;
    assert_eq!(bob.clone().post("/logout", &[]).await.status, 303);
    let left = "SELECT count(*) || '' FROM invalidations";
    assert_ne!(app.sql(left).await, ["0"]);
    while app.sql(left).await != ["0"] {
        bob.session().await;
        vestibule::sweep(&app.app).await.expect("a database");
    }
}
