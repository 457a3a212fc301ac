//! How a feature announces itself: `src/vestibule.rs` lists one [`Slice`] of each.

use rocket::Route;

use super::pages::{PageKind, Template};
use crate::foundation::app::AppBuilder;
use crate::foundation::error::Error;

/// What a feature brings along.
pub struct Slice {
    /// Mounted at `/`.
    pub routes: Vec<Route>,
    pub pages: Vec<PageKind>,
    /// Templates of mails.
    pub letters: Vec<Template>,
    /// Adds what the feature keeps in memory, does regularly and counts.
    pub setup: fn(&mut AppBuilder) -> Result<(), Error>,
}

impl Slice {
    /// A feature that has routes and pages and keeps nothing.
    #[must_use]
    pub fn new(routes: Vec<Route>, pages: Vec<PageKind>) -> Self {
        Self {
            routes,
            pages,
            letters: Vec::new(),
            setup: |_| Ok(()),
        }
    }

    #[must_use]
    pub fn with_letters(self, letters: Vec<Template>) -> Self {
        Self { letters, ..self }
    }

    #[must_use]
    pub fn with_setup(self, setup: fn(&mut AppBuilder) -> Result<(), Error>) -> Self {
        Self { setup, ..self }
    }
}
