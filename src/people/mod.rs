//! Who signs in, and how they prove it.

pub mod passwords;
pub mod users;

use crate::web::Slice;

#[must_use]
pub fn slice() -> Slice {
    Slice::new(Vec::new(), Vec::new()).with_setup(passwords::setup)
}
