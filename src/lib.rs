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
//! Settings stand under `[default.vestibule]` of Rocket.toml; see [`Settings`]. Variables that begin with
//! `VESTIBULE_` win over it; `DATABASE_URL` stays the site's own. `examples/members` is a small site
//! that uses all guards.
//!
//! # Features
//!
//! A site takes `default-features = false`. `postgres` is the second engine. `program` is what only the
//! program has, with the doctor and its page; docs/embedding.md says what both cost.
//!
//! # Changes from other sites
//!
//! Browsers send the session's cookie along with forms of sibling hosts, and in some cases with those
//! of any site. So [`CurrentUser`], [`CurrentSession`] and [`Admin`] answer 403 to every method but
//! GET, HEAD and OPTIONS, unless `Sec-Fetch-Site` or `Origin` says that a page of `public_url` asks. A
//! program that sends the cookie says so too: `Origin: https://club.example.com`. A handler for GET
//! must not change anything, for it is asked from everywhere.
//!
//! What a guard refuses is `None` where a handler takes `Option<CurrentUser>`: nobody who is signed in
//! asks for the change. `Result<CurrentUser, Denied>` tells why, with [`Denied::CrossOrigin`] for this.
//! A route that is meant for pages elsewhere takes [`AnyOrigin<CurrentUser>`](AnyOrigin).
//!
//! # The sign-in flow
//!
//! 1. The browser posts the sign-in form (`login::routes`).
//! 2. The server makes a fresh session token: 32 random bytes (`token`).
//! 3. It checks the password: one throttled path for all (`login::proof`), argon2id on a bounded
//!    number of threads (`passwords`).
//! 4. It stores the session under the token's SHA-256, with its audit record, in one transaction
//!    (`sessions`, `foundation::audit`), and answers with Set-Cookie.
//! 5. and 6. The browser keeps the cookie (`web::cookies`).
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

#![cfg_attr(
    not(feature = "program"),
    expect(
        dead_code,
        unused_imports,
        reason = "what only the program asks for stands where it belongs"
    )
)]

#[doc(hidden)]
pub mod account;
mod admin;
#[doc(hidden)]
pub mod foundation;
#[doc(hidden)]
pub mod launcher;
pub mod login;
#[doc(hidden)]
pub mod oidc;
#[doc(hidden)]
pub mod people;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod program;
#[doc(hidden)]
pub mod sessions;
#[doc(hidden)]
pub mod sites;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod testing;
mod vestibule;
#[doc(hidden)]
pub mod web;

pub use foundation::clock::{Clock, Timestamp};
pub use foundation::error::Error;
pub use foundation::settings::{self, Settings};
pub use people::users::User;
pub use sessions::{
    Admin, AnyOrigin, CurrentSession, CurrentUser, Denied, Methods, Session, TwoFactor,
};
pub use vestibule::Vestibule;
#[doc(hidden)]
pub use vestibule::{open_app, open_app_on, sweep};
