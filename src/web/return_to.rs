//! Return addresses: where a browser may be sent after it signed in.

use url::Url;

use crate::foundation::app::App;

/// Longer ones are no address that a person came from.
const MAX_BYTES: usize = 2_000;

/// A path on this service that a browser may be sent to, percent-encoded, with its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// Reads the `rd` parameter as a browser would read it, as a URL seen from `public_url`.
    ///
    /// `None` unless it is an absolute path or an absolute URL that leads back to the origin of
    /// `public_url`. A prefix is never compared (ASVS 3.7.2): the parsed origin is.
    #[must_use]
    pub fn parse(rd: &str, public_url: &Url) -> Option<Self> {
        if rd.len() > MAX_BYTES || rd.contains(|c: char| c.is_control() || c == '\\') {
            return None;
        }
        let path = rd.starts_with('/') && !rd.starts_with("//");
        let absolute = ["http://", "https://"].iter().any(|scheme| {
            rd.get(..scheme.len())
                .is_some_and(|s| s.eq_ignore_ascii_case(scheme))
        });
        if !path && !absolute {
            return None;
        }
        let url = public_url.join(rd).ok()?;
        let ours = url.origin() == public_url.origin();
        let bare = url.username().is_empty() && url.password().is_none();
        // A path that begins with two slashes would be another host's address when sent alone.
        (ours && bare && !url.path().starts_with("//"))
            .then(|| Self(url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a browser goes next: to `rd` if it leads to this service, else to `home`.
pub fn back_to(app: &App, rd: Option<&str>, home: &str) -> String {
    let back = rd.and_then(|rd| ReturnTo::parse(rd, app.settings.url()));
    back.map_or_else(|| home.to_owned(), |back| back.0)
}
