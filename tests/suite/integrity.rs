//! The integrity check of a database that is too large to be checked before the start.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use rocket::futures::future::join;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use vestibule::Timestamp;
use vestibule::foundation::db::{self, DatabaseFailure, Db, Location};

use crate::support::logged;

const DAY: Duration = Duration::from_secs(86_400);
const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

struct Large {
    /// Removed with the rest.
    _folder: TempDir,
    location: Location,
}

impl Large {
    /// A database with a row of a few hundred bytes for each record, or with few that are large.
    async fn with(records: u32, bytes: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("vestibule.db");
        let location = Location::parse(&path.to_string_lossy()).expect("a path");
        db::prepare(&location).await.expect("a database");
        let large = Self {
            _folder: folder,
            location,
        };
        let mut connection = large.connect().await;
        sqlx::query(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
             INSERT INTO audit (id, at, event, result, source, detail)
             SELECT randomblob(16), i, 'sign_in', 'ok', 'web', hex(randomblob($2)) FROM n",
        )
        .bind(records)
        .bind(bytes)
        .execute(&mut connection)
        .await
        .expect("records");
        connection.close().await.expect("a close");
        let size = fs::metadata(&path).expect("a file").len();
        assert!(size > 9 * 1024 * 1024, "{size}");
        large
    }

    fn path(&self) -> &Path {
        self.location.path().expect("a file")
    }

    async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path());
        SqliteConnection::connect_with(&options)
            .await
            .expect("a database")
    }

    async fn open(&self) -> Db {
        Db::open(&self.location, 1_000).await.expect("a database")
    }

    /// What is logged of the check between a start and a clean stop.
    async fn checked_at(&self, now: Timestamp) -> String {
        let db = self.open().await;
        let log = checked(&db, now).await;
        db.close().await;
        log
    }
}

async fn checked(db: &Db, now: Timestamp) -> String {
    let (outcome, log) = logged(db.check_integrity(now)).await;
    outcome.expect("a file that can be read");
    log
}

/// How many tables were to be checked, of how many.
fn tables(log: &str) -> (u32, u32) {
    let (_, counts) = log
        .split_once("integrity check of ")
        .unwrap_or_else(|| panic!("a check: {log}"));
    let mut words = counts.split(' ');
    let mut number = |nth| {
        words
            .nth(nth)
            .and_then(|word| word.parse().ok())
            .expect("a number")
    };
    (number(0), number(1))
}

#[rocket::async_test]
async fn flt_05_a_large_database_is_not_checked_again_within_a_week_of_clean_stops() {
    let large = Large::with(12, 500_000).await;
    let log = large.checked_at(NOW).await;
    assert!(log.contains("last stop was not clean"), "{log}");
    assert!(log.contains("the database is sound"), "{log}");
    for days in 1..7 {
        let log = large.checked_at(NOW.plus(days * DAY)).await;
        assert!(log.contains("no integrity check"), "{log}");
    }
    let log = large.checked_at(NOW.plus(7 * DAY)).await;
    let (due, all) = tables(&log);
    assert_eq!(due, all, "{log}");
    assert!(log.contains("for a week"), "{log}");
    assert!(log.contains("the database is sound"), "{log}");
    let log = large.checked_at(NOW).await;
    assert!(
        log.contains("integrity check of"),
        "what the future holds is unknown: {log}"
    );
}

#[rocket::async_test]
async fn flt_05_a_check_that_a_stop_cut_short_is_resumed() {
    let large = Large::with(30_000, 200).await;
    let db = large.open().await;
    let (log, ()) = join(checked(&db, NOW), db.close()).await;
    assert!(log.contains("stopped"), "{log}");
    let log = large.checked_at(NOW).await;
    let (due, all) = tables(&log);
    assert!(0 < due && due < all, "{log}");
    assert!(log.contains("the database is sound"), "{log}");
    let log = large.checked_at(NOW).await;
    assert!(log.contains("no integrity check"), "{log}");
}

#[rocket::async_test]
async fn flt_05_a_database_that_changed_while_it_was_closed_is_checked_again() {
    let large = Large::with(12, 500_000).await;
    large.checked_at(NOW).await;
    let mut connection = large.connect().await;
    sqlx::raw_sql("UPDATE audit SET at = 0")
        .execute(&mut connection)
        .await
        .expect("a change");
    connection.close().await.expect("a close");
    let log = large.checked_at(NOW).await;
    assert!(log.contains("has changed since"), "{log}");

    // A copy of the same bytes is on other sectors of the disk.
    let path = large.path();
    let copy = path.with_extension("copy");
    fs::copy(path, &copy).expect("a copy");
    fs::rename(&copy, path).expect("a rename");
    let log = large.checked_at(NOW).await;
    assert!(log.contains("has changed since"), "{log}");
}

#[rocket::async_test]
async fn flt_05_damage_to_any_table_or_index_of_a_large_database_is_found() {
    let large = Large::with(12, 500_000).await;
    large.checked_at(NOW).await;
    let mut connection = large.connect().await;
    let roots: Vec<(String, u32)> =
        sqlx::query_as("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0")
            .fetch_all(&mut connection)
            .await
            .expect("tables and indexes");
    connection.close().await.expect("a close");
    assert!(roots.len() > 30, "{roots:?}");
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(large.path())
        .expect("a file");
    for (name, root) in roots {
        let at = u64::from(root - 1) * 4096;
        let mut sound = [0; 8];
        file.read_exact_at(&mut sound, at).expect("a page");
        file.write_all_at(&[0xa5; 8], at).expect("a write");
        let db = large.open().await;
        let log = checked(&db, NOW).await;
        assert_eq!(
            db.failure(),
            Some(DatabaseFailure::Damaged),
            "{name}: {log}"
        );
        db.close().await;
        let log = large.checked_at(NOW).await;
        assert!(log.contains("integrity check of"), "it is forgotten: {log}");
        file.write_all_at(&sound, at).expect("a write");
    }
    let db = large.open().await;
    checked(&db, NOW).await;
    assert_eq!(db.failure(), None);
}
