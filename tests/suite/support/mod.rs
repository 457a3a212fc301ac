//! What tests arrange with: a service of their own, and clients that talk to it.

mod answer;
mod app;
mod client;

pub use answer::Answer;
pub use app::{TestApp, settings};
pub use client::Client;

/// Every user's password, unless a test is about passwords.
pub const PASSWORD: &str = "correct horse battery";

/// Where browsers find the service under test.
pub const ORIGIN: &str = "https://auth.example.com";
