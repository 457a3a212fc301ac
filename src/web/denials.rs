//! Why requests are turned away, counted for /metrics: each once, where it is decided.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use rocket::Request;

use crate::foundation::app::{App, AppBuilder};

/// Why a guard did not let a request through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nobody is signed in, or not any more.
    Unauthenticated,
    /// Signed in, and a new password must be chosen first.
    PasswordChangeRequired,
    /// Signed in, with fewer factors than the user has or the page asks for: one more is to be proven first.
    SecondFactorRequired,
    /// Signed in, and a second factor must be set up first.
    EnrolmentRequired,
    /// Signed in, and not an admin.
    Forbidden,
    /// Signed in, and a page of another origin asks for a change.
    CrossOrigin,
    /// The database did not answer: try again.
    Unavailable,
}

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
    SecondFactorRequired,
    /// Two session cookies: one of them was planted.
    TwoCookies,
    /// Not a form or an address of Vestibule's.
    Malformed,
    /// The database failed, or too many passwords were being checked: nobody is let in then.
    Unavailable,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

/// The counters of denials.
#[derive(Debug, Default)]
struct Denials(Family<ByReason, Counter>);

pub(crate) fn register(builder: &mut AppBuilder) {
    let denials = Denials::default();
    // From the first scrape on, so that a first rise is seen as one.
    for reason in Reason::ALL {
        let _ = denials.0.get_or_create(&reason.label());
    }
    builder.metrics.register(
        "denials",
        "Requests that were turned away, by reason",
        denials.0.clone(),
    );
    builder.manage(denials);
}

/// Counts a request that was turned away.
pub(crate) fn count(app: &App, reason: Reason) {
    app.state::<Denials>()
        .0
        .get_or_create(&reason.label())
        .inc();
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
        count(app, reason);
    }
}

impl Reason {
    const ALL: [Self; 10] = [
        Self::Csrf,
        Self::Host,
        Self::Throttle,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::PasswordChangeRequired,
        Self::SecondFactorRequired,
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
                Self::SecondFactorRequired => "second_factor_required",
                Self::TwoCookies => "two_cookies",
                Self::Malformed => "malformed",
                Self::Unavailable => "unavailable",
            },
        }
    }
}
