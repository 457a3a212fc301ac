//! Upgrades of databases with rows in every table, from every schema that there was.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Row as _, SqliteConnection, ValueRef as _,
};

use super::*;
use crate::process::run;
use crate::schemas::{ROWS, fill};
use crate::support::engine::Engine;

/// A database of a program that knew the migrations up to `version` alone, filled.
fn of_version(version: i64) -> Machine {
    let machine = Machine::new();
    run(async {
        let connection = open(&machine.path("vestibule.db"), true).await;
        let mut engine = Engine::Sqlite(connection);
        engine.migrate(version).await;
        fill(&mut engine, version).await;
        engine.close().await;
    });
    machine
}

async fn open(path: &Path, create: bool) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create);
    SqliteConnection::connect_with(&options)
        .await
        .expect("a database")
}

/// A row's columns by their names.
type Row = BTreeMap<String, Option<Vec<u8>>>;

/// What stands in a database: the schema's versions, and each table's rows.
#[derive(Debug, PartialEq)]
struct Contents {
    versions: Vec<i64>,
    tables: BTreeMap<String, Vec<Row>>,
}

impl Contents {
    /// Of a database that is sound.
    fn of(path: &Path) -> Self {
        run(async {
            let mut connection = open(path, false).await;
            let faults = rows(&mut connection, "PRAGMA integrity_check").await;
            assert_eq!(faults[0]["integrity_check"].as_deref(), Some(&b"ok"[..]));
            assert!(
                rows(&mut connection, "PRAGMA foreign_key_check")
                    .await
                    .is_empty()
            );
            let versions =
                sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version");
            let versions = versions.fetch_all(&mut connection).await.expect("versions");
            let names: Vec<String> = sqlx::query_scalar(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'",
            )
            .fetch_all(&mut connection)
            .await
            .expect("a schema");
            let mut tables = BTreeMap::new();
            for name in names {
                let all = format!("SELECT * FROM {name}");
                tables.insert(name, rows(&mut connection, &all).await);
            }
            Self { versions, tables }
        })
    }

    /// All that was there before is there, column by column; but for what a server removes once it has seen it.
    fn hold(&self, before: &Self) {
        let kept = before.tables.iter();
        for (name, rows) in kept.filter(|(name, _)| *name != "invalidations") {
            let now = &self.tables[name];
            assert_eq!(now.len(), rows.len(), "{name}");
            for (now, row) in now.iter().zip(rows) {
                assert!(
                    row.iter()
                        .all(|(column, value)| now.get(column) == Some(value)),
                    "{name}: {now:?} {row:?}"
                );
            }
        }
    }
}

async fn rows(connection: &mut SqliteConnection, query: &str) -> Vec<Row> {
    let rows = sqlx::query(AssertSqlSafe(query.to_owned()))
        .fetch_all(connection)
        .await
        .expect("rows");
    let mut rows: Vec<Row> = rows.iter().map(columns).collect();
    rows.sort();
    rows
}

fn columns(row: &SqliteRow) -> Row {
    let columns = row.columns().iter().enumerate();
    columns
        .map(|(at, column)| {
            let null = row.try_get_raw(at).expect("a column").is_null();
            let bytes = || row.try_get_unchecked::<Vec<u8>, _>(at).expect("bytes");
            (column.name().to_owned(), (!null).then(bytes))
        })
        .collect()
}

fn copy_of(machine: &Machine, version: i64) -> PathBuf {
    machine.path(&format!("vestibule.db.before-migration-from-{version}"))
}

/// The schema of several nodes.
const NODES: i64 = 20_261_127_100_000;

#[test]
fn flt_10_an_upgrade_from_each_older_schema_keeps_every_row_and_a_copy() {
    let latest = Contents::of(&of_version(i64::MAX).path("vestibule.db")).versions;
    let filled: Vec<i64> = ROWS.iter().map(|(version, _)| *version).collect();
    assert_eq!(latest, filled, "each schema's tables have rows here");
    for version in &latest[..latest.len() - 1] {
        let machine = of_version(*version);
        let before = Contents::of(&machine.path("vestibule.db"));
        let empty = before.tables.iter().find(|(_, rows)| rows.is_empty());
        assert_eq!(empty, None);
        // From this one on, the rows say that the database has moved, and need a key: nothing is served.
        if *version < NODES {
            machine.start().kill();
        } else {
            machine.cli(&["db", "migrate"]).done();
        }
        let after = Contents::of(&machine.path("vestibule.db"));
        assert_eq!(after.versions, latest);
        // What a running server sweeps or writes by itself.
        let tables = before.tables.clone();
        let own = [
            "clock",
            "compatibility",
            "former_sessions",
            "sessions",
            "site_secrets",
            "tickets",
            "throttle",
        ];
        let kept = tables
            .into_iter()
            .filter(|(name, _)| !own.contains(&name.as_str()));
        after.hold(&Contents {
            versions: Vec::new(),
            tables: kept.collect(),
        });
        assert_eq!(
            Contents::of(&copy_of(&machine, *version)),
            before,
            "the copy is what was there"
        );
    }
}

/// Breaks the migration off at every write of it in turn, until one goes through.
fn at_every_write(fault: &str, told: impl Fn(&Ran) -> bool + Sync) {
    if !is_there("strace", "a migration may be broken off") {
        return;
    }
    let template = of_version(ROWS[0].0);
    let before = Contents::of(&template.path("vestibule.db"));
    let (next, done) = (AtomicUsize::new(1), AtomicBool::new(false));
    let work = || {
        while !done.load(Ordering::Relaxed) {
            let write = next.fetch_add(1, Ordering::Relaxed);
            let machine = Machine::new();
            fs::copy(template.path("vestibule.db"), machine.path("vestibule.db")).expect("a copy");
            if break_off_and_migrate(&machine, &before, &format!("{fault}:when={write}"), &told) {
                done.store(true, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    assert!(next.into_inner() > 40);
}

/// Whether it was not broken off at all.
fn break_off_and_migrate(
    machine: &Machine,
    before: &Contents,
    fault: &str,
    told: impl Fn(&Ran) -> bool,
) -> bool {
    let inject = format!("pwrite64:{fault}");
    let strace = failing(machine, &inject, &["db", "migrate"]).expect("strace");
    let ran = Ran::to_its_end(strace, b"");
    let went_through = ran.code == 0;
    assert!(went_through || told(&ran), "{fault}: {}", ran.err);
    let now = Contents::of(&machine.path("vestibule.db"));
    now.hold(before);
    let migrated = now.versions.len() == ROWS.len();
    assert!(
        migrated || now.versions == before.versions,
        "{fault}: {:?}",
        now.versions
    );
    let copy = copy_of(machine, ROWS[0].0);
    assert!(copy.exists() || !migrated, "{fault}: it is copied first");
    if copy.exists() {
        assert_eq!(&Contents::of(&copy), before, "{fault}");
    }
    machine.cli(&["db", "migrate"]).done();
    let done = Contents::of(&machine.path("vestibule.db"));
    done.hold(before);
    assert_eq!(done.versions.len(), ROWS.len());
    went_through
}

#[test]
fn flt_10_a_kill_at_any_write_of_a_migration_leaves_the_old_schema_or_the_new_one() {
    at_every_write("signal=KILL", |ran| ran.code == -1);
}

#[test]
fn flt_10_a_disk_that_is_full_at_any_write_of_a_migration_leaves_the_old_schema_or_the_new_one() {
    at_every_write("error=ENOSPC", |ran| ran.err.contains("full"));
}
