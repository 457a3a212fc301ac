//! Asks as a browser does that opens a page, and follows nothing.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, RequestBuilder};
use url::Url;

use crate::web::outgoing::system_and_browsers;

/// Whose certificates are believed.
#[derive(Debug, Default)]
pub enum Trust {
    /// Those of the CAs that the system trusts, and of those that browsers know.
    #[default]
    System,
    /// Those of the CAs in this PEM text.
    Ca(Vec<u8>),
    /// Anyone's: what is found may be somebody else's doing.
    Anyone,
}

/// An answer, as far as it matters.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    headers: HeaderMap,
    pub body: String,
}

pub struct Client(Agent);

/// Far longer than a proxy waits for Vestibule; a proxy that hangs is asked four times.
/// Far longer than any proxy should take.
const PATIENCE: Duration = Duration::from_secs(5);

/// More of a page is not read.
const MOST_BYTES: u64 = 64 * 1024;

/// What browsers send when a person opens a page.
const BROWSER: [(&str, &str); 5] = [
    ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-User", "?1"),
];

impl Client {
    /// # Errors
    /// There is no certificate in the PEM text.
    pub fn new(trust: &Trust) -> Result<Self, String> {
        let cryptography = Arc::new(aws_lc_rs::default_provider());
        let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(cryptography);
        let tls = match trust {
            Trust::System => tls.root_certs(RootCerts::new_with_certs(&system_and_browsers())),
            Trust::Ca(pem) => tls.root_certs(RootCerts::new_with_certs(&certificates(pem)?)),
            Trust::Anyone => tls.disable_verification(true),
        };
        let config = Agent::config_builder()
            .tls_config(tls.build())
            // As it looks from here, not from another proxy.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("vestibule-doctor/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self(config.into()))
    }

    /// Opens a page, with further headers or others than a browser's.
    ///
    /// # Errors
    /// There was no answer; why.
    pub fn open(&self, url: &Url, headers: &[(&str, &str)]) -> Result<Page, String> {
        seen(as_browser(self.0.get(url.as_str()), headers).call())
    }

    /// The same without its body.
    ///
    /// # Errors
    /// There was no answer; why.
    pub fn open_head(&self, url: &Url) -> Result<Page, String> {
        seen(as_browser(self.0.head(url.as_str()), &[]).call())
    }
}

fn as_browser<T>(request: RequestBuilder<T>, headers: &[(&str, &str)]) -> RequestBuilder<T> {
    let replaced = |name| headers.iter().any(|(other, _)| *other == name);
    let usual = BROWSER.iter().filter(|(name, _)| !replaced(*name));
    usual
        .chain(headers)
        .fold(request, |request, (name, value)| {
            request.header(*name, *value)
        })
}

fn seen(answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<Page, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    let (parts, body) = answer.into_parts();
    let mut bytes = Vec::new();
    // A body that breaks off is judged by what came.
    let _ = body.into_reader().take(MOST_BYTES).read_to_end(&mut bytes);
    Ok(Page {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let found: Vec<_> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        Err("there is no certificate in that file; it must be a PEM file of the CA".to_owned())
    } else {
        Ok(found)
    }
}

impl Page {
    /// All values of a header.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }
}
