use rocket::futures::FutureExt;
use tempfile::TempDir;

use crate::foundation::db::{self, Db, Location, Tx};

async fn database() -> (Db, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vestibule.db");
    let location = Location::parse(&path.to_string_lossy()).expect("a path");
    db::prepare(&location).await.expect("a database");
    let db = Db::open(&location, 10).await.expect("a database");
    (db, folder)
}

async fn groups(db: &Db) -> Vec<String> {
    let names = db.reader().query("SELECT name FROM groups ORDER BY name");
    names.scalars().await.expect("names")
}

const INSERT: &str = "INSERT INTO groups (name) VALUES ($1)";

/// Counts for a while before it inserts, so that it can be given up meanwhile.
const LONG_INSERT: &str = "WITH RECURSIVE counted (n) AS
         (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 300000)
     INSERT INTO groups (name) SELECT 'others' FROM counted WHERE n = 300000";

async fn add(tx: &mut Tx, group: &str) {
    let added = tx.query(INSERT).bind(group).execute().await;
    added.expect("a row");
}

#[rocket::async_test]
async fn what_was_written_beside_a_statement_that_failed_is_never_committed() {
    let (db, _folder) = database().await;
    let mut tx = db.begin().await.expect("a transaction");
    add(&mut tx, "staff").await;
    let swallowed = tx.query(INSERT).bind("staff").execute().await;
    assert!(swallowed.is_err());
    add(&mut tx, "others").await;
    let refused = tx.commit().await.expect_err("nothing is committed");
    assert!(refused.to_string().contains("not committed"), "{refused}");
    assert!(groups(&db).await.is_empty());
    let mut tx = db.begin().await.expect("a transaction");
    add(&mut tx, "staff").await;
    tx.commit().await.expect("a commit");
    assert_eq!(groups(&db).await, ["staff"]);
}

#[rocket::async_test]
async fn what_was_written_beside_a_statement_that_was_given_up_is_never_committed() {
    let (db, _folder) = database().await;
    let mut tx = db.begin().await.expect("a transaction");
    add(&mut tx, "staff").await;
    let given_up = tx.query(LONG_INSERT).execute().now_or_never();
    assert!(
        given_up.is_none(),
        "it was over before it could be given up"
    );
    assert!(tx.commit().await.is_err());
    assert!(groups(&db).await.is_empty());
}

#[rocket::async_test]
async fn a_snapshot_goes_on_to_read_what_there_was() {
    let (db, _folder) = database().await;
    let mut snapshot = db.reader().snapshot().await.expect("a snapshot");
    let count = "SELECT count(*) FROM groups";
    let before: i64 = snapshot.query(count).scalar().await.expect("a count");
    let mut tx = db.begin().await.expect("a transaction");
    add(&mut tx, "staff").await;
    tx.commit().await.expect("a commit");
    let after: i64 = snapshot.query(count).scalar().await.expect("a count");
    assert_eq!((before, after), (0, 0));
    assert_eq!(groups(&db).await, ["staff"]);
}

#[rocket::async_test]
async fn a_built_statement_binds_its_values_in_their_order() {
    let (db, _folder) = database().await;
    let mut sql = db.reader().build("SELECT ");
    sql.push_bind("a")
        .push(" || ")
        .push_bind("b")
        .push(" || ")
        .push_bind(None::<String>);
    let none: Option<String> = sql.build().scalar().await.expect("a row");
    assert_eq!(none, None);
    let mut sql = db.reader().build("SELECT ");
    sql.push_bind("a").push(" || ").push_bind("b");
    let both: String = sql.build().scalar().await.expect("a row");
    assert_eq!(both, "ab");
}
