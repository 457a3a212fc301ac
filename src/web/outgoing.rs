//! Whose certificates are believed where the program opens connections.

use ureq::tls::Certificate;

/// A system without a store of its own, as in a small image, adds none.
pub fn system_and_browsers() -> Vec<Certificate<'static>> {
    let system = rustls_native_certs::load_native_certs();
    for error in system.errors {
        tracing::debug!(%error, "the system's CAs could not all be read");
    }
    let browsers = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let certificates = browsers.chain(&system.certs);
    certificates
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect()
}
