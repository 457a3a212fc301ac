//! The request that a proxy asks about: taken only from a trusted one, each thing once.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use url::Url;

use super::host::Host;
use super::request::ProxyRequest;
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
        let headers = ForwardedHeaders(request);
        let parts = match dialect {
            Dialect::ForwardAuth => of_forward_auth(&headers),
            Dialect::AuthRequest => of_auth_request(&headers),
            Dialect::ExtAuthz => of_ext_authz(&headers),
        }?;
        let hops: Vec<&str> = request.all("x-forwarded-for").collect();
        let address = peer::forwarded_address(request.peer, &hops, &app.settings);
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
        let same_schemes = || {
            let schemes = headers.0.all(FORWARDED_PROTO);
            schemes.flat_map(list).all(same_scheme)
        };
        headers
            .other(FORWARDED_METHOD, same_method)
            .or_else(|| headers.other(ORIGINAL_METHOD, same_method))
            .or_else(|| headers.other(FORWARDED_HOST, same_hosts))
            .or_else(|| headers.other(FORWARDED_URI, |other| other == taken.uri))
            .or_else(|| headers.other(ORIGINAL_URL, same_url))
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
    let headers = ForwardedHeaders(request);
    let name = match headers.value(FORWARDED_HOST) {
        Value::Missing => headers.once(HOST),
        _ => headers.host(),
    };
    Host::parse(name.ok()?, app.settings.url().scheme())
}

const HOST: &str = "Host";
const FORWARDED_METHOD: &str = "X-Forwarded-Method";
const FORWARDED_PROTO: &str = "X-Forwarded-Proto";
const FORWARDED_HOST: &str = "X-Forwarded-Host";
const FORWARDED_URI: &str = "X-Forwarded-Uri";
const ORIGINAL_METHOD: &str = "X-Original-Method";
const ORIGINAL_URL: &str = "X-Original-URL";
/// That the browser asked for, wherever it was said.
const ADDRESS: &str = "the address";

/// The headers in which proxies say something of a request.
struct ForwardedHeaders<'r>(&'r ProxyRequest);

enum Value<'r> {
    Missing,
    Once(&'r str),
    Several,
}

impl<'r> ForwardedHeaders<'r> {
    fn value(&self, name: &str) -> Value<'r> {
        let mut values = self.0.headers().get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Value::Missing,
            // No text: nothing is equal to it.
            (Some(value), None) => Value::Once(std::str::from_utf8(value.as_bytes()).unwrap_or("")),
            (Some(_), Some(_)) => Value::Several,
        }
    }

    fn once(&self, name: &'static str) -> Result<&'r str, Unusable> {
        match self.value(name) {
            Value::Once(value) => Ok(value),
            Value::Missing => Err(malformed(name, "is missing")),
            Value::Several => Err(malformed(name, "is there more than once")),
        }
    }

    /// The scheme, and where it was said. Proxies in a row add theirs, to the header or in one more.
    fn scheme(&self) -> Result<(&'static str, &'r str), Unusable> {
        if matches!(self.value(FORWARDED_PROTO), Value::Missing) {
            return Err(malformed(FORWARDED_PROTO, "is missing"));
        }
        one_of(self.0.all(FORWARDED_PROTO).flat_map(list))
            .map(|scheme| (FORWARDED_PROTO, scheme))
            .ok_or(malformed(FORWARDED_PROTO, SEVERAL_SCHEMES))
    }

    fn host(&self) -> Result<&'r str, Unusable> {
        one_of(list(self.once(FORWARDED_HOST)?))
            .ok_or(malformed(FORWARDED_HOST, "says more than one host"))
    }

    /// The header's name, if it says something else than what is so.
    fn other(&self, name: &'static str, is_so: impl Fn(&str) -> bool) -> Option<&'static str> {
        let agrees = match self.value(name) {
            Value::Missing => true,
            Value::Once(value) => is_so(value),
            Value::Several => false,
        };
        (!agrees).then_some(name)
    }
}

fn of_forward_auth<'a>(headers: &ForwardedHeaders<'a>) -> Result<Parts<'a>, Unusable> {
    Ok(Parts {
        method: (FORWARDED_METHOD, headers.once(FORWARDED_METHOD)?),
        scheme: headers.scheme()?,
        host: headers.host()?,
        uri: headers.once(FORWARDED_URI)?.into(),
    })
}

fn of_auth_request<'a>(headers: &ForwardedHeaders<'a>) -> Result<Parts<'a>, Unusable> {
    let none = malformed(ORIGINAL_URL, "is no address");
    let original = headers.once(ORIGINAL_URL)?;
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
        method: (ORIGINAL_METHOD, headers.once(ORIGINAL_METHOD)?),
        scheme: (ORIGINAL_URL, scheme),
        host,
        uri: uri.into(),
    })
}

fn of_ext_authz<'a>(headers: &ForwardedHeaders<'a>) -> Result<Parts<'a>, Unusable> {
    let request = headers.0;
    let uri = request
        .path_and_query()
        .strip_prefix(EXT_AUTHZ)
        .ok_or(malformed(ADDRESS, "is none"))?;
    Ok(Parts {
        method: ("the method", request.method.as_str()),
        scheme: headers.scheme()?,
        host: headers.once(HOST)?,
        uri: if uri.starts_with('/') {
            uri.into()
        } else {
            format!("/{uri}").into()
        },
    })
}

/// Envoy asks with the client's own path below this.
const EXT_AUTHZ: &str = "/api/authz/ext-authz";
