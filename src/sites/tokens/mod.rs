//! App tokens as their owners make them: by the hosts of sites. What a token is, and that it is judged, is elsewhere
//! (`people::app_tokens`, `visitor`).

mod pages;
mod routes;

use std::time::Duration;

use uuid::Uuid;

use super::policy::Policy;
use super::rules::{Malformed, Site, network};
use crate::foundation::clock::Timestamp;
use crate::people::app_tokens::NewToken;

pub use pages::{TokenPage, TokenView, TokensPage};
pub use routes::routes;

/// What a person, or a command, says of a new token.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub name: String,
    /// Hosts as sites are known by.
    pub sites: Vec<String>,
    pub all_sites: bool,
    pub networks: Vec<String>,
    pub lifetime: Option<Duration>,
}

/// Why a wish cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    UnknownSite(String),
    /// Either all, or some.
    WhichSites,
    Malformed(Malformed),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownSite(host) => write!(f, "There is no site {host}."),
            Self::WhichSites => f.write_str("A token opens the sites that it names, or all."),
            Self::Malformed(Malformed(what)) => write!(f, "{what}."),
        }
    }
}

impl Wish {
    /// # Errors
    /// A site is unknown, or a network is none.
    pub fn read(
        &self,
        policy: &Policy,
        id: Uuid,
        two_factor: bool,
        now: Timestamp,
    ) -> Result<NewToken, Unreadable> {
        if self.all_sites != self.sites.is_empty() {
            return Err(Unreadable::WhichSites);
        }
        let found: Result<Vec<Uuid>, Unreadable> =
            self.sites.iter().map(|host| find(policy, host)).collect();
        let sites = found?;
        let networks = self.networks.iter().map(|text| network(text));
        Ok(NewToken {
            id,
            name: self.name.clone(),
            sites: (!self.all_sites).then_some(sites),
            networks: networks
                .collect::<Result<_, _>>()
                .map_err(Unreadable::Malformed)?,
            two_factor,
            expires_at: self.lifetime.map(|lifetime| now.plus(lifetime)),
        })
    }
}

fn find(policy: &Policy, host: &str) -> Result<Uuid, Unreadable> {
    let host = host.to_lowercase();
    let mut sites = policy.sites.iter();
    let site = sites.find(|site| site.host.to_string() == host);
    site.map(|site| site.id)
        .ok_or(Unreadable::UnknownSite(host))
}

/// The hosts that a token opens, for people; those of sites that are gone are left out.
#[must_use]
pub fn hosts(policy: &Policy, sites: &[Uuid]) -> Vec<String> {
    let named = |site: &&Site| sites.contains(&site.id);
    let named = policy.sites.iter().filter(named);
    named.map(|site| site.host.to_string()).collect()
}
