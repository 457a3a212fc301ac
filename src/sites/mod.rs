//! Protected sites: tells a reverse proxy who is at the door (forward auth).
//!
//! The proxy asks about each request (`original_request`); sites and rules decide (`decision`), kept
//! in memory and live from the next change on (`policy`). Each protected host has a cookie of its
//! own, which a one-time ticket brings there (`tickets`), so that the session's own cookie never
//! leaves the sign-in host.

mod answers;
pub mod authz;
mod credential;
pub mod decision;
#[cfg(feature = "program")]
pub mod doctor;
mod enter;
pub mod explain;
mod flow;
mod frame;
mod gateway;
pub mod host;
mod original_request;
mod own_paths;
pub mod path;
pub mod policy;
mod request;
mod routes;
pub mod rules;
mod store;
pub mod terms;
mod tickets;
pub mod tokens;
pub mod visitor;

use std::time::Duration;

use crate::foundation::app::App;
use crate::web::Slice;
use crate::web::pages::PageKind;
use answers::{DenialLog, ForbiddenPage};
use frame::FramePage;
use host::Host;
use policy::Policy;
use rules::Site;
use tokens::{TokenPage, TokensPage};

pub use original_request::OriginalRequest;
pub use request::ProxyRequest;

/// How often tickets are looked for that nobody came with.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

#[must_use]
pub fn slice() -> Slice {
    let pages = vec![
        PageKind::of::<ForbiddenPage>(),
        PageKind::of::<FramePage>(),
        PageKind::of::<TokensPage>(),
        PageKind::of::<TokenPage>(),
    ];
    Slice::new([routes::routes(), tokens::routes()].concat(), pages).with_setup(|builder| {
        builder.manage(policy::Cached::default());
        builder.manage(DenialLog::default());
        let wrong_tokens = authz::WrongTokens::default();
        builder.metrics.register(
            "wrong_app_tokens",
            "App tokens that were presented at a site and did not count",
            wrong_tokens.0.clone(),
        );
        builder.manage(wrong_tokens);
        builder.manage(gateway::registered());
        builder.every_by_one(SWEEP_INTERVAL, |app| Box::pin(tickets::sweep(app)));
        Ok(())
    })
}

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
