//! Vestibule signs people in, keeps their sessions in a database so that they survive restarts, and
//! tells any reverse proxy who is at the door. This crate is the program's library, and brings the
//! same sign-in to a Rocket site of your own.
//!
//! # Quick start
//!
//! ```no_run
//! use rocket::{get, launch, routes};
//! use vestibule::{CurrentUser, Vestibule};
//!
//! #[launch]
//! fn rocket() -> _ {
//!     rocket::build()
//!         .attach(Vestibule::fairing())
//!         .mount("/", routes![home])
//! }
//!
//! #[get("/")]
//! fn home(user: CurrentUser) -> String {
//!     format!("Hello, {}", user.username)
//! }
//! ```
//!
//! Settings stand under `[default.vestibule]` of Rocket.toml; see [`Settings`]. `examples/members.rs`
//! is a small site that uses all guards.
//!
//! # The sign-in flow
//!
//! 1. The browser posts the sign-in form (`login::routes`).
//! 2. The server makes a fresh session token: 32 random bytes (`token`).
//! 3. It checks the password: one throttled path for all (`login::proof`), argon2id on a bounded
//!    number of threads (`passwords`).
//! 4. It stores the session under the token's SHA-256, with its audit record, in one transaction
//!    (`sessions`, `audit`), and answers with Set-Cookie.
//! 5. and 6. The browser keeps the cookie (`http::cookies`).
//! 7. The browser asks for a page.
//! 8. The server reads the cookie from the raw header.
//! 9. It finds the session and its user in one look-up and judges the times.
//! 10. The page is handed a [`CurrentUser`]. Data of its own stands in the session object
//!     ([`CurrentSession::get`], [`CurrentSession::set`]).
//!
//! # The slices
//!
//! A feature is a folder: `users`, `passwords`, `sessions`, `login`, `setup`, `account`, `admin`,
//! `audit`, `throttle`, `forward_auth`. In each, `mod.rs` has the use cases, `store` all its SQL,
//! `guard` its request guards, `routes` its handlers. ARCHITECTURE.md walks through the main flows.

mod account;
mod admin;
#[doc(hidden)]
pub mod app;
mod assets;
#[doc(hidden)]
pub mod audit;
#[doc(hidden)]
pub mod cli;
mod clock;
#[doc(hidden)]
pub mod db;
mod doctor;
mod error;
#[doc(hidden)]
pub mod forward_auth;
#[doc(hidden)]
pub mod front;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod login;
mod metrics;
#[doc(hidden)]
pub mod pages;
#[doc(hidden)]
pub mod passwords;
#[doc(hidden)]
pub mod seeding;
mod sessions;
pub mod settings;
mod setup;
#[doc(hidden)]
pub mod site;
mod throttle;
mod token;
#[doc(hidden)]
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
