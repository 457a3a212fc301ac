//! # Vestibule
mod account;
mod admin;
pub mod app;
mod assets;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod db;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod login;
#[doc(hidden)]
pub mod pages;
pub mod passwords;
#[doc(hidden)]
pub mod seeding;
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
pub use sessions::{Admin, CurrentSession, CurrentUser, Denied, Session};
pub use settings::Settings;
pub use users::User;
pub use vestibule::Vestibule;
