//! Passwords: what they must be, how they are hashed and verified.

mod common;
mod cost;
mod foreign;
mod hasher;
mod policy;
mod scheme;
mod threads;

use prometheus_client::metrics::gauge::Gauge;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::foundation::app::AppBuilder;
use crate::foundation::error::Error;

pub(crate) use hasher::can_be_verified;
pub use hasher::{HashForm, Hasher, Verdict};
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
pub struct Password(Zeroizing<String>);

impl Password {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// One for an operator to hand over: 24 characters, 144 bits.
    #[must_use]
    pub fn generate() -> Self {
        Self::new(crate::foundation::token::Token::generate().reveal()[..24].to_owned())
    }

    /// The text as it was typed, for showing it once to the operator who asked for one, and for old hashes.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The text as it is hashed.
    #[must_use]
    pub fn normalized(&self) -> Zeroizing<String> {
        normalized(&self.0)
    }

    /// Whether it is longer than any password that was ever set, however it is spelt.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.0.len() > MAX_BYTES && self.normalized().len() > MAX_BYTES
    }
}

/// A password in NFC (NIST 800-63B-4, 3.1.1.2): keyboards differ in how they spell an ü.
fn normalized(text: &str) -> Zeroizing<String> {
    // Never longer than this, so no copy is left behind where it was before it grew.
    let mut normalized = Zeroizing::new(String::with_capacity(3 * text.len()));
    normalized.extend(text.nfc());
    normalized
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}
