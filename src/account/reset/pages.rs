use serde::Serialize;

use crate::foundation::app::App;
use crate::people::users::User;
use crate::web::pages::{Page, Template, template};

/// Asks whose password is forgotten.
#[derive(Serialize)]
pub struct AskPage {
    pub(super) by_mail: bool,
    /// A link was opened that is no good any more.
    pub(super) lost: bool,
}

impl AskPage {
    pub(super) fn new(app: &App) -> Self {
        Self {
            by_mail: app.settings.mail.is_on(),
            lost: false,
        }
    }
}

impl Page for AskPage {
    const TEMPLATE: Template = template!("account/reset.html");

    fn samples(_: &str) -> Vec<Self> {
        let page = |by_mail, lost| Self { by_mail, lost };
        vec![page(true, false), page(false, true)]
    }
}

/// Asks for the new password.
#[derive(Serialize)]
pub struct ChoosePage {
    pub(super) token: String,
    pub(super) username: String,
    pub(super) min_length: usize,
    pub(super) error: Option<String>,
}

impl ChoosePage {
    pub(super) fn new(app: &App, token: &str, user: &User) -> Self {
        Self {
            token: token.to_owned(),
            username: user.username.clone(),
            min_length: app.settings.passwords.min_length,
            error: None,
        }
    }
}

impl Page for ChoosePage {
    const TEMPLATE: Template = template!("account/reset_choose.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |error: Option<&str>| Self {
            token: text.to_owned(),
            username: text.to_owned(),
            min_length: 15,
            error: error.map(str::to_owned),
        };
        vec![page(None), page(Some(text))]
    }
}

/// Says what was done.
#[derive(Serialize)]
pub struct DonePage {
    /// The password is set; otherwise a mail is on its way, if there is anybody to write to.
    pub(super) set: bool,
}

impl Page for DonePage {
    const TEMPLATE: Template = template!("account/reset_done.html");

    fn samples(_: &str) -> Vec<Self> {
        vec![Self { set: false }, Self { set: true }]
    }
}
