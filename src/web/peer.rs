//! Whose request it is: the socket's address, or what a trusted proxy says of it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use rocket::Request;

use crate::foundation::settings::Settings;

/// The client's address. X-Forwarded-For is read from the right, past trusted proxies, and only if
/// the socket's own address is trusted; anything missing or unparsable leaves the socket's address,
/// so that nobody dodges the throttle by it.
pub fn client_address(request: &Request<'_>, settings: &Settings) -> IpAddr {
    // No socket: dispatched in process.
    let peer = request
        .remote()
        .map_or(IpAddr::from([127, 0, 0, 1]), |remote| {
            remote.ip().to_canonical()
        });
    let headers: Vec<&str> = request.headers().get("x-forwarded-for").collect();
    forwarded_address(peer, &headers, settings).unwrap_or(peer)
}

/// What trusted proxies say of the client's address in their X-Forwarded-For headers; the socket's own
/// where that is no proxy. `None` where they say nothing that can be read.
pub fn forwarded_address(peer: IpAddr, headers: &[&str], settings: &Settings) -> Option<IpAddr> {
    if !is_trusted(peer, &settings.trusted_proxies) {
        return Some(peer);
    }
    let hops = headers.iter().rev().flat_map(|header| header.rsplit(','));
    forwarded_for(hops, &settings.trusted_proxies)
}

pub fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

/// The first untrusted hop from the right; where all are trusted, the farthest. `None` where that
/// is no address.
fn forwarded_for<'a>(hops: impl Iterator<Item = &'a str>, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut client = None;
    for hop in hops {
        client = address(hop.trim()).map(|address| address.to_canonical());
        if !client.is_some_and(|address| is_trusted(address, proxies)) {
            break;
        }
    }
    client
}

/// An address, with a port or without: `203.0.113.7:51234`, `[2001:db8::7]:443`. Without brackets an
/// IPv6 address has no port.
fn address(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let in_brackets = || {
        let inner = hop.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse::<Ipv6Addr>().ok().map(IpAddr::from)
    };
    hop.parse().ok().or_else(with_port).or_else(in_brackets)
}
