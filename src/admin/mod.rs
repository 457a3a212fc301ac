//! The admin's pages: every live session, every user.

mod query;
pub(crate) mod sessions;
pub(crate) mod users;

use rocket::Route;

#[must_use]
pub fn routes() -> Vec<Route> {
    [sessions::routes(), users::routes()].concat()
}
