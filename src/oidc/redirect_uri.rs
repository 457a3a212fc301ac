//! Addresses that a browser leaves for: which ones are registered, and which ones are one.

use url::{Host, Url};

/// Schemes without a dot that applications are known to have.
const KNOWN_SCHEMES: [&str; 5] = ["audiobookshelf", "immich", "nc", "obsidian", "paperless"];

/// What is wrong with an address that is to be registered; `takes_schemes`: of an application's own, too.
pub fn fault_of(uri: &str, takes_schemes: bool, insecure_http: bool) -> Option<&'static str> {
    let is_plain = uri
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    if uri.len() > 2_000 || !is_plain {
        return Some("an address has up to 2,000 plain characters and no blanks");
    }
    let Ok(url) = Url::parse(uri) else {
        return Some("this is no address");
    };
    if uri.contains('*') {
        return Some("a star stands for nothing here: each address is registered as it is sent");
    }
    if uri.contains('#') {
        return Some("an address has no fragment here");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("an address has no user name here");
    }
    match url.scheme() {
        "https" => None,
        "http" if insecure_http || is_loopback(&url) => None,
        "http" => Some("http is taken on this machine only; use https"),
        "javascript" | "data" | "file" | "about" | "blob" | "vbscript" => {
            Some("this scheme leads to no application")
        }
        scheme if takes_schemes && (scheme.contains('.') || KNOWN_SCHEMES.contains(&scheme)) => {
            None
        }
        _ if takes_schemes => Some("a scheme of an application has a dot, like com.example.app"),
        _ => Some("this address has to be https"),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Host and rest of an address on this machine.
fn without_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]", "localhost"]
        .into_iter()
        .find(|host| rest.starts_with(host))?;
    let rest = &rest[host.len()..];
    let Some(port) = rest.strip_prefix(':') else {
        return (rest.is_empty() || rest.starts_with('/')).then_some((host, rest));
    };
    let digits = port.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &port[digits..];
    ((1..=5).contains(&digits) && (rest.is_empty() || rest.starts_with('/')))
        .then_some((host, rest))
}

pub fn same_but_for_port(registered: &str, given: &str) -> bool {
    let registered = without_port(registered);
    registered.is_some() && registered == without_port(given)
}

/// Whether a browser leaves for a program on its own machine, which any other program there could stand for.
#[must_use]
pub fn is_local(uri: &str) -> bool {
    without_port(uri).is_some() || !uri.starts_with("https://") && !uri.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_schemes_of_applications_or_on_this_machine() {
        for good in [
            "https://app.example.com/cb?a=b",
            "http://127.0.0.1/cb",
            "http://[::1]:8080/cb",
            "app.immich:///oauth-callback",
            "com.example.app:/cb",
            "https://pve.example.com",
        ] {
            assert_eq!(fault_of(good, true, false), None, "{good}");
        }
        for bad in [
            "http://app.example.com/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://app.example.com/cb#x",
            "https://user@app.example.com/",
            "app:/cb",
            "/cb",
            "https://app.example.com/a b",
        ] {
            assert!(fault_of(bad, true, false).is_some(), "{bad}");
        }
        assert!(fault_of("com.example.app:/out", false, false).is_some());
    }

    #[test]
    fn an_address_elsewhere_has_no_free_port() {
        let registered = "https://a.test/cb";
        assert!(!same_but_for_port(registered, "https://a.test:443/cb"));
    }

    #[test]
    fn only_the_port_of_a_loopback_address_is_free() {
        for good in ["http://127.0.0.1/cb", "http://127.0.0.1:5/cb"] {
            assert!(same_but_for_port("http://127.0.0.1/cb", good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:5/cb/",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:5@evil.test/cb",
            "http://127.0.0.1.evil.test/cb",
            "http://localhost:5/cb",
            "https://127.0.0.1/cb",
        ] {
            assert!(!same_but_for_port("http://127.0.0.1/cb", bad), "{bad}");
        }
    }
}
