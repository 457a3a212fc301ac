//! The request that a proxy asks about: taken only from a trusted one, each thing once.

use std::borrow::Cow;
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
    Malformed(&'static str),
}

impl Unusable {
    /// What it is counted as.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Untrusted(_) => Reason::Forbidden,
            Self::Malformed(_) => Reason::Malformed,
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
            return Err(Unusable::Malformed("a body"));
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
        if original.is_contradicted(&headers, &parts) {
            return Err(Unusable::Malformed("contradictory headers"));
        }
        Ok(original)
    }

    /// Whether any header, needed or not, says something else of the request than was taken.
    fn is_contradicted(&self, headers: &ForwardedHeaders<'_>, taken: &Parts<'_>) -> bool {
        let same_method = |method: &str| method == self.method;
        let same_scheme = |scheme: &str| secure_or_not(scheme) == Some(self.scheme);
        let same_host = |other: &str| {
            other == taken.host || Host::parse(other, self.scheme).as_ref() == Some(&self.host)
        };
        let same_url = |url: &str| {
            url.split_once("://").is_some_and(|(scheme, rest)| {
                same_scheme(scheme) && rest.strip_suffix(&*taken.uri).is_some_and(same_host)
            })
        };
        !(headers.agrees("x-forwarded-method", same_method)
            && headers.agrees("x-original-method", same_method)
            && headers.agrees("x-forwarded-proto", same_scheme)
            && headers.agrees("x-forwarded-host", same_host)
            && headers.agrees("x-forwarded-uri", |other| other == taken.uri)
            && headers.agrees("x-original-url", same_url))
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
        let malformed = Malformed("an address is written https://app.example.com/path");
        let (scheme, rest) = url.split_once("://").ok_or(Malformed(
            "an address is written https://app.example.com/path",
        ))?;
        let (host, uri) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let uri = uri.into();
        let parts = Parts {
            method,
            scheme,
            host,
            uri,
        };
        parts.checked(app, address).map_err(|_| malformed)
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

/// What was said, not looked at yet.
struct Parts<'a> {
    method: &'a str,
    scheme: &'a str,
    host: &'a str,
    uri: Cow<'a, str>,
}

impl Parts<'_> {
    fn checked(&self, app: &App, address: Option<IpAddr>) -> Result<OriginalRequest, Unusable> {
        let method = rules::method(self.method).map_err(|_| Unusable::Malformed("the method"))?;
        // Cookies of a site are as secure as those of the sign-in host, or they would be mixed.
        let scheme = secure_or_not(self.scheme)
            .filter(|scheme| *scheme == app.settings.url().scheme())
            .ok_or(Unusable::Malformed("the scheme"))?;
        let host = Host::parse(self.host, scheme).ok_or(Unusable::Malformed("the host"))?;
        let readable =
            self.uri.len() <= MOST_BYTES && self.uri.bytes().all(|byte| byte.is_ascii_graphic());
        if !self.uri.starts_with('/') || !readable {
            return Err(Unusable::Malformed("the address"));
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
    match scheme {
        "https" | "wss" => Some("https"),
        "http" | "ws" => Some("http"),
        _ => None,
    }
}

/// Longer addresses are refused by most servers too.
const MOST_BYTES: usize = 8_192;

/// The protected host of a request that a trusted proxy passed on. `None`: it is said twice, or is none.
#[must_use]
pub fn passed_on_host(request: &ProxyRequest, app: &App) -> Option<Host> {
    let headers = ForwardedHeaders(request);
    let name = match headers.value("x-forwarded-host") {
        Value::Missing => headers.once("host").ok()?,
        Value::Once(host) => host,
        Value::Several => return None,
    };
    Host::parse(name, app.settings.url().scheme())
}

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
            _ => Err(Unusable::Malformed(name)),
        }
    }

    /// Whether a header says what is so, or nothing.
    fn agrees(&self, name: &str, is_so: impl Fn(&str) -> bool) -> bool {
        match self.value(name) {
            Value::Missing => true,
            Value::Once(value) => is_so(value),
            Value::Several => false,
        }
    }
}

fn of_forward_auth<'a>(headers: &ForwardedHeaders<'a>) -> Result<Parts<'a>, Unusable> {
    Ok(Parts {
        method: headers.once("x-forwarded-method")?,
        scheme: headers.once("x-forwarded-proto")?,
        host: headers.once("x-forwarded-host")?,
        uri: headers.once("x-forwarded-uri")?.into(),
    })
}

fn of_auth_request<'a>(headers: &ForwardedHeaders<'a>) -> Result<Parts<'a>, Unusable> {
    let original = headers.once("x-original-url")?;
    let (scheme, rest) = original
        .split_once("://")
        .ok_or(Unusable::Malformed("x-original-url"))?;
    let (host, uri) = rest
        .find('/')
        .map(|at| rest.split_at(at))
        .ok_or(Unusable::Malformed("x-original-url"))?;
    // A parser that reads another host out of it would be asked about another site.
    let url = Url::parse(original).map_err(|_| Unusable::Malformed("x-original-url"))?;
    let named = Host::parse(host, scheme).ok_or(Unusable::Malformed("the host"))?;
    let read = url.host_str().unwrap_or_default();
    if read.strip_suffix('.').unwrap_or(read) != named.name() {
        return Err(Unusable::Malformed("x-original-url"));
    }
    Ok(Parts {
        method: headers.once("x-original-method")?,
        scheme,
        host,
        uri: uri.into(),
    })
}

fn of_ext_authz<'a>(headers: &ForwardedHeaders<'a>) -> Result<Parts<'a>, Unusable> {
    let request = headers.0;
    let uri = request
        .path_and_query()
        .strip_prefix(EXT_AUTHZ)
        .ok_or(Unusable::Malformed("the address"))?;
    Ok(Parts {
        method: request.method.as_str(),
        scheme: headers.once("x-forwarded-proto")?,
        host: headers.once("host")?,
        uri: if uri.starts_with('/') {
            uri.into()
        } else {
            format!("/{uri}").into()
        },
    })
}

/// Envoy asks with the client's own path below this.
const EXT_AUTHZ: &str = "/api/authz/ext-authz";
