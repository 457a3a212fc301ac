//! The request that a proxy asks about: taken only from a trusted one, each thing once.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use url::Url;

use super::host::Host;
use super::request::{ProxyRequest, text};
use super::rules::{self, Malformed};
use crate::foundation::app::App;
use crate::web::denials::Reason;
use crate::web::peer;

/// How a proxy tells of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// X-Forwarded-Method, -Proto, -Host and -Uri: Caddy, Traefik, HAProxy.
    ForwardAuth,
    /// X-Original-URL and X-Original-Method: nginx.
    AuthRequest,
    /// The request itself, below a prefix, and X-Forwarded-Proto: Envoy.
    ExtAuthz,
}

/// The request to a protected site.
#[derive(Clone, Debug)]
pub struct OriginalRequest {
    pub method: String,
    pub scheme: &'static str,
    pub host: Host,
    /// Percent-encoded, as it came.
    pub path: String,
    pub query: Option<String>,
    /// `None` where no trusted proxy said it.
    pub address: Option<IpAddr>,
}

/// Why a request is not decided at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The peer is no trusted proxy.
    Untrusted(IpAddr),
    /// Something is missing, there twice, contradictory or unreadable.
    Malformed {
        what: &'static str,
        fault: &'static str,
    },
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted(peer) => peer.fmt(f),
            Self::Malformed { what, fault } => write!(f, "{what} {fault}"),
        }
    }
}

fn malformed(what: &'static str, fault: &'static str) -> Unusable {
    Unusable::Malformed { what, fault }
}

pub(super) const OTHER_SCHEME: &str = "does not say the scheme of public_url: where a proxy farther out ends TLS, \
                            the proxy that asks Vestibule has to say the scheme that browsers use";
pub(super) const SEVERAL_SCHEMES: &str = "says more than one scheme: the proxy that asks Vestibule has to set the one \
                               that browsers use, and not to add to what it was sent";

impl Unusable {
    /// What it is counted as.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Untrusted(_) => Reason::Forbidden,
            Self::Malformed { .. } => Reason::Malformed,
        }
    }
}

impl OriginalRequest {
    /// # Errors
    /// See [`Unusable`].
    pub fn read(request: &ProxyRequest, app: &App, dialect: Dialect) -> Result<Self, Unusable> {
        if !peer::is_trusted(request.peer, &app.settings.trusted_proxies) {
            return Err(Unusable::Untrusted(request.peer));
        }
        if request.has_body() {
            return Err(malformed("the request", "carries a body"));
        }
        let headers = ForwardedHeaders::of(request);
        let parts = match dialect {
            Dialect::ForwardAuth => of_forward_auth(&headers),
            Dialect::AuthRequest => of_auth_request(&headers),
            Dialect::ExtAuthz => of_ext_authz(request, &headers),
        }?;
        let address = peer::forwarded_address(request.peer, &headers.hops, &app.settings);
        let original = parts.checked(app, address)?;
        match original.contradicting(&headers, &parts) {
            Some(header) => Err(malformed(header, "contradicts what else the proxy says")),
            None => Ok(original),
        }
    }

    /// A header, needed or not, that says something else of the request than was taken.
    fn contradicting(
        &self,
        headers: &ForwardedHeaders<'_>,
        taken: &Parts<'_>,
    ) -> Option<&'static str> {
        let same_method = |method: &str| method == self.method;
        let same_scheme = |scheme: &str| secure_or_not(scheme) == Some(self.scheme);
        let same_host = |other: &str| {
            other == taken.host || Host::parse(other, self.scheme).as_ref() == Some(&self.host)
        };
        let same_hosts = |others: &str| list(others).all(same_host);
        let same_url = |url: &str| {
            url.split_once("://").is_some_and(|(scheme, rest)| {
                same_scheme(scheme) && rest.strip_suffix(&*taken.uri).is_some_and(same_host)
            })
        };
        let same_schemes = || headers.schemes().all(same_scheme);
        headers
            .forwarded_method
            .other(same_method)
            .or_else(|| headers.original_method.other(same_method))
            .or_else(|| headers.forwarded_host.other(same_hosts))
            .or_else(|| headers.forwarded_uri.other(|other| other == taken.uri))
            .or_else(|| headers.original_url.other(same_url))
            .or_else(|| (!same_schemes()).then_some(FORWARDED_PROTO))
    }

    /// A request for an address, as the command line and the form of `explain` name it.
    ///
    /// # Errors
    /// The address is not one that a proxy could ask about.
    pub fn of_url(
        app: &App,
        url: &str,
        method: &str,
        address: Option<IpAddr>,
    ) -> Result<Self, Malformed> {
        let malformed = || Malformed("an address is written https://app.example.com/path");
        let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
        let (host, uri) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let uri = uri.into();
        let parts = Parts {
            method: (ADDRESS, method),
            scheme: (ADDRESS, scheme),
            host,
            uri,
        };
        parts.checked(app, address).map_err(|_| malformed())
    }

    /// The address that the browser asked for.
    #[must_use]
    pub fn url(&self) -> String {
        let query = self
            .query
            .as_ref()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        format!("{}://{}{}{query}", self.scheme, self.host, self.path)
    }
}

/// What was said, and where, not looked at yet.
struct Parts<'a> {
    method: (&'static str, &'a str),
    scheme: (&'static str, &'a str),
    host: &'a str,
    uri: Cow<'a, str>,
}

impl Parts<'_> {
    fn checked(&self, app: &App, address: Option<IpAddr>) -> Result<OriginalRequest, Unusable> {
        let (said_in, method) = self.method;
        let method = rules::method(method).map_err(|_| malformed(said_in, "is no method"))?;
        let (said_in, scheme) = self.scheme;
        let scheme = secure_or_not(scheme).ok_or(malformed(said_in, "says no scheme"))?;
        // Cookies of a site are as secure as those of the sign-in host, or they would be mixed.
        if scheme != app.settings.url().scheme() {
            return Err(malformed(said_in, OTHER_SCHEME));
        }
        let host = Host::parse(self.host, scheme).ok_or(malformed("the host", "is none"))?;
        // Whether letters that are not escaped matter is for the site's rules to say.
        let stands = |c: char| c.is_ascii_graphic() || !c.is_ascii() && !c.is_control();
        let readable = self.uri.len() <= MOST_BYTES && self.uri.chars().all(stands);
        if !self.uri.starts_with('/') || !readable {
            return Err(malformed(ADDRESS, "is none"));
        }
        let uri = self.uri.split('#').next().unwrap_or_default();
        let (path, query) = uri
            .split_once('?')
            .map_or((uri, None), |(path, query)| (path, Some(query.to_owned())));
        Ok(OriginalRequest {
            method,
            scheme,
            host,
            path: path.to_owned(),
            query,
            address,
        })
    }
}

/// WebSockets are opened over HTTP.
fn secure_or_not(scheme: &str) -> Option<&'static str> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("https") || is("wss") {
        Some("https")
    } else if is("http") || is("ws") {
        Some("http")
    } else {
        None
    }
}

/// The values of a header to which each proxy in a row adds its own.
fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim)
}

/// The one value of a list whose values are all equal.
fn one_of<'a>(mut values: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = values.next()?;
    values
        .all(|other| other.eq_ignore_ascii_case(first))
        .then_some(first)
}

/// Longer addresses are refused by most servers too.
const MOST_BYTES: usize = 8_192;

/// The protected host of a request that a trusted proxy passed on. `None`: it is said twice, or is none.
#[must_use]
pub fn passed_on_host(request: &ProxyRequest, app: &App) -> Option<Host> {
    let headers = ForwardedHeaders::of(request);
    let name = match headers.forwarded_host.value {
        Value::Missing => headers.host.once(),
        _ => headers.host_asked_for(),
    };
    Host::parse(name.ok()?, app.settings.url().scheme())
}

const FORWARDED_PROTO: &str = "X-Forwarded-Proto";
/// That the browser asked for, wherever it was said.
const ADDRESS: &str = "the address";

/// The headers in which proxies say something of a request.
struct ForwardedHeaders<'r> {
    host: Header<'r>,
    forwarded_method: Header<'r>,
    forwarded_host: Header<'r>,
    forwarded_uri: Header<'r>,
    original_method: Header<'r>,
    original_url: Header<'r>,
    /// Proxies in a row add theirs, to the header or in one more.
    protos: Vec<&'r str>,
    /// `X-Forwarded-For`.
    hops: Vec<&'r str>,
}

/// A header that is there once, if at all.
struct Header<'r> {
    name: &'static str,
    value: Value<'r>,
}

#[derive(Clone, Copy)]
enum Value<'r> {
    Missing,
    Once(&'r str),
    Several,
}

impl<'r> Header<'r> {
    fn missing(name: &'static str) -> Self {
        let value = Value::Missing;
        Self { name, value }
    }

    fn add(&mut self, value: &'r str) {
        self.value = match self.value {
            Value::Missing => Value::Once(value),
            Value::Once(_) | Value::Several => Value::Several,
        };
    }

    fn once(&self) -> Result<&'r str, Unusable> {
        match self.value {
            Value::Once(value) => Ok(value),
            Value::Missing => Err(malformed(self.name, "is missing")),
            Value::Several => Err(malformed(self.name, "is there more than once")),
        }
    }

    /// The header's name, if it says something else than what is so.
    fn other(&self, is_so: impl Fn(&str) -> bool) -> Option<&'static str> {
        let agrees = match self.value {
            Value::Missing => true,
            Value::Once(value) => is_so(value),
            Value::Several => false,
        };
        (!agrees).then_some(self.name)
    }
}

impl<'r> ForwardedHeaders<'r> {
    /// In one pass: each check reads most of them.
    fn of(request: &'r ProxyRequest) -> Self {
        let mut read = Self {
            host: Header::missing("Host"),
            forwarded_method: Header::missing("X-Forwarded-Method"),
            forwarded_host: Header::missing("X-Forwarded-Host"),
            forwarded_uri: Header::missing("X-Forwarded-Uri"),
            original_method: Header::missing("X-Original-Method"),
            original_url: Header::missing("X-Original-URL"),
            protos: Vec::new(),
            hops: Vec::new(),
        };
        for (name, value) in request.headers() {
            match name.as_str() {
                "host" => read.host.add(text(value)),
                "x-forwarded-method" => read.forwarded_method.add(text(value)),
                "x-forwarded-host" => read.forwarded_host.add(text(value)),
                "x-forwarded-uri" => read.forwarded_uri.add(text(value)),
                "x-original-method" => read.original_method.add(text(value)),
                "x-original-url" => read.original_url.add(text(value)),
                "x-forwarded-proto" => read.protos.push(text(value)),
                "x-forwarded-for" => read.hops.push(text(value)),
                _ => {}
            }
        }
        read
    }

    fn schemes(&self) -> impl Iterator<Item = &'r str> {
        self.protos.iter().copied().flat_map(list)
    }

    /// The scheme, and where it was said.
    fn scheme(&self) -> Result<(&'static str, &'r str), Unusable> {
        if self.protos.is_empty() {
            return Err(malformed(FORWARDED_PROTO, "is missing"));
        }
        one_of(self.schemes())
            .map(|scheme| (FORWARDED_PROTO, scheme))
            .ok_or(malformed(FORWARDED_PROTO, SEVERAL_SCHEMES))
    }

    fn host_asked_for(&self) -> Result<&'r str, Unusable> {
        let forwarded = &self.forwarded_host;
        one_of(list(forwarded.once()?)).ok_or(malformed(forwarded.name, "says more than one host"))
    }
}

fn of_forward_auth<'a>(headers: &ForwardedHeaders<'a>) -> Result<Parts<'a>, Unusable> {
    let method = &headers.forwarded_method;
    Ok(Parts {
        method: (method.name, method.once()?),
        scheme: headers.scheme()?,
        host: headers.host_asked_for()?,
        uri: headers.forwarded_uri.once()?.into(),
    })
}

fn of_auth_request<'a>(headers: &ForwardedHeaders<'a>) -> Result<Parts<'a>, Unusable> {
    let (address, method) = (&headers.original_url, &headers.original_method);
    let none = malformed(address.name, "is no address");
    let original = address.once()?;
    let (scheme, rest) = original.split_once("://").ok_or(none)?;
    let (host, uri) = rest.find('/').map(|at| rest.split_at(at)).ok_or(none)?;
    // A parser that reads another host out of it would be asked about another site.
    let url = Url::parse(original).map_err(|_| none)?;
    let named = Host::parse(host, url.scheme()).ok_or(none)?;
    let read = url.host_str().unwrap_or_default();
    if read.strip_suffix('.').unwrap_or(read) != named.name() {
        return Err(none);
    }
    Ok(Parts {
        method: (method.name, method.once()?),
        scheme: (address.name, scheme),
        host,
        uri: uri.into(),
    })
}

fn of_ext_authz<'a>(
    request: &'a ProxyRequest,
    headers: &ForwardedHeaders<'a>,
) -> Result<Parts<'a>, Unusable> {
    let uri = request
        .path_and_query()
        .strip_prefix(EXT_AUTHZ)
        .ok_or(malformed(ADDRESS, "is none"))?;
    Ok(Parts {
        method: ("the method", request.method.as_str()),
        scheme: headers.scheme()?,
        host: headers.host.once()?,
        uri: if uri.starts_with('/') {
            uri.into()
        } else {
            format!("/{uri}").into()
        },
    })
}

/// Envoy asks with the client's own path below this.
const EXT_AUTHZ: &str = "/api/authz/ext-authz";
