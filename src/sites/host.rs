//! Host names in one canonical form, and the patterns that sites are known by.

use std::fmt;

use url::Host as UrlHost;

/// A host as it is compared: lower case, A-labels, no trailing dot, no default port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    name: String,
    port: Option<u16>,
}

/// What a site is known by: a host, or all hosts one level below a domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    Exact(Host),
    /// `*.example.com`: the name without the star.
    Below(Host),
}

impl Host {
    /// Reads `app.example.com`, `App.Example.com.` or `app.example.com:8443`, for `scheme`, whose
    /// default port is dropped. `None` for what is no host.
    #[must_use]
    pub fn parse(text: &str, scheme: &str) -> Option<Self> {
        let (name, port) = split_port(text)?;
        let default = if matches!(scheme, "http" | "ws") {
            80
        } else {
            443
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        Some(Self {
            name: if is_canonical(name) {
                name.to_owned()
            } else {
                canonical(name)?
            },
            port: port.filter(|port| *port != default),
        })
    }

    /// Without the port, which cookies ignore.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn parent(&self) -> Option<&str> {
        self.name.split_once('.').map(|(_, parent)| parent)
    }
}

/// Whether it is a name that [`canonical`] leaves as it is: most names, which need no more looking at.
fn is_canonical(name: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let last_label = name.rsplit('.').next().unwrap_or_default();
    // Else it may be an address.
    let is_no_number = last_label.starts_with(|c: char| c.is_ascii_lowercase());
    let has_a_label = name.as_bytes().windows(4).any(|part| part == b"xn--");
    is_no_number && name.bytes().all(plain) && !has_a_label
}

/// Some characters stand for others that no name has, as "⑴" does for "(1)".
fn canonical(name: &str) -> Option<String> {
    let read = spelled(name)?;
    (spelled(&read)? == read).then_some(read)
}

/// As browsers spell it.
fn spelled(name: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || ".-_[]:".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    let name = UrlHost::parse(name).ok()?.to_string();
    (!name.ends_with('.')).then_some(name)
}

fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    match text.rsplit_once(':') {
        Some((name, port))
            if !port.contains(']') && (!name.contains(':') || name.ends_with(']')) =>
        {
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            digits
                .then(|| port.parse().ok())
                .flatten()
                .map(|port| (name, Some(port)))
        }
        _ => Some((text, None)),
    }
}

impl Pattern {
    /// Reads a host or `*.` and a domain of two labels at least.
    #[must_use]
    pub fn parse(text: &str, scheme: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            Some(domain) => {
                let domain = Host::parse(domain, scheme)?;
                domain.name.contains('.').then_some(Self::Below(domain))
            }
            None => Host::parse(text, scheme).map(Self::Exact),
        }
    }

    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match self {
            Self::Exact(own) => own == host,
            Self::Below(domain) => host.parent() == Some(&domain.name) && host.port == domain.port,
        }
    }

    /// Whether cookies of both would mix: the same name on whatever port.
    #[must_use]
    pub fn shares_name_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) | (Self::Below(a), Self::Below(b)) => a.name == b.name,
            // On the wildcard's own port an exact host stands before it.
            (Self::Exact(host), Self::Below(domain)) | (Self::Below(domain), Self::Exact(host)) => {
                host.parent() == Some(&domain.name) && host.port != domain.port
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_stands_for_what_is_none_is_no_host() {
        assert_eq!(Host::parse("\u{2474}.example.com", "https"), None);
        let umlaut = Host::parse("b\u{fc}cher.example.com", "https").expect("a host");
        assert_eq!(umlaut.name(), "xn--bcher-kva.example.com");
    }

    proptest! {
        #[test]
        fn a_canonical_name_stays_as_it_is(name in r"(([a-f0-9x.-]|xn--){0,6}\.)?[a-fx][a-f0-9x-]{0,4}") {
            prop_assume!(is_canonical(&name));
            prop_assert_eq!(canonical(&name), Some(name));
        }
    }
}
