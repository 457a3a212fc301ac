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
    let authority = public_url.authority();
    let with_port = public_url
        .port_or_known_default()
        .map(|port| format!("{authority}:{port}"));
    host.eq_ignore_ascii_case(authority)
        || public_url.port().is_none()
            && with_port.is_some_and(|with_port| host.eq_ignore_ascii_case(&with_port))
}

/// Whether a form comes from one of Vestibule's pages.
///
/// Browsers say so in `Sec-Fetch-Site`, and in `Origin`, which older ones and plain http have too.
/// Whatever is said must agree, and one of them must be said (OWASP CSRF prevention).
pub fn is_from_us(request: &Request<'_>, public_url: &Url) -> bool {
    let sites: Vec<&str> = request.headers().get("sec-fetch-site").collect();
    let origins: Vec<&str> = request.headers().get("origin").collect();
    let ours = public_url.origin().ascii_serialization();
    match (sites.as_slice(), origins.as_slice()) {
        (["same-origin"], []) => true,
        // `none`: a person's own doing, such as sending a form again.
        (["same-origin" | "none"] | [], [origin]) => *origin == ours,
        _ => false,
    }
}
