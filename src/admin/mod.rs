//! The admin's pages: every live session, every user.

pub(crate) mod doctor;
mod query;
pub(crate) mod sessions;
pub(crate) mod users;

use rocket::Route;

#[must_use]
pub fn routes() -> Vec<Route> {
    [doctor::routes(), sessions::routes(), users::routes()].concat()
}
