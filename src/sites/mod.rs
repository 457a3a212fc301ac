//! Forward auth: tells a reverse proxy who is at the door of a protected site.
//!
//! The proxy asks about each request (`forwarded`); sites and rules decide (`decision`), kept in
//! memory and live from the next change on (`policy`). Each protected host has a cookie of its
//! own, which a one-time ticket brings there (`tickets`), so that the session's own cookie never
//! leaves the sign-in host.

mod answers;
pub mod decision;
pub mod doctor;
mod enter;
pub mod explain;
mod forwarded;
pub mod host;
pub mod path;
pub mod policy;
mod routes;
pub mod rules;
mod store;
mod tickets;

use crate::foundation::app::App;
use host::Host;
use policy::Policy;
use rules::Site;

pub(crate) use answers::ForbiddenPage;
pub(crate) use enter::PATH as ENTER_PATH;
pub use enter::routes as enter_routes;
pub use forwarded::Forwarded;
pub use routes::routes;
pub(crate) use store::delete_old_tickets;
pub(crate) use tickets::{SiteAddress, mint, site_address};

impl App {
    /// The sign-in host's name without its port, which cookies ignore.
    fn sign_in_name(&self) -> &str {
        let name = self.settings.url().host_str().unwrap_or_default();
        name.trim_end_matches('.')
    }

    /// The site that a host belongs to. The sign-in host is never one, not by a wildcard either.
    #[must_use]
    pub fn site_of<'p>(&self, policy: &'p Policy, host: &Host) -> Option<&'p Site> {
        policy
            .site(host)
            .filter(|_| host.name() != self.sign_in_name())
    }
}
