use serde::Serialize;

use super::Pending;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::people::passkeys::{self, Purpose};
use crate::web::Visitor;
use crate::web::pages::{Page, Template, template};

/// The page that asks for the second step.
#[derive(Serialize)]
pub struct CodePage {
    pub(super) username: String,
    /// Whether there is an authenticator app to take a code from.
    pub(super) has_totp: bool,
    /// For how long the browser can be trusted, in words; `None`: it cannot.
    pub(super) trust_for: Option<String>,
    /// What the user's passkeys are asked for, if there are any.
    pub(super) passkey: Option<String>,
    pub(super) error: Option<String>,
}

impl CodePage {
    pub(super) async fn new(
        app: &App,
        visitor: &Visitor,
        pending: &Pending,
    ) -> Result<Self, Error> {
        let trust_for = app.settings.second_factor.trust_device.0;
        let purpose = Purpose::SecondStep(pending.user.id);
        Ok(Self {
            username: pending.user.username.clone(),
            has_totp: pending.user.has_totp,
            trust_for: trust_for.map(|span| humantime::format_duration(span).to_string()),
            passkey: passkeys::request_options(app, &visitor.hash(), purpose).await?,
            error: None,
        })
    }
}

impl Page for CodePage {
    const TEMPLATE: Template = template!("login/code.html");

    fn asks_for_passkey(&self) -> bool {
        self.passkey.is_some()
    }

    fn samples(text: &str) -> Vec<Self> {
        let page = |has_totp, given: Option<&str>| Self {
            username: text.to_owned(),
            has_totp,
            trust_for: given.map(str::to_owned),
            passkey: (!has_totp).then(|| text.to_owned()),
            error: given.map(str::to_owned),
        };
        vec![page(true, None), page(true, Some(text)), page(false, None)]
    }
}
