//! What a proxy says of the request it asks about: taken only from a trusted one, each thing once.

use std::borrow::Cow;
use std::net::IpAddr;

use rocket::Request;
use rocket::data::Data;
use url::Url;

use super::host::Host;
use super::rules::{self, Malformed};
use crate::foundation::app::App;
use crate::foundation::metrics::Reason;
use crate::web::{Received, peer};

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
pub struct Forwarded {
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

impl Forwarded {
    /// # Errors
    /// See [`Unusable`].
    pub fn read(
        request: &Request<'_>,
        app: &App,
        dialect: Dialect,
        below: &str,
        carries_body: bool,
    ) -> Result<Self, Unusable> {
        let peer = peer::socket_address(request);
        if !peer::is_trusted(peer, &app.settings.trusted_proxies) {
            return Err(Unusable::Untrusted(peer));
        }
        if carries_body {
            return Err(Unusable::Malformed("a body"));
        }
        let said = Said::by(request);
        let parts = match dialect {
            Dialect::ForwardAuth => of_forward_auth(&said),
            Dialect::AuthRequest => of_auth_request(&said),
            Dialect::ExtAuthz => of_ext_authz(&said, request, below),
        }?;
        let forwarded = parts.checked(app, peer::forwarded_address(request, &app.settings))?;
        if forwarded.is_contradicted(&said, &parts) {
            return Err(Unusable::Malformed("contradictory headers"));
        }
        Ok(forwarded)
    }

    /// Whether any header, needed or not, says something else of the request than was taken.
    fn is_contradicted(&self, said: &Said<'_>, taken: &Parts<'_>) -> bool {
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
        !(said.agrees("x-forwarded-method", same_method)
            && said.agrees("x-original-method", same_method)
            && said.agrees("x-forwarded-proto", same_scheme)
            && said.agrees("x-forwarded-host", same_host)
            && said.agrees("x-forwarded-uri", |other| other == taken.uri)
            && said.agrees("x-original-url", same_url))
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

    /// The protected host of a request that a trusted proxy passed on to us.
    #[must_use]
    pub fn passed_on_host(request: &Request<'_>, app: &App) -> Option<Host> {
        let said = Said::by(request);
        let name = match said.field("x-forwarded-host") {
            Some(Field::Once(host)) => host,
            Some(Field::Several) => return None,
            None => said.once("host").ok()?,
        };
        Host::parse(name, app.settings.url().scheme())
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

    /// The beginning of the site.
    #[must_use]
    pub fn home(&self) -> String {
        format!("{}://{}/", self.scheme, self.host)
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
    fn checked(&self, app: &App, address: Option<IpAddr>) -> Result<Forwarded, Unusable> {
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
        Ok(Forwarded {
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

/// The headers in which proxies say something of a request, read in one walk.
#[derive(Default)]
struct Said<'r>([Option<Field<'r>>; FIELDS.len()]);

enum Field<'r> {
    Once(Cow<'r, str>),
    Several,
}

const FIELDS: [&str; 7] = [
    "host",
    "x-forwarded-method",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-uri",
    "x-original-method",
    "x-original-url",
];

impl<'r> Said<'r> {
    fn by(request: &'r Request<'_>) -> Self {
        let mut said = Self::default();
        for header in request.headers().iter() {
            let place = FIELDS.iter().position(|name| header.name == *name);
            if let Some(field) = place.map(|place| &mut said.0[place]) {
                *field = Some(match field {
                    None => Field::Once(header.value),
                    Some(_) => Field::Several,
                });
            }
        }
        said
    }

    fn field(&self, name: &str) -> Option<&Field<'r>> {
        let place = FIELDS.iter().position(|field| *field == name)?;
        self.0[place].as_ref()
    }

    fn once(&self, name: &'static str) -> Result<&str, Unusable> {
        match self.field(name) {
            Some(Field::Once(value)) => Ok(value),
            _ => Err(Unusable::Malformed(name)),
        }
    }

    /// Whether a header says what is so, or nothing.
    fn agrees(&self, name: &str, is_so: impl Fn(&str) -> bool) -> bool {
        match self.field(name) {
            None => true,
            Some(Field::Once(value)) => is_so(value),
            Some(Field::Several) => false,
        }
    }
}

fn of_forward_auth<'a>(said: &'a Said<'_>) -> Result<Parts<'a>, Unusable> {
    Ok(Parts {
        method: said.once("x-forwarded-method")?,
        scheme: said.once("x-forwarded-proto")?,
        host: said.once("x-forwarded-host")?,
        uri: said.once("x-forwarded-uri")?.into(),
    })
}

fn of_auth_request<'a>(said: &'a Said<'_>) -> Result<Parts<'a>, Unusable> {
    let original = said.once("x-original-url")?;
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
        method: said.once("x-original-method")?,
        scheme,
        host,
        uri: uri.into(),
    })
}

fn of_ext_authz<'a>(
    said: &'a Said<'_>,
    request: &'a Request<'_>,
    below: &str,
) -> Result<Parts<'a>, Unusable> {
    let target = Received::target(request);
    let uri = target
        .strip_prefix(below)
        .ok_or(Unusable::Malformed("the address"))?;
    Ok(Parts {
        method: Received::method(request),
        scheme: said.once("x-forwarded-proto")?,
        host: said.once("host")?,
        uri: if uri.starts_with('/') {
            uri.to_owned().into()
        } else {
            format!("/{uri}").into()
        },
    })
}

/// Whether a request carries a body: a forwarded form would have rewritten the method by now.
pub async fn carries_body(request: &Request<'_>, data: &mut Data<'_>) -> bool {
    let headers = request.headers();
    headers.get("content-length").any(|length| length != "0")
        || headers.contains("transfer-encoding")
        // Nothing is waited for: without those headers the body has ended.
        || !data.peek(1).await.is_empty()
}
