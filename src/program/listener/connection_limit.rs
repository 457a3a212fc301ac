//! How many connections are open, in all and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use rustix::process::{Resource, getrlimit};

use crate::foundation::throttle::network;
use crate::web::peer::is_trusted;

/// Ten thousand visitors find room; at some ten KiB each they take a hundred MiB.
const MOST: u64 = 16_384;
/// A household's browsers open dozens.
const MOST_OF_A_NETWORK: u32 = 512;
/// Descriptors that the database, the log and the runtime keep to themselves.
const KEPT: u64 = 32;

pub(super) struct ConnectionLimit {
    taken: Arc<Mutex<Taken>>,
    most: u64,
    trusted: Vec<IpNet>,
}

#[derive(Default)]
struct Taken {
    in_all: u64,
    by_network: HashMap<String, u32>,
}

/// A connection's place, free again when it is dropped.
pub(super) struct Permit {
    taken: Arc<Mutex<Taken>>,
    network: Option<String>,
}

impl ConnectionLimit {
    pub fn new(trusted: &[IpNet]) -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self {
            taken: Arc::default(),
            most: MOST.min(descriptors.saturating_sub(KEPT)).max(1),
            trusted: trusted.to_vec(),
        }
    }

    /// `None` where all are taken. A trusted proxy and this machine itself bring many visitors over
    /// one address, so theirs are counted in all only.
    pub fn acquire(&self, remote: Option<SocketAddr>) -> Option<Permit> {
        let address = remote.map(|remote| remote.ip().to_canonical());
        let network = address
            .filter(|address| !self.is_many(*address))
            .map(network);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.in_all >= self.most {
            return None;
        }
        if let Some(network) = &network {
            let of_network = taken.by_network.entry(network.clone()).or_default();
            if *of_network >= MOST_OF_A_NETWORK {
                return None;
            }
            *of_network += 1;
        }
        taken.in_all += 1;
        Some(Permit {
            taken: self.taken.clone(),
            network,
        })
    }

    fn is_many(&self, address: IpAddr) -> bool {
        address.is_loopback() || is_trusted(address, &self.trusted)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        let Some(network) = &self.network else {
            return;
        };
        if let Some(of_network) = taken.by_network.get_mut(network) {
            *of_network -= 1;
            if *of_network == 0 {
                taken.by_network.remove(network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(trusted: &str) -> ConnectionLimit {
        ConnectionLimit::new(&[trusted.parse().expect("a network")])
    }

    fn from(address: &str) -> Option<SocketAddr> {
        Some(SocketAddr::new(address.parse().expect("an address"), 1))
    }

    #[test]
    fn a_network_that_has_all_its_places_leaves_those_of_others() {
        let connections = connections("10.0.0.0/8");
        let held: Vec<_> = (0..MOST_OF_A_NETWORK)
            .map(|host| connections.acquire(from(&format!("2001:db8::{host:x}"))))
            .collect();
        assert!(held.iter().all(Option::is_some));
        assert!(connections.acquire(from("2001:db8::ffff:1")).is_none());
        assert!(connections.acquire(from("2001:db8:0:1::1")).is_some());
        assert!(connections.acquire(from("192.0.2.1")).is_some());
    }

    #[test]
    fn a_place_that_is_left_is_free_again() {
        let connections = connections("10.0.0.0/8");
        let acquire = || connections.acquire(from("192.0.2.1"));
        let mut held: Vec<_> = (0..MOST_OF_A_NETWORK).map(|_| acquire()).collect();
        assert!(acquire().is_none());
        held.pop();
        assert!(acquire().is_some());
        drop(held);
        let taken = connections.taken.lock().expect("a lock");
        assert_eq!((taken.in_all, taken.by_network.len()), (0, 0));
    }

    #[test]
    fn proxies_and_this_machine_are_counted_in_all_only() {
        let mut connections = connections("10.0.0.0/8");
        connections.most = 2_000;
        let mut held = Vec::new();
        for remote in [from("10.1.2.3"), from("::ffff:127.0.0.1"), None] {
            held.extend((0..MOST_OF_A_NETWORK + 1).map(|_| connections.acquire(remote)));
        }
        assert!(held.iter().all(Option::is_some));
        held.extend((held.len()..2_000).map(|_| connections.acquire(None)));
        assert!(held.iter().all(Option::is_some));
        assert!(
            connections.acquire(None).is_none(),
            "all connections are taken"
        );
    }
}
