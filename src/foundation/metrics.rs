//! What is counted, and how it is told to Prometheus: `GET /metrics` of the binary.
//!
//! Each thing is counted at the one place where it is decided; names follow
//! <https://prometheus.io/docs/practices/naming/>.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rocket::Request;
use rocket::http::ContentType;

use crate::foundation::app::App;
use crate::foundation::db::Db;
use crate::foundation::error::Error;
use crate::people::passwords::Hasher;
use crate::sessions;

/// Why a request was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A form that came from another site.
    Csrf,
    /// A request for another host.
    Host,
    /// Too many wrong passwords.
    Throttle,
    Unauthenticated,
    Forbidden,
    PasswordChangeRequired,
    /// Two session cookies: one of them was planted.
    TwoCookies,
    /// Not a form or an address of ours.
    Malformed,
    /// The database failed, or too many passwords were being checked: nobody is let in then.
    Unavailable,
}

/// How a sign-in went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    Ok,
    Refused,
    Throttled,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// The counters of one service, since its start.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    denials: Family<ByReason, Counter>,
    sign_ins: Family<ByResult, Counter>,
    sessions_live: Gauge,
    hashes_queued: Gauge,
    wal_bytes: Gauge,
}

impl Metrics {
    #[must_use]
    pub fn new(db: &Db, hasher: &Hasher) -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("vestibule"),
            denials: Family::default(),
            sign_ins: Family::default(),
            sessions_live: Gauge::default(),
            hashes_queued: Gauge::default(),
            wal_bytes: Gauge::default(),
        };
        // From the first scrape on, so that a first rise is seen as one.
        for reason in Reason::ALL {
            let _ = metrics.denials.get_or_create(&reason.label());
        }
        for result in SignIn::ALL {
            let _ = metrics.sign_ins.get_or_create(&result.label());
        }
        metrics.registered(db, hasher)
    }

    fn registered(mut self, db: &Db, hasher: &Hasher) -> Self {
        let build: Family<Build, Gauge> = Family::default();
        build
            .get_or_create(&Build {
                version: env!("CARGO_PKG_VERSION"),
            })
            .set(1);
        let to = &mut self.registry;
        to.register(
            "sessions_live",
            "Sessions that are live; some that ended by time may be counted for a minute",
            self.sessions_live.clone(),
        );
        to.register("sign_ins", "Sign-ins by result", self.sign_ins.clone());
        to.register(
            "denials",
            "Requests that were turned away, by reason",
            self.denials.clone(),
        );
        to.register(
            "password_hashes",
            "Password hashes computed",
            hasher.computed_counter(),
        );
        to.register(
            "password_hashes_queued",
            "Password hashes that wait for a thread",
            self.hashes_queued.clone(),
        );
        to.register_with_unit(
            "database",
            "Time that the database took: a session's look-up, and a write from the wait for its turn to its commit",
            Unit::Seconds,
            db.timings().family(),
        );
        to.register_with_unit(
            "database_wal",
            "Size of the write-ahead log; it grows while another program keeps a read transaction open",
            Unit::Bytes,
            self.wal_bytes.clone(),
        );
        to.register("build_info", "The version that runs", build);
        self
    }

    pub fn count_sign_in(&self, result: SignIn) {
        self.sign_ins.get_or_create(&result.label()).inc();
    }

    pub fn count_denial(&self, reason: Reason) {
        self.denials.get_or_create(&reason.label()).inc();
    }
}

/// Whether a request's denial is counted already.
#[derive(Default)]
struct Counted(AtomicBool);

/// Counts why a request was turned away; only the first reason of each request, the most telling one.
pub(crate) fn count_denial(request: &Request<'_>, reason: Option<Reason>) {
    let (Some(reason), Some(app)) = (reason, request.rocket().state::<Arc<App>>()) else {
        return;
    };
    let counted = request.local_cache(Counted::default);
    if !counted.0.swap(true, Ordering::Relaxed) {
        app.metrics.count_denial(reason);
    }
}

#[must_use]
pub fn content_type() -> ContentType {
    ContentType::new("application", "openmetrics-text")
        .with_params([("version", "1.0.0"), ("charset", "utf-8")])
}

/// Everything that is counted, in Prometheus' (OpenMetrics) text.
///
/// # Errors
/// The database failed.
pub async fn told(app: &App) -> Result<String, Error> {
    let metrics = &app.metrics;
    metrics.sessions_live.set(sessions::count_live(app).await?);
    let queued = i64::try_from(app.passwords.queued()).unwrap_or(i64::MAX);
    metrics.hashes_queued.set(queued);
    metrics.wal_bytes.set(app.db.wal_bytes());
    let mut text = String::new();
    // Into memory: nothing can fail.
    let _ = text::encode(&mut text, &metrics.registry);
    Ok(text)
}

impl Reason {
    const ALL: [Self; 9] = [
        Self::Csrf,
        Self::Host,
        Self::Throttle,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::PasswordChangeRequired,
        Self::TwoCookies,
        Self::Malformed,
        Self::Unavailable,
    ];

    fn label(self) -> ByReason {
        ByReason {
            reason: match self {
                Self::Csrf => "csrf",
                Self::Host => "host",
                Self::Throttle => "throttle",
                Self::Unauthenticated => "unauthenticated",
                Self::Forbidden => "forbidden",
                Self::PasswordChangeRequired => "password_change_required",
                Self::TwoCookies => "two_cookies",
                Self::Malformed => "malformed",
                Self::Unavailable => "unavailable",
            },
        }
    }
}

impl SignIn {
    const ALL: [Self; 4] = [Self::Ok, Self::Refused, Self::Throttled, Self::Failed];

    fn label(self) -> ByResult {
        ByResult {
            result: match self {
                Self::Ok => "ok",
                Self::Refused => "refused",
                Self::Throttled => "throttled",
                Self::Failed => "failed",
            },
        }
    }
}
