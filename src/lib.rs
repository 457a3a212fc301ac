//! # Vestibule
mod account;
mod admin;
pub mod app;
mod assets;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod db;
mod doctor;
mod error;
pub mod forward_auth;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod login;
mod metrics;
#[doc(hidden)]
pub mod pages;
pub mod passwords;
mod sessions;
pub mod settings;
mod setup;
pub mod site;
mod throttle;
mod token;
pub mod users;
mod vestibule;

pub use clock::{Clock, Timestamp};
pub use error::Error;
#[doc(hidden)]
pub use sessions::sweep;
pub use sessions::{Admin, CurrentSession, CurrentUser, Denied, Session};
pub use settings::Settings;
pub use users::User;
pub use vestibule::Vestibule;
