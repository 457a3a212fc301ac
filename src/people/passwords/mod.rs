//! Passwords: what they must be, how they are hashed and verified.

mod common;
mod hasher;
mod policy;
mod threads;

pub use hasher::{Hasher, MOST_ITERATIONS, MOST_LANES, MOST_MEMORY_KIB, Verdict};
pub use policy::{MAX_BYTES, Weakness, check};

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
