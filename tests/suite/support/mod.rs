//! What tests arrange with: a service of their own, and clients that talk to it.

mod answer;
mod app;
mod authenticator;
mod client;
pub mod engine;
mod log;
pub mod passkey;
mod place;
pub mod postgres;
pub mod proxy;
mod wire;

pub use answer::Answer;
pub use app::{TestApp, is_for_applications, is_for_proxies, refused_settings};
pub use authenticator::{Authenticator, STEP};
pub use client::Client;
pub use log::logged;
pub use wire::Wire;

/// Every user's password, unless a test is about passwords.
pub const PASSWORD: &str = "correct horse battery";

/// Where browsers find the service under test.
pub const ORIGIN: &str = "https://auth.example.com";
