//! Return addresses: where a browser may be sent after it signed in.

use url::Url;

use crate::foundation::app::App;

/// As long as an address may be that is asked for here or at a protected site.
pub const MOST_BYTES: usize = 8 * 1_024;

/// The longest address of the sign-in page with a return address in it: nginx, as it comes, takes request
/// lines of 8 KiB.
pub const MOST_WAY_BYTES: usize = 8_000;

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
        if rd.len() > MOST_BYTES || !is_unambiguous(rd) {
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

/// Whether everyone reads the same host out of an address. In a path some take `\` for `/`; in a query it is
/// itself, and browsers send it as it is.
#[must_use]
pub fn is_unambiguous(address: &str) -> bool {
    let before_query = address.split('?').next().unwrap_or_default();
    !address.contains(char::is_control) && !before_query.contains('\\')
}

/// `path` with those of the parameters that there are.
#[must_use]
pub fn with_query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters
        .iter()
        .filter_map(|(name, value)| Some((*name, value.filter(|value| !value.is_empty())?)));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs(given).finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// Where a browser goes next: to `rd` if it leads to this service, else to `home`.
pub fn back_to(app: &App, rd: Option<&str>, home: &str) -> String {
    let back = rd.and_then(|rd| ReturnTo::parse(rd, app.settings.url()));
    back.map_or_else(|| home.to_owned(), |back| back.0)
}
