//! The admin's pages: every record of the audit trail, and how things stand.

pub(crate) mod audit;
mod chart;
mod export;
pub(crate) mod overview;
mod query;

use rocket::Route;

#[must_use]
pub fn routes() -> Vec<Route> {
    [audit::routes(), overview::routes()].concat()
}
