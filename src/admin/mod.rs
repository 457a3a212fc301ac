//! The admin's pages: every live session, every user and invitation, every record, every protected site, every application, every node, and how things stand.

mod application_access;
mod applications;
mod audit;
mod chart;
mod conflict;
#[cfg(feature = "program")]
mod doctor;
mod export;
mod invitations;
mod mail;
mod nodes;
mod overview;
mod query;
mod sessions;
mod sites;
mod users;

use crate::web::Slice;

#[cfg(feature = "program")]
pub use doctor::issuer;

#[must_use]
pub fn slices() -> Vec<Slice> {
    vec![
        overview::slice(),
        sessions::slice(),
        users::slice(),
        invitations::slice(),
        sites::slice(),
        applications::slice(),
        application_access::slice(),
        audit::slice(),
        #[cfg(feature = "program")]
        doctor::slice(),
        mail::slice(),
        nodes::slice(),
        conflict::slice(),
    ]
}
