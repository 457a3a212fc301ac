//! All SQL of the OpenID Connect provider.

mod clients;
mod grants;
mod imported;
mod keys;
mod learning;
mod notices;

pub use clients::Connected;
pub(super) use clients::*;
pub(super) use grants::*;
pub(super) use imported::*;
pub(super) use keys::*;
pub(super) use learning::*;
pub(super) use notices::*;
