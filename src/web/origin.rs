//! Whether a request is meant for this service, and whether it comes from one of Vestibule's pages.

use rocket::Request;
use url::Url;

/// Exactly one Host, and it is the one of `public_url`.
///
/// So a forged Host never reaches a link, and a rebound name no session (ASVS 4.1.3).
pub fn is_for_us(request: &Request<'_>, public_url: &Url) -> bool {
    let hosts: Vec<&str> = request.headers().get("host").collect();
    matches!(hosts.as_slice(), [host] if names(host, public_url))
}

fn names(host: &str, public_url: &Url) -> bool {
    canonical(host, public_url) == canonical(public_url.authority(), public_url)
}

/// A host and port as they are compared: lower case, no default port, no trailing dot.
fn canonical(authority: &str, public_url: &Url) -> String {
    let default = match public_url.scheme() {
        "http" => ":80",
        _ => ":443",
    };
    let lower = authority.to_ascii_lowercase();
    let shown = lower.strip_suffix(default).unwrap_or(&lower);
    match shown.split_once(".:") {
        Some((name, port)) => format!("{name}:{port}"),
        None => shown.strip_suffix('.').unwrap_or(shown).to_owned(),
    }
}

/// Whether a form comes from one of Vestibule's pages.
///
/// Browsers say so in `Sec-Fetch-Site`, and in `Origin`, which older ones and plain http have too.
/// Whatever is said must agree, and one of them must be said (OWASP CSRF prevention).
pub fn is_from_us(request: &Request<'_>, public_url: &Url) -> bool {
    let sites: Vec<&str> = request.headers().get("sec-fetch-site").collect();
    let origins: Vec<&str> = request.headers().get("origin").collect();
    let is_ours = |origin: &str| {
        let (scheme, host) = origin.split_once("://").unwrap_or_default();
        scheme == public_url.scheme() && names(host, public_url)
    };
    match (sites.as_slice(), origins.as_slice()) {
        // `null`: the page has the Referrer-Policy no-referrer, as some proxies add it.
        (["same-origin"], [] | ["null"]) => true,
        // `none`: a person's own doing, such as sending a form again.
        (["same-origin" | "none"] | [], [origin]) => is_ours(origin),
        _ => false,
    }
}
