use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;
use crate::people::totp::{self, QrCode, Secret};
use crate::people::users::User;
use crate::people::{passkeys, recovery_codes};
use crate::sessions::CurrentSession;
use crate::web::back_to;
use crate::web::pages::{Page, Template, template};

/// All second factors of a user.
#[derive(Serialize)]
pub struct FactorsPage {
    /// When the authenticator app was set up.
    totp_since: Option<Timestamp>,
    passkeys: usize,
    has_factor: bool,
    recovery_codes_left: i64,
    /// The settings ask for a second factor, and there is none.
    due: bool,
    /// Where the person was on the way to.
    next: Option<String>,
    rd: String,
}

impl FactorsPage {
    pub(super) async fn new(
        app: &App,
        current: &CurrentSession,
        rd: Option<&str>,
    ) -> Result<Self, Error> {
        let user = &current.user;
        let required = user.needs_second_factor(&app.settings.second_factor.required);
        Ok(Self {
            totp_since: totp::since(app, user.id).await?,
            passkeys: passkeys::of_user(app, user.id).await?.len(),
            has_factor: user.has_second_factor(),
            recovery_codes_left: recovery_codes::left(app.db.reader(), user.id).await?,
            due: required && !user.has_second_factor(),
            next: rd.map(|rd| back_to(app, Some(rd), "/account")),
            rd: rd.unwrap_or_default().to_owned(),
        })
    }
}

impl Page for FactorsPage {
    const TEMPLATE: Template = template!("account/factors.html");

    fn samples(text: &str) -> Vec<Self> {
        let at = Timestamp::parse("2026-03-01T08:15:00Z").expect("a time");
        vec![
            Self {
                totp_since: Some(at),
                passkeys: 1,
                has_factor: true,
                recovery_codes_left: 9,
                due: false,
                next: None,
                rd: String::new(),
            },
            Self {
                totp_since: None,
                passkeys: 0,
                has_factor: false,
                recovery_codes_left: 0,
                due: true,
                next: Some(text.to_owned()),
                rd: text.to_owned(),
            },
        ]
    }
}

/// What an authenticator app is set up from.
#[derive(Serialize)]
pub struct TotpPage {
    qr: Option<QrCode>,
    setup_key: String,
    /// The same for a telephone that shows this very page.
    address: String,
    replaces: bool,
    username: String,
    rd: String,
    error: Option<String>,
}

impl TotpPage {
    pub(super) async fn new(
        app: &App,
        current: &CurrentSession,
        rd: Option<&str>,
    ) -> Result<Self, Error> {
        let user = &current.user;
        let offered = Secret::offered(app, user, &current.token_hash).await?;
        let issuer = app.settings.url().host_str().unwrap_or("vestibule");
        let secret = offered.first();
        let address = secret.map(|secret| secret.address(issuer, &user.username));
        let address = address.unwrap_or_default();
        Ok(Self {
            qr: QrCode::of(&address),
            setup_key: secret.map(Secret::setup_key).unwrap_or_default(),
            address,
            replaces: user.has_totp,
            username: user.username.clone(),
            rd: rd.unwrap_or_default().to_owned(),
            error: None,
        })
    }

    pub(super) fn refused(self, error: &str) -> Self {
        Self {
            error: Some(error.to_owned()),
            ..self
        }
    }
}

impl Page for TotpPage {
    const TEMPLATE: Template = template!("account/totp.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |given: Option<&str>| Self {
            qr: Some(QrCode::sample()),
            setup_key: text.to_owned(),
            address: text.to_owned(),
            replaces: given.is_some(),
            username: text.to_owned(),
            rd: given.unwrap_or_default().to_owned(),
            error: given.map(str::to_owned),
        };
        vec![page(None), page(Some(text))]
    }
}

/// How many recovery codes are left, or, once, a new set of them.
#[derive(Serialize)]
pub struct RecoveryCodesPage {
    left: i64,
    has_factor: bool,
    codes: Vec<String>,
    /// The same as a file that the page holds in itself.
    download: String,
    next: String,
}

impl RecoveryCodesPage {
    pub(super) async fn left(app: &App, user: &User) -> Result<Self, Error> {
        Ok(Self {
            left: recovery_codes::left(app.db.reader(), user.id).await?,
            has_factor: user.has_second_factor(),
            codes: Vec::new(),
            download: String::new(),
            next: String::new(),
        })
    }

    pub(in crate::account) fn shown(app: &App, codes: Vec<String>, next: &str) -> Self {
        let host = app.settings.url().host_str().unwrap_or_default();
        let text = format!(
            "Recovery codes for {host}. Each works once.\n\n{}\n",
            codes.join("\n")
        );
        let text = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
        Self {
            left: i64::try_from(codes.len()).unwrap_or_default(),
            has_factor: true,
            codes,
            download: format!("data:text/plain;charset=utf-8,{text}"),
            next: next.to_owned(),
        }
    }
}

impl Page for RecoveryCodesPage {
    const TEMPLATE: Template = template!("account/recovery_codes.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |codes: Vec<String>| Self {
            left: 3,
            has_factor: true,
            codes,
            download: text.to_owned(),
            next: text.to_owned(),
        };
        vec![page(Vec::new()), page(vec![text.to_owned(); 10])]
    }
}
