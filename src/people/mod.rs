//! Who signs in, and how they prove it.

pub mod passwords;
pub mod users;
