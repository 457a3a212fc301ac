use std::fmt;

use crate::foundation::settings::{Settings, on_loopback};

/// Why browsers would make no passkey here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    IpAddress,
    PlainHttp,
}

impl Unavailable {
    /// `None`: they can be used.
    pub fn of(settings: &Settings) -> Option<Self> {
        let url = settings.url();
        match url.domain() {
            None => Some(Self::IpAddress),
            Some(_) if settings.secure() || on_loopback(url) => None,
            Some(_) => Some(Self::PlainHttp),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IpAddress => {
                "Passkeys are off: public_url is an IP address, and browsers make passkeys for names only."
            }
            Self::PlainHttp => {
                "Passkeys are off: public_url is http, and browsers make passkeys over https only."
            }
        })
    }
}

/// Why an answer is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No browser writes it so.
    Malformed,
    /// It answers no challenge of this browser's, or too late.
    Stale,
    /// The device did not check that it is this person.
    Unverified,
    /// The text is for the audit trail.
    Wrong(String),
    /// The counter has gone back: there may be two of this passkey.
    Copied,
}

impl Refused {
    pub(super) fn wrong(reason: &str) -> Self {
        Self::Wrong(reason.to_owned())
    }

    /// For the person whose new passkey it is.
    pub fn text_for_new(&self) -> &'static str {
        match self {
            Self::Malformed | Self::Stale => self.text(),
            Self::Unverified => {
                "The passkey was made without a PIN, a fingerprint or a face. Set one up for the device, then try again."
            }
            Self::Wrong(_) | Self::Copied => {
                "That passkey cannot be used here. Try another device or password manager."
            }
        }
    }

    /// For the person: what to do now.
    pub fn text(&self) -> &'static str {
        match self {
            Self::Malformed | Self::Stale => {
                "This page was open for too long, or in another browser. Try again."
            }
            Self::Unverified => {
                "The passkey was used without a PIN, a fingerprint or a face. Set one up for it, or come in another way."
            }
            Self::Wrong(_) | Self::Copied => {
                "That passkey was not accepted. Use another one, or come in another way."
            }
        }
    }
}
