//! One limiter for every path that checks a password or a code.
//!
//! Each user name and each address has a bucket of tries. A try is reserved before a hash is computed, so that parallel
//! tries cannot overrun the limit: in memory, or in the database where nodes share it. A failure is written before
//! it is answered, so that a restart forgets none. A bucket is one number, the moment at which it
//! is full again (the generic cell rate algorithm, ITU-T I.371): a failure moves it on by an interval.

mod store;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Db};
use crate::foundation::error::Error;
use crate::foundation::settings;

/// Rows a transaction, so that no other write waits long.
const BATCH: u32 = 500;

/// Removes the rows of buckets that are full again.
///
/// # Errors
/// The database failed; what is left is removed the next time.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<(), Error> {
    loop {
        let mut tx = db.begin().await?;
        let deleted = store::delete_full(&mut tx, now, BATCH).await?;
        tx.commit().await?;
        if deleted < u64::from(BATCH) {
            return Ok(());
        }
    }
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bucket {
    name: String,
    tries: u32,
    interval: Duration,
}

/// The tries that are being checked now, by bucket.
type InFlight = Arc<Mutex<HashMap<String, u32>>>;

/// The limiter of one service.
#[derive(Debug)]
pub struct Throttle {
    settings: settings::Throttle,
    in_flight: InFlight,
}

/// What a try was answered.
#[derive(Debug)]
pub enum Reserved {
    /// Go on, and say how it went: [`Reservation::failed`], or [`Reservation::succeeded`].
    Granted(Reservation),
    /// No try is left; one comes back after this long.
    Throttled { retry_after: Duration },
}

impl Throttle {
    #[must_use]
    pub fn new(settings: settings::Throttle) -> Self {
        Self {
            settings,
            in_flight: InFlight::default(),
        }
    }

    /// Reserves a try for `account`, coming from `address`.
    ///
    /// `known` says that this account has signed in from that address before: it then has a bucket
    /// of its own there, so that an attacker elsewhere cannot shut its owner out.
    ///
    /// # Errors
    /// The database failed; nothing is reserved then.
    pub async fn reserve(
        &self,
        db: &Db,
        now: Timestamp,
        account: Option<&str>,
        known: bool,
        address: IpAddr,
    ) -> Result<Reserved, Error> {
        let buckets = self.buckets(account, known, address);
        if db.nodes().is_some() {
            return take(db, now, buckets).await;
        }
        let mut slots = Vec::new();
        let mut retry_after = Duration::ZERO;
        for bucket in &buckets {
            // First the slot, then the count: a failure that is written meanwhile is seen in
            // one of them at least.
            let slot = Slot::take(&self.in_flight, &bucket.name);
            let full_at = store::full_at(db.reader(), &bucket.name)
                .await?
                .unwrap_or(now);
            retry_after = retry_after.max(bucket.wait(now, full_at, bucket.interval * slot.rank));
            slots.push(slot);
        }
        if retry_after > Duration::ZERO {
            return Ok(Reserved::Throttled { retry_after });
        }
        Ok(Reserved::Granted(Reservation {
            buckets,
            held: Held::InMemory(slots),
        }))
    }

    fn buckets(&self, account: Option<&str>, known: bool, address: IpAddr) -> Vec<Bucket> {
        let settings = &self.settings;
        let network = network(address);
        let by_address = Bucket {
            name: format!("address {network}"),
            tries: settings.address_tries,
            interval: settings.address_interval,
        };
        let by_account = account.map(|account| Bucket {
            name: account_bucket(account, known.then_some(&network)),
            tries: settings.account_tries,
            interval: settings.account_interval,
        });
        by_account.into_iter().chain([by_address]).collect()
    }
}

impl Bucket {
    /// Where tries are counted that are being checked now.
    fn in_flight(&self) -> String {
        format!("{} in flight", self.name)
    }

    /// How long until a try is free beside those in flight, this one among them: an interval at most, for that is when the
    /// first of them comes back.
    fn wait(&self, now: Timestamp, full_at: Timestamp, in_flight: Duration) -> Duration {
        let spent = full_at.since(now) + in_flight;
        spent
            .saturating_sub(self.interval * self.tries)
            .min(self.interval)
    }
}

/// Where nodes share the counts: a try is put into a bucket of those in flight before the hash is computed.
async fn take(db: &Db, now: Timestamp, buckets: Vec<Bucket>) -> Result<Reserved, Error> {
    let mut retry_after = Duration::ZERO;
    let mut tx = db.begin_apart().await?;
    for bucket in &buckets {
        // First the try, then the count: a failure that is written meanwhile is seen in one of them at least.
        let in_flight = store::take_try(&mut tx, &bucket.in_flight(), now, bucket.interval).await?;
        let full_at = store::full_at(&mut *tx, &bucket.name).await?.unwrap_or(now);
        retry_after = retry_after.max(bucket.wait(now, full_at, in_flight.since(now)));
    }
    if retry_after > Duration::ZERO {
        return Ok(Reserved::Throttled { retry_after });
    }
    tx.commit().await?;
    let held = Held::InDatabase;
    Ok(Reserved::Granted(Reservation { buckets, held }))
}

/// A try that may be made. Dropped without a word, as on a crash, it is given back: at once where it is in memory, with
/// its interval where it was taken from the database.
#[derive(Debug)]
pub struct Reservation {
    buckets: Vec<Bucket>,
    held: Held,
}

#[derive(Debug)]
enum Held {
    InMemory(#[expect(dead_code, reason = "held until it is dropped")] Vec<Slot>),
    InDatabase,
}

impl Reservation {
    /// Gives the try back, as for a check that was not made.
    ///
    /// # Errors
    /// The database failed; the try comes back with its interval.
    pub async fn release(self, db: &Db) -> Result<(), Error> {
        if let Held::InDatabase = self.held {
            let mut tx = db.begin_apart().await?;
            self.land(&mut tx).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// It is in flight no more.
    async fn land(&self, tx: &mut Connection) -> Result<(), Error> {
        if let Held::InDatabase = self.held {
            for bucket in &self.buckets {
                store::give_back(tx, &bucket.in_flight(), bucket.interval).await?;
            }
        }
        Ok(())
    }

    /// Writes that the try failed; says whether it was the last one for now.
    ///
    /// # Errors
    /// The database failed; the caller answers with an error then.
    pub async fn failed(&self, tx: &mut Connection, now: Timestamp) -> Result<bool, Error> {
        let mut exhausted = false;
        for bucket in &self.buckets {
            let full_at = store::take_try(tx, &bucket.name, now, bucket.interval).await?;
            exhausted |= bucket.wait(now, full_at, bucket.interval) > Duration::ZERO;
        }
        self.land(tx).await?;
        Ok(exhausted)
    }

    /// Forgets the account's failures. The address keeps its own: an attacker may have an account.
    ///
    /// # Errors
    /// The database failed.
    pub async fn succeeded(&self, tx: &mut Connection) -> Result<(), Error> {
        for bucket in &self.buckets {
            if bucket.name.starts_with("account ") {
                store::fill(tx, &bucket.name).await?;
            }
        }
        self.land(tx).await
    }
}

/// Names are hashed: people type passwords where names belong.
fn account_bucket(account: &str, network: Option<&String>) -> String {
    let digest = Sha256::digest(account.to_ascii_lowercase());
    let hex: String = digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    network.map_or_else(
        || format!("account {hex}"),
        |network| format!("account {hex} at {network}"),
    )
}

/// Whether an address, as it is stored with a session, counts as this one.
#[must_use]
pub fn is_one(stored: &str, address: IpAddr) -> bool {
    stored
        .parse()
        .is_ok_and(|stored| network(stored) == network(address))
}

/// One IPv4 address, or the /64 that an IPv6 customer is given.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => ipnet::Ipv6Net::new(v6, 64)
            .map_or_else(|_| v6.to_string(), |net| net.trunc().to_string()),
    }
}

/// One try in flight; leaves when it is dropped.
#[derive(Debug)]
struct Slot {
    in_flight: InFlight,
    bucket: String,
    /// 1 for the first in flight.
    rank: u32,
}

impl Slot {
    fn take(in_flight: &InFlight, bucket: &str) -> Self {
        let mut map = in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let rank = map.entry(bucket.to_owned()).or_default();
        *rank += 1;
        Self {
            in_flight: in_flight.clone(),
            bucket: bucket.to_owned(),
            rank: *rank,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut map = self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = map.entry(std::mem::take(&mut self.bucket)) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}
