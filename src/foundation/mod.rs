//! What everything stands on and that knows nobody above: time, database, secrets, settings, audit trail.

pub mod app;
pub mod audit;
pub mod clock;
mod core;
pub mod db;
pub mod error;
pub mod log_limit;
pub mod mail;
mod membership;
pub mod metrics;
pub mod person;
pub mod secrets;
pub mod settings;
pub mod throttle;
pub mod token;
pub mod unwritten;
pub mod version;

pub(crate) use core::setup;
