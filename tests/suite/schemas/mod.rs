//! The schemas of both engines: one list of migrations, which make the same.

mod rows;
mod shape;

use sqlx::migrate::Migrator;

use crate::support::engine::{self, Engine};
use crate::support::postgres;
pub use rows::ROWS;
use shape::{is_shared, rows, shape};

/// The migrations of a folder, up and down.
async fn migrations(folder: &str) -> Vec<(i64, String, &'static str)> {
    let migrator = Migrator::new(std::path::Path::new(folder)).await;
    let migrations = migrator.expect("migrations");
    let listed = migrations.iter();
    listed
        .map(|m| {
            (
                m.version,
                m.description.to_string(),
                m.migration_type.suffix(),
            )
        })
        .collect()
}

fn versions() -> impl DoubleEndedIterator<Item = i64> {
    ROWS.iter().map(|(version, _)| *version)
}

/// With rows in every table.
async fn filled() -> Vec<Engine> {
    let mut engines = Engine::each().await;
    for engine in &mut engines {
        fill(engine, i64::MAX).await;
    }
    engines
}

/// The rows of the tables that there are at a version.
pub async fn fill(engine: &mut Engine, version: i64) {
    let known = ROWS.iter().filter(|(of, _)| *of <= version);
    for row in known.flat_map(|(_, rows)| *rows) {
        engine.execute(row).await;
    }
}

#[rocket::async_test]
async fn there_are_the_same_migrations_for_both_engines() {
    let (sqlite, postgres) = (
        migrations(engine::MIGRATIONS).await,
        migrations(postgres::MIGRATIONS).await,
    );
    assert_eq!(sqlite, postgres);
    let mut known: Vec<i64> = sqlite.iter().map(|(version, ..)| *version).collect();
    assert_eq!(known.len(), 2 * ROWS.len(), "each goes up and down");
    known.dedup();
    assert!(known.into_iter().eq(versions()), "each schema has rows");
}

#[rocket::async_test]
async fn each_migration_makes_the_same_on_both_engines() {
    let mut engines = Engine::each_empty().await;
    for version in versions() {
        let mut shapes = Vec::new();
        for engine in &mut engines {
            engine.migrate(version).await;
            let mut shape = shape(engine).await;
            shape.retain(|line| is_shared(line));
            assert!(shape.len() > 50, "{shape:#?}");
            shapes.push(shape);
        }
        for two in shapes.windows(2) {
            let differing: Vec<_> = two[0].symmetric_difference(&two[1]).collect();
            assert!(differing.is_empty(), "{version}: {differing:#?}");
        }
    }
}

#[rocket::async_test]
async fn each_migration_goes_down_and_up_over_filled_tables_without_losing_rows_of_others() {
    for mut engine in Engine::each_empty().await {
        let mut shapes = vec![(0, shape(&mut engine).await)];
        for version in versions() {
            engine.migrate(version).await;
            shapes.push((version, shape(&mut engine).await));
        }
        fill(&mut engine, i64::MAX).await;
        let filled = rows(&mut engine).await;
        let empty = filled.iter().find(|(_, count)| count == "0");
        assert_eq!(empty, None, "{}", engine.name());
        let mut before = filled;
        let (_, latest) = shapes.pop().expect("a schema");
        for (version, earlier) in shapes.into_iter().rev() {
            engine.revert(version).await;
            assert_eq!(shape(&mut engine).await, earlier, "{}", engine.name());
            let left = rows(&mut engine).await;
            for row in &left {
                assert!(before.contains(row), "{row:?} after {version}");
            }
            before = left;
        }
        assert_eq!(before, [], "the first one takes all tables along");
        engine.migrate(i64::MAX).await;
        assert_eq!(shape(&mut engine).await, latest, "{}", engine.name());
    }
}

#[rocket::async_test]
async fn both_engines_take_and_refuse_the_same_rows() {
    for mut engine in filled().await {
        for wrong in [
            "UPDATE users SET username = 'guest'",
            "UPDATE users SET admin = NULL",
            "UPDATE sessions SET id = id(1)",
            "UPDATE sessions SET ended_at = NULL",
            "UPDATE sessions SET end_reason = 'idle' WHERE ended_at IS NULL",
            "UPDATE sessions SET user_id = id(9)",
            "UPDATE sessions SET token_hash = substr(token_hash, 2) WHERE ended_at IS NOT NULL",
            "UPDATE site_secrets SET secret_hash = substr(secret_hash, 2)",
            "UPDATE site_secrets SET token_hash = hash(9)",
            "UPDATE tickets SET ticket_hash = substr(ticket_hash, 2)",
            "UPDATE rules SET effect = 'maybe'",
            "UPDATE former_sessions SET user_id = id(1)",
            "UPDATE totp SET user_id = id(9)",
            "UPDATE recovery_codes SET hash = hash(23)",
            "UPDATE trusted_devices SET session_id = id(9)",
            "UPDATE sites SET factors = 3",
            "UPDATE rules SET factors = 0",
            "UPDATE grants SET ended_at = 1",
            "UPDATE codes SET grant_id = id(9)",
            "UPDATE clients SET consent = 'maybe'",
            "UPDATE client_uris SET kind = 'other'",
            "UPDATE imported_secrets SET client_id = 'other'",
            "UPDATE invitations SET uses_left = 0",
            "UPDATE invitation_links SET hash = substr(hash, 2)",
            "UPDATE invitation_groups SET group_name = 'nobody'",
            "INSERT INTO memberships VALUES (id(1), 'nobody')",
            "INSERT INTO groups VALUES (NULL)",
        ] {
            let refused = engine.try_execute(wrong).await;
            assert!(refused.is_err(), "{}: {wrong}", engine.name());
        }
        // A user's sessions are kept before it is said who the user was.
        engine
            .execute(
                "BEGIN; UPDATE former_sessions SET user_id = id(7); INSERT INTO former_users VALUES (id(7), 'late', 1); COMMIT;
                 DELETE FROM users; DELETE FROM sites",
            )
            .await;
        let rows = rows(&mut engine).await.into_iter();
        let empty: Vec<String> = rows
            .filter(|(table, count)| count == "0" && is_shared(table))
            .map(|(table, _)| table)
            .collect();
        let gone = [
            "access_tokens",
            "app_tokens",
            "approvals",
            "codes",
            "consents",
            "departures",
            "grants",
            "invitation_groups",
            "invitation_links",
            "invitations",
            "learning",
            "links",
            "mails",
            "memberships",
            "muted_notices",
            "notices",
            "passkeys",
            "pending_sign_ins",
            "recovery_codes",
            "refresh_tokens",
            "rules",
            "sessions",
            "site_secrets",
            "sites",
            "tickets",
            "totp",
            "tried_uris",
            "trusted_devices",
            "users",
        ];
        assert_eq!(empty, gone, "{}", engine.name());
    }
}

#[rocket::async_test]
async fn texts_to_be_searched_are_the_same_on_both_engines() {
    for mut engine in filled().await {
        let texts = "SELECT search FROM users ORDER BY search";
        assert_eq!(
            engine.texts(texts).await,
            ["guest||", "owner|the Öwner|owner@example.net"],
            "{}",
            engine.name()
        );
    }
}

/// Whatever the order of the database is.
#[rocket::async_test]
async fn texts_are_compared_byte_by_byte() {
    for mut engine in filled().await {
        engine
            .execute("DELETE FROM groups; INSERT INTO groups VALUES ('a_c'), ('aa'), ('B'), ('a-b'), ('ä'), ('a.d')")
            .await;
        let sorted = engine.texts("SELECT name FROM groups ORDER BY name").await;
        assert_eq!(sorted, ["B", "a-b", "a.d", "a_c", "aa", "ä"]);
        if let Engine::Postgres(..) = engine {
            let other = "SELECT table_name || '.' || column_name FROM information_schema.columns
                         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'";
            assert_eq!(engine.texts(other).await, [""; 0]);
        }
    }
}

#[rocket::async_test]
async fn the_last_name_of_users_who_were_deleted_before_names_were_kept_is_taken_from_the_audit_trail()
 {
    for mut engine in Engine::each_empty().await {
        let before = 20_261_125_000_000;
        engine.migrate(before).await;
        for (id, at, name) in [(1, 5, "alice"), (2, 9, "robert"), (3, 7, "bob")] {
            let user = if id == 1 { 1 } else { 2 };
            engine
                .execute(&format!(
                    "INSERT INTO audit (id, at, event, result, source, user_id, username) VALUES (id({id}), {at}, 'user_delete', 'ok', 'cli', id({user}), '{name}')"
                ))
                .await;
        }
        engine.migrate(i64::MAX).await;
        let former = "SELECT username || ' ' || deleted_at FROM former_users ORDER BY id";
        assert_eq!(
            engine.texts(former).await,
            ["alice 5", "robert 9"],
            "{}",
            engine.name()
        );
    }
}
