//! Look-ups that wait together are answered by one query.
//!
//! One that is alone goes straight to the database. What arrives while a query is under way waits for the next one, never
//! for this: its answer could be older than a change that was acknowledged before the look-up arrived.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocket::futures::future::BoxFuture;
use rocket::tokio::runtime::Handle;
use rocket::tokio::sync::oneshot;

/// How many keys a query takes at most; see [`for_keys`].
const TOGETHER: usize = 32;

/// Finds something for each key, in their order.
type Find<K, V> = dyn Fn(Vec<K>) -> BoxFuture<'static, Result<Vec<V>, sqlx::Error>> + Send + Sync;

/// A look-up that many ask for at once.
pub struct Gather<K: 'static, V: 'static>(Arc<Shared<K, V>>);

struct Shared<K: 'static, V: 'static> {
    find: Box<Find<K, V>>,
    queue: Mutex<Queue<K, V>>,
}

struct Queue<K, V> {
    is_asking: bool,
    waiting: Vec<(K, Sender<V>)>,
}

type Sender<V> = oneshot::Sender<Result<V, sqlx::Error>>;

impl<K: Send, V: Send> Gather<K, V> {
    /// `find` asks the database once, and gives an answer for each key, in their order.
    pub fn new(
        find: impl Fn(Vec<K>) -> BoxFuture<'static, Result<Vec<V>, sqlx::Error>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            find: Box::new(find),
            queue: Mutex::new(Queue {
                is_asking: false,
                waiting: Vec::new(),
            }),
        }))
    }

    /// # Errors
    /// The database failed.
    pub async fn find(&self, key: K) -> Result<V, sqlx::Error> {
        match self.line_up(key) {
            Place::First(key) => {
                let found = Turn(self.0.clone()).find(vec![key]).await?;
                found.into_iter().next().ok_or(sqlx::Error::RowNotFound)
            }
            Place::Later(answer) => answer.await.unwrap_or_else(|_| Err(given_up())),
        }
    }

    fn line_up(&self, key: K) -> Place<K, V> {
        let mut queue = self.0.queue();
        if !queue.is_asking {
            queue.is_asking = true;
            return Place::First(key);
        }
        let (sender, answer) = oneshot::channel();
        queue.waiting.push((key, sender));
        Place::Later(answer)
    }
}

/// No query is under way, or the next one brings the answer.
enum Place<K, V> {
    First(K),
    Later(oneshot::Receiver<Result<V, sqlx::Error>>),
}

impl<K, V> Shared<K, V> {
    fn queue(&self) -> MutexGuard<'_, Queue<K, V>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one query that is under way. When it ends, in whatever way, those that wait have the next.
struct Turn<K: Send + 'static, V: Send + 'static>(Arc<Shared<K, V>>);

impl<K: Send, V: Send> Turn<K, V> {
    async fn find(self, keys: Vec<K>) -> Result<Vec<V>, sqlx::Error> {
        (self.0.find)(keys).await
    }

    async fn answer(self, waiting: Vec<(K, Sender<V>)>) {
        let (keys, senders): (Vec<K>, Vec<_>) = waiting.into_iter().unzip();
        match self.find(keys).await {
            Ok(found) => {
                for (sender, found) in senders.into_iter().zip(found) {
                    let _ = sender.send(Ok(found));
                }
            }
            Err(error) => {
                let text = error.to_string();
                let mut first = Some(error);
                for sender in senders {
                    let error = first.take();
                    let again = || io::Error::other(text.clone()).into();
                    let _ = sender.send(Err(error.unwrap_or_else(again)));
                }
            }
        }
    }
}

impl<K: Send, V: Send> Drop for Turn<K, V> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        let most = queue.waiting.len().min(TOGETHER);
        let next: Vec<_> = queue.waiting.drain(..most).collect();
        queue.is_asking = !next.is_empty();
        drop(queue);
        if next.is_empty() {
            return;
        }
        let turn = Self(self.0.clone());
        // At the end of the program nobody is left to ask.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(turn.answer(next));
        }
    }
}

fn given_up() -> sqlx::Error {
    io::Error::other("the look-up was given up").into()
}

/// A statement with a list of keys between two parts of it, in the three sizes that are prepared.
macro_rules! for_keys {
    ($before:expr, $after:expr) => {
        [
            concat!($before, "$1", $after),
            concat!($before, "$1, $2, $3, $4, $5, $6, $7, $8", $after),
            concat!(
                $before,
                "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
                 $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32",
                $after
            ),
        ]
    };
}
pub(crate) use for_keys;

/// The smallest of [`for_keys`] that has room for the keys, and how many those are. The rest is bound to NULL, which
/// no key is equal to.
pub(crate) fn sized(statements: &[&'static str; 3], keys: usize) -> (&'static str, usize) {
    match keys {
        0..=1 => (statements[0], 1),
        2..=8 => (statements[1], 8),
        _ => (statements[2], TOGETHER),
    }
}

#[cfg(test)]
mod tests {
    use rocket::futures::FutureExt;
    use rocket::futures::future::join_all;
    use rocket::tokio::sync::Semaphore;

    use super::*;

    /// Answers each key with itself, and an error where one is 0, once it may go on; notes what was asked together.
    #[derive(Default)]
    struct Database {
        asked: Mutex<Vec<Vec<u32>>>,
    }

    fn gather() -> (Gather<u32, u32>, Arc<Database>, Arc<Semaphore>) {
        let database = Arc::<Database>::default();
        let may_go_on = Arc::new(Semaphore::new(0));
        let (asked, permits) = (database.clone(), may_go_on.clone());
        let gather = Gather::new(move |keys: Vec<u32>| {
            let permits = permits.clone();
            asked.asked.lock().expect("no panic").push(keys.clone());
            Box::pin(async move {
                permits.acquire().await.expect("open").forget();
                if keys.contains(&0) {
                    return Err(sqlx::Error::PoolTimedOut);
                }
                Ok(keys)
            })
        });
        (gather, database, may_go_on)
    }

    impl Database {
        fn asked(&self) -> Vec<Vec<u32>> {
            self.asked.lock().expect("no panic").clone()
        }
    }

    #[rocket::async_test]
    async fn one_that_is_alone_goes_straight() {
        let (gather, database, may_go_on) = gather();
        may_go_on.add_permits(2);
        assert_eq!(gather.find(1).await.expect("an answer"), 1);
        assert_eq!(gather.find(2).await.expect("an answer"), 2);
        assert_eq!(database.asked(), [vec![1], vec![2]]);
    }

    #[rocket::async_test]
    async fn atk_03_what_arrives_meanwhile_waits_for_the_next_query_even_for_an_equal_key() {
        let (gather, database, may_go_on) = gather();
        let mut first = Box::pin(gather.find(1));
        assert!(first.as_mut().now_or_never().is_none());
        let mut later = Box::pin(join_all([1, 2, 3].map(|key| gather.find(key))));
        assert!(later.as_mut().now_or_never().is_none());
        assert_eq!(database.asked(), [vec![1]]);
        may_go_on.add_permits(2);
        assert_eq!(first.await.expect("an answer"), 1);
        let later: Vec<u32> = later
            .await
            .into_iter()
            .map(|found| found.expect("an answer"))
            .collect();
        assert_eq!(later, [1, 2, 3]);
        assert_eq!(database.asked(), [vec![1], vec![1, 2, 3]]);
    }

    #[rocket::async_test]
    async fn a_query_takes_no_more_keys_than_its_statement_has_room_for() {
        let (gather, database, may_go_on) = gather();
        let keys = 1..=u32::try_from(TOGETHER).expect("few") + 2;
        let mut all = Box::pin(join_all(keys.map(|key| gather.find(key))));
        assert!(all.as_mut().now_or_never().is_none());
        may_go_on.add_permits(3);
        assert!(all.await.iter().all(Result::is_ok));
        let sizes: Vec<usize> = database.asked().iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, TOGETHER, 1]);
    }

    #[rocket::async_test]
    async fn a_look_up_that_is_given_up_hands_its_turn_on() {
        let (gather, database, may_go_on) = gather();
        let mut first = Box::pin(gather.find(1));
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(gather.find(2));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        may_go_on.add_permits(1);
        assert_eq!(second.await.expect("an answer"), 2);
        assert_eq!(database.asked(), [vec![1], vec![2]]);
    }

    #[rocket::async_test]
    async fn an_error_reaches_everyone_who_waits_and_the_next_are_asked_anew() {
        let (gather, _, may_go_on) = gather();
        let mut first = Box::pin(gather.find(1));
        assert!(first.as_mut().now_or_never().is_none());
        let mut failing = Box::pin(join_all([0, 2].map(|key| gather.find(key))));
        assert!(failing.as_mut().now_or_never().is_none());
        may_go_on.add_permits(3);
        first.await.expect("an answer");
        assert!(failing.await.iter().all(Result::is_err));
        assert_eq!(gather.find(4).await.expect("an answer"), 4);
    }

    #[test]
    fn statements_have_room_for_each_number_of_keys() {
        let statements = for_keys!("IN (", ")");
        for keys in 1..=TOGETHER {
            let (statement, size) = sized(&statements, keys);
            assert!(size >= keys);
            assert!(statement.ends_with(&format!("${size})")), "{statement}");
        }
    }
}
