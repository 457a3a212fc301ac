//! Time, as an argument: everything that asks for the time is handed a [`Clock`].

mod monotonic;
mod store;
mod text;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::foundation::db::{Connection, Db};
use crate::foundation::error::Error;
pub use monotonic::ClockFault;
use monotonic::MonotonicClock;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A moment in UTC, kept as Unix microseconds: an integer sorts rightly in every database.
///
/// Shown and serialised as RFC 3339, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct Timestamp(pub(crate) i64);

impl Timestamp {
    /// This moment and `duration`; stays at the end of time instead of overflowing.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// This moment less `duration`; stays at the beginning of time instead of overflowing.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    #[must_use]
    pub const fn from_micros(unix_micros: i64) -> Self {
        Self(unix_micros)
    }

    /// Unix microseconds.
    #[must_use]
    pub fn unix_micros(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 time.
    ///
    /// # Errors
    /// The text is not RFC 3339.
    pub fn parse(text: &str) -> Result<Self, time::error::Parse> {
        let nanos = OffsetDateTime::parse(text, &Rfc3339)?.unix_timestamp_nanos();
        Ok(Self(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX)))
    }

    fn date_time(self) -> OffsetDateTime {
        let seconds = self.0.div_euclid(1_000_000);
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(if seconds < 0 {
            OffsetDateTime::UNIX_EPOCH
        } else {
            time::macros::datetime!(9999-12-31 23:59:59 UTC)
        })
    }

    /// The midnight of UTC that its day began with.
    #[must_use]
    pub fn start_of_day(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(micros(DAY))))
    }

    /// `2026-11-24`.
    #[must_use]
    pub fn date(self) -> String {
        self.date_time().date().to_string()
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.date_time().format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where the time comes from: the system, as far as it can be believed, or a test that moves it.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(Arc<System>),
    Manual(Arc<AtomicI64>),
}

#[derive(Debug)]
struct System {
    monotonic: Mutex<MonotonicClock>,
    /// What other nodes have told: what one has refused for its time, none takes a moment later.
    told_elsewhere: OnceLock<Arc<AtomicI64>>,
    /// Whether something was refused for its time since the time was written last.
    dirty: AtomicBool,
}

impl Clock {
    /// The system's clock. It never goes back, and a leap by months is believed only once it has
    /// lasted for an hour.
    #[must_use]
    pub fn system() -> Self {
        let monotonic = MonotonicClock::since(system_time(), Instant::now());
        Self(Source::System(Arc::new(System {
            monotonic: Mutex::new(monotonic),
            told_elsewhere: OnceLock::new(),
            dirty: AtomicBool::new(false),
        })))
    }

    /// Goes on from the last time that this database was told, by whatever process.
    ///
    /// # Errors
    /// The database failed.
    pub async fn resume(&self, db: &Db) -> Result<(), Error> {
        let mark = store::told(db.reader()).await?;
        if let (Source::System(system), Some(told)) = (&self.0, db.told()) {
            let _ = system.told_elsewhere.set(told);
        }
        if let Source::System(system) = &self.0
            && mark.0 > 0
        {
            *system.monotonic() = MonotonicClock::since(mark, Instant::now());
            system.now();
        }
        Ok(())
    }

    /// Takes the system's time for right, as when an operator puts an old database in place.
    pub fn trust_system(&self) {
        if let Source::System(system) = &self.0 {
            *system.monotonic() = MonotonicClock::since(system_time(), Instant::now());
        }
    }

    /// Writes what time it is, for [`Clock::resume`].
    ///
    /// # Errors
    /// The database failed.
    pub async fn persist(&self, tx: &mut Connection) -> Result<(), Error> {
        match &self.0 {
            Source::System(system) => Ok(store::keep(tx, system.now()).await?),
            Source::Manual(_) => Ok(()),
        }
    }

    /// Somebody was told that a session has ended by time: it stays so after a crash, too.
    pub(crate) fn mark_dirty(&self) {
        if let Source::System(system) = &self.0 {
            system.dirty.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the time must be written soon; not asked twice.
    pub(crate) fn take_dirty(&self) -> bool {
        match &self.0 {
            Source::System(system) => system.dirty.swap(false, Ordering::Relaxed),
            Source::Manual(_) => false,
        }
    }

    /// Why the system's clock is not believed just now.
    #[must_use]
    pub fn fault(&self) -> Option<ClockFault> {
        match &self.0 {
            Source::System(system) => {
                system.now();
                system.monotonic().fault()
            }
            Source::Manual(_) => None,
        }
    }

    /// A clock that stands still until it is moved with [`Clock::advance`].
    #[must_use]
    pub fn stopped_at(moment: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(moment.0))))
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Manual(manual) => Timestamp(manual.load(Ordering::SeqCst)),
            Source::System(system) => system.now(),
        }
    }

    /// Moves a stopped clock on by `duration`; the system's clock is not moved.
    pub fn advance(&self, duration: Duration) {
        if let Source::Manual(manual) = &self.0 {
            manual.fetch_add(micros(duration), Ordering::SeqCst);
        }
    }
}

impl System {
    fn now(&self) -> Timestamp {
        let mut monotonic = self.monotonic();
        if let Some(told) = self.told_elsewhere.get() {
            monotonic.raise(Timestamp(told.load(Ordering::Relaxed)), Instant::now());
        }
        let (told, turned) = monotonic.tell(system_time(), Instant::now());
        if turned {
            match monotonic.fault() {
                Some(fault) => tracing::warn!("{fault}; it goes on from {told}"),
                None => tracing::warn!("the system's clock is believed again"),
            }
        }
        told
    }

    fn monotonic(&self) -> std::sync::MutexGuard<'_, MonotonicClock> {
        self.monotonic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the system"
)]
fn system_time() -> Timestamp {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => Timestamp(micros(since)),
        Err(before) => Timestamp(-micros(before.duration())),
    }
}

impl fmt::Display for ClockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, what) = match self {
            Self::Behind(by) => (by, "behind the time that Vestibule has told already"),
            Self::Leapt(by) => (
                by,
                "ahead of what it was, and is not believed before it has lasted for an hour",
            ),
        };
        let minutes = by.as_secs() / 60;
        match minutes {
            0..120 => write!(f, "the system's clock is {minutes} minutes {what}"),
            120..2880 => write!(f, "the system's clock is {} hours {what}", minutes / 60),
            _ => write!(f, "the system's clock is {} days {what}", minutes / 1440),
        }
    }
}
