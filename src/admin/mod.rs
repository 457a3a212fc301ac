//! The admin's pages: every live session, every user, every record, every protected site, and how things stand.

pub(crate) mod audit;
mod chart;
pub(crate) mod doctor;
mod export;
pub(crate) mod overview;
mod query;
pub(crate) mod sessions;
pub(crate) mod sites;
pub(crate) mod users;

use rocket::Route;

#[must_use]
pub fn routes() -> Vec<Route> {
    [
        doctor::routes(),
        overview::routes(),
        sessions::routes(),
        sites::routes(),
        users::routes(),
        audit::routes(),
    ]
    .concat()
}
