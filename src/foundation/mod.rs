//! What everything stands on and that knows nobody above: time, database, secrets, settings, audit trail.

pub mod app;
pub mod audit;
pub mod clock;
pub mod db;
pub mod error;
pub mod metrics;
pub mod settings;
pub mod throttle;
pub mod token;
