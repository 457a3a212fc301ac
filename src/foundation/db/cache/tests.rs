use super::*;
use crate::foundation::db::{Db, Location, prepare};

/// A row's number, and what was read of it.
pub(super) struct Read(pub u8, pub u64);

impl Row for Read {
    fn key(&self) -> Key {
        key(self.0)
    }
}

pub(super) fn key(number: u8) -> Key {
    Key::Secret([number; 32])
}

fn row(number: u8) -> Arc<dyn Row> {
    Arc::new(Read(number, 0))
}

pub(super) fn asked(cache: &Cache, last_id: i64, changes: Changes) {
    cache.answered(Instant::now(), cache.doubts(), last_id, &changes);
}

fn keep(cache: &Cache, numbers: impl IntoIterator<Item = u8>) {
    cache.insert(cache.generation(), numbers.into_iter().map(row));
}

fn kept(cache: &Cache, numbers: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let snapshot = cache.snapshot();
    numbers
        .into_iter()
        .filter(|n| snapshot.get::<Read>(&key(*n)).is_some())
        .collect()
}

#[test]
fn a_full_cache_drops_what_was_not_used_of_its_older_half() {
    let cache = Cache::new(2);
    asked(&cache, 0, Changes::All);
    keep(&cache, 0..4);
    keep(&cache, 4..5);
    assert_eq!(kept(&cache, [1, 3]), [1, 3]);
    asked(&cache, 0, Changes::Keys(Vec::new()));
    keep(&cache, 5..8);
    assert_eq!(kept(&cache, 0..8), [1, 3, 4, 5, 6, 7]);
}

#[test]
fn a_reading_is_kept_but_for_what_was_changed_since_it_began() {
    let cache = Cache::new(10);
    asked(&cache, 0, Changes::All);
    let began = cache.generation();
    asked(&cache, 1, Changes::Keys(vec![key(1)]));
    cache.insert(began, [1, 2].map(row));
    assert_eq!(kept(&cache, 1..3), [2]);
}

#[test]
fn atk_03_a_reading_from_before_what_is_remembered_is_not_kept() {
    let cache = Cache::new(10);
    asked(&cache, 0, Changes::All);
    let began = cache.generation();
    for id in 0..=u16::try_from(REMEMBERED).expect("few") {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&id.to_le_bytes());
        asked(&cache, id.into(), Changes::Keys(vec![Key::Secret(bytes)]));
    }
    cache.insert(began, [row(9)]);
    assert!(kept(&cache, [9]).is_empty());
    keep(&cache, [9]);
    assert_eq!(kept(&cache, [9]), [9]);
}

#[test]
fn after_a_commit_that_may_happen_yet_nothing_is_answered_before_a_question_that_was_sent_later() {
    let cache = Cache::new(10);
    asked(&cache, 0, Changes::All);
    let doubts = cache.doubts();
    cache.suspend();
    cache.answered(Instant::now(), doubts, 0, &Changes::Keys(Vec::new()));
    assert!(cache.current().0.is_none());
    asked(&cache, 0, Changes::Keys(Vec::new()));
    assert!(cache.current().0.is_some());
}

/// After a fail-over the writer has no turn before a question has found it out.
#[rocket::async_test]
async fn a_question_is_asked_without_a_turn_too_and_settles_no_doubt() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vestibule.db");
    let location = Location::parse(&path.to_string_lossy()).expect("a path");
    prepare(&location).await.expect("a database");
    let db = Db::open(&location, 10).await.expect("a database");
    let turn = db.begin().await.expect("a turn");
    db.suspend_cache();
    db.ask().await.expect_err("the turn is another's");
    assert!(db.cache().last_id().is_some());
    assert!(db.cached().is_none());
    drop(turn);
}

#[test]
fn without_room_nothing_is_answered_and_nothing_asked() {
    let cache = Cache::new(0);
    asked(&cache, 0, Changes::All);
    let (snapshot, due) = cache.current();
    assert!(snapshot.is_none() && !due);
}
