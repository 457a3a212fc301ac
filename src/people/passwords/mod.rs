//! Passwords: what they must be, how they are hashed and verified.

mod common;
mod hasher;
mod policy;
mod threads;

use prometheus_client::metrics::gauge::Gauge;

use crate::foundation::app::AppBuilder;
use crate::foundation::error::Error;

pub use hasher::{Hasher, Verdict};
pub use policy::{MAX_BYTES, Weakness, check};

/// Keeps the hasher, and counts what it computes.
pub(crate) fn setup(builder: &mut AppBuilder) -> Result<(), Error> {
    let hasher = Hasher::new(&builder.settings.passwords)?;
    builder.metrics.register(
        "password_hashes",
        "Password hashes computed",
        hasher.computed_counter(),
    );
    let queued = Gauge::<i64>::default();
    builder.metrics.register(
        "password_hashes_queued",
        "Password hashes that wait for a thread",
        queued.clone(),
    );
    builder.manage(hasher);
    builder.manage(Queued(queued));
    builder.on_scrape(|app| {
        Box::pin(async {
            let queued = app.state::<Hasher>().queued();
            app.state::<Queued>()
                .0
                .set(i64::try_from(queued).unwrap_or(i64::MAX));
            Ok(())
        })
    });
    Ok(())
}

struct Queued(Gauge);

/// A password on its way to be hashed; never shown, wiped when it is dropped.
#[derive(Clone)]
pub struct Password(zeroize::Zeroizing<String>);

impl Password {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(zeroize::Zeroizing::new(text))
    }

    /// One for an operator to hand over: 24 characters, 144 bits.
    #[must_use]
    pub fn generate() -> Self {
        Self::new(crate::foundation::token::Token::generate().reveal()[..24].to_owned())
    }

    /// The text, for hashing and for showing it once to the operator who asked for one.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}
