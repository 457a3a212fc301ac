use serde::Serialize;

use crate::foundation::app::App;
use crate::people::users::User;
use crate::web::pages::{Page, Template, template};

/// The address of an account, and a form for another one.
#[derive(Serialize)]
pub struct AddressPage {
    pub(super) email: Option<String>,
    pub(super) verified: bool,
    pub(super) by_mail: bool,
    pub(super) asked: Option<String>,
    pub(super) error: Option<String>,
}

impl AddressPage {
    pub(super) fn new(app: &App, user: &User) -> Self {
        Self {
            email: user.email.clone(),
            verified: user.email_verified,
            by_mail: app.settings.mail.is_on(),
            asked: None,
            error: None,
        }
    }
}

impl Page for AddressPage {
    const TEMPLATE: Template = template!("account/email.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |given: Option<&str>, by_mail| Self {
            email: given.map(str::to_owned),
            verified: false,
            by_mail,
            asked: given.map(str::to_owned),
            error: given.map(str::to_owned),
        };
        vec![
            page(None, true),
            page(Some(text), true),
            page(Some(text), false),
        ]
    }
}

/// What a link is opened for: one question, and a button.
#[derive(Serialize)]
pub struct LinkPage {
    undo: bool,
    done: bool,
    /// The link is good.
    good: bool,
    token: String,
    username: String,
    address: String,
}

impl LinkPage {
    pub(super) fn verify(token: &str, user: &User, address: Option<String>) -> Self {
        Self {
            undo: false,
            done: false,
            good: address.is_some(),
            token: token.to_owned(),
            username: user.username.clone(),
            address: address.unwrap_or_default(),
        }
    }

    pub(super) fn undo(token: &str, good: bool) -> Self {
        Self {
            undo: true,
            done: false,
            good,
            token: token.to_owned(),
            username: String::new(),
            address: String::new(),
        }
    }

    pub(super) fn undone() -> Self {
        Self {
            done: true,
            ..Self::undo("", true)
        }
    }
}

impl Page for LinkPage {
    const TEMPLATE: Template = template!("account/link.html");

    fn samples(text: &str) -> Vec<Self> {
        let user = User::sample(text);
        vec![
            Self::verify(text, &user, Some(text.to_owned())),
            Self::verify(text, &user, None),
            Self::undo(text, true),
            Self::undo(text, false),
            Self::undone(),
        ]
    }
}
