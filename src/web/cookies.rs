//! Reads one of our cookies from the raw `Cookie` headers.
//!
//! Rocket's jar decodes names, trims Unicode space and lets the last of several win, so that a
//! sibling domain can plant a session with `%5F%5FHost-…`. Here a name is compared byte by byte,
//! only space and tab are trimmed (RFC 6265 section 5.4), and of two matches neither is believed.

use std::net::IpAddr;
use std::time::Duration;

use crate::foundation::settings::Settings;
use crate::foundation::token::Token;

/// What the headers say of one cookie.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    Nothing,
    One(&'a str),
    /// Ambiguous: somebody planted one of them.
    Several,
}

/// Looks for the cookie called `name` in all the `Cookie` headers of a request.
pub fn find<'a>(headers: impl IntoIterator<Item = &'a str>, name: &str) -> Found<'a> {
    let mut values = headers
        .into_iter()
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| trim(key) == name)
        .map(|(_, value)| trim(value));
    match (values.next(), values.next()) {
        (None, _) => Found::Nothing,
        (Some(value), None) => Found::One(value),
        (Some(_), Some(_)) => Found::Several,
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A cookie that is good for the host that set it alone.
///
/// Over https its `__Host-` prefix makes browsers refuse it from siblings and over http
/// (RFC 6265bis section 4.1.3.2); plain http knows no such thing.
#[derive(Clone, Copy, Debug)]
pub struct HostCookie {
    name: &'static str,
    secure: bool,
}

impl HostCookie {
    /// Of the sign-in host: the session.
    #[must_use]
    pub fn session(settings: &Settings) -> Self {
        Self::of(settings, "__Host-vestibule", "vestibule")
    }

    /// Of a protected host: who is signed in there.
    #[must_use]
    pub fn site(settings: &Settings) -> Self {
        Self::of(settings, "__Host-vestibule-site", "vestibule-site")
    }

    /// Of a protected host: the browser that began to sign in there.
    #[must_use]
    pub fn flow(settings: &Settings) -> Self {
        Self::of(settings, "__Host-vestibule-flow", "vestibule-flow")
    }

    /// Of the sign-in host: changed after a sign-out, and never kept.
    #[must_use]
    pub fn signed_out(settings: &Settings) -> Self {
        Self::of(
            settings,
            "__Host-vestibule-signed-out",
            "vestibule-signed-out",
        )
    }

    /// Of the sign-in host: the browser that a passkey is asked of.
    #[must_use]
    pub fn visit(settings: &Settings) -> Self {
        Self::of(settings, "__Host-vestibule-visit", "vestibule-visit")
    }

    /// Of the sign-in host: a sign-in between its steps.
    #[must_use]
    pub fn pending(settings: &Settings) -> Self {
        Self::of(settings, "__Host-vestibule-pending", "vestibule-pending")
    }

    /// Of the sign-in host: a browser that is not asked for the second step.
    #[must_use]
    pub fn trusted(settings: &Settings) -> Self {
        Self::of(settings, "__Host-vestibule-trusted", "vestibule-trusted")
    }

    fn of(settings: &Settings, secure: &'static str, plain: &'static str) -> Self {
        let name = if settings.secure() { secure } else { plain };
        Self {
            name,
            secure: settings.secure(),
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Looks for this cookie in the `Cookie` headers of a request.
    pub fn find<'a>(self, headers: impl IntoIterator<Item = &'a str>) -> Found<'a> {
        find(headers, self.name)
    }

    /// The `Set-Cookie` that hands a token to a browser; without `max_age` it goes when the browser
    /// is closed.
    #[must_use]
    pub fn issue(self, token: &Token, max_age: Option<Duration>) -> String {
        self.set(&token.reveal(), max_age)
    }

    /// The `Set-Cookie` that takes the cookie away.
    #[must_use]
    pub fn expire(self) -> String {
        self.set("", Some(Duration::ZERO))
    }

    /// The same for one that a sibling may have planted: for the host, and over plain http for each
    /// domain above it too, where a prefix does not keep others out.
    #[must_use]
    pub fn expire_everywhere(self, host: &str) -> Vec<String> {
        let mut expired = vec![self.expire()];
        let mut domain = host;
        let named = !self.secure && host.parse::<IpAddr>().is_err() && !host.starts_with('[');
        while let Some((_, parent)) = domain.split_once('.').filter(|_| named) {
            expired.push(format!("{}; Domain={domain}", self.expire()));
            domain = parent;
        }
        expired
    }

    /// Two of them: a browser sees the cookie change, and has none in the end.
    #[must_use]
    pub fn come_and_go(self) -> [String; 2] {
        [self.set("1", None), self.expire()]
    }

    fn set(self, value: &str, max_age: Option<Duration>) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let max_age = max_age
            .map(|age| format!("; Max-Age={}", age.as_secs()))
            .unwrap_or_default();
        format!(
            "{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{max_age}",
            self.name
        )
    }
}

/// The one cookie that protected hosts under `sites.cookie_domain` share. It counts for scripts
/// alone, for its prefix does not keep siblings from planting it.
#[derive(Clone, Copy, Debug)]
pub struct DomainCookie<'a>(pub &'a str);

impl DomainCookie<'_> {
    const NAME: &'static str = "__Secure-vestibule-domain";

    /// Looks for this cookie in the `Cookie` headers of a request.
    pub fn find<'h>(self, headers: impl IntoIterator<Item = &'h str>) -> Found<'h> {
        find(headers, Self::NAME)
    }

    #[must_use]
    pub fn issue(self, token: &Token, max_age: Option<Duration>) -> String {
        self.set(&token.reveal(), max_age)
    }

    #[must_use]
    pub fn expire(self) -> String {
        self.set("", Some(Duration::ZERO))
    }

    fn set(self, value: &str, max_age: Option<Duration>) -> String {
        let cookie = HostCookie {
            name: Self::NAME,
            secure: true,
        };
        format!("{}; Domain={}", cookie.set(value, max_age), self.0)
    }
}

/// The `Cookie` headers as one, without Vestibule's cookies: for the application behind.
pub fn without_ours<'a>(headers: impl IntoIterator<Item = &'a str>) -> String {
    // Envoy joins two headers with a comma; what hides one of Vestibule's goes with it.
    let ours = |pair: &&str| {
        pair.split(',').any(|part| {
            let name = part.split('=').next().unwrap_or_default();
            OURS.contains(&trim(name))
        })
    };
    let pairs = headers.into_iter().flat_map(|header| header.split(';'));
    let kept: Vec<&str> = pairs
        .filter(|pair| !ours(pair))
        .map(trim)
        .filter(|pair| !pair.is_empty())
        .collect();
    kept.join("; ")
}

const OURS: [&str; 13] = [
    DomainCookie::NAME,
    "__Host-vestibule",
    "__Host-vestibule-site",
    "__Host-vestibule-flow",
    "__Host-vestibule-pending",
    "__Host-vestibule-trusted",
    "__Host-vestibule-visit",
    "vestibule",
    "vestibule-site",
    "vestibule-flow",
    "vestibule-pending",
    "vestibule-trusted",
    "vestibule-visit",
];
