//! What the pages of signing in and out show.

use rocket::http::Status;
use serde::Serialize;

use super::destination::{Destination, Lost};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::people::passkeys::{self, Purpose};
use crate::people::users::User;
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Visitor};

#[derive(Serialize)]
pub struct SignInPage {
    pub(super) rd: String,
    pub(super) flow: String,
    pub(super) error: Option<String>,
    pub(super) destination: Option<String>,
    pub(super) signed_out: bool,
    pub(super) lost: Option<&'static str>,
    /// As the application has it that sent the browser.
    pub(super) username: Option<String>,
    /// What a passkey is asked for, if one can be.
    pub(super) passkey: Option<String>,
}

impl SignInPage {
    /// The user name is not shown again: known and unknown ones get the same page, byte for byte.
    pub(super) fn new(rd: Option<&str>, flow: Option<&str>, destination: &Destination) -> Self {
        Self {
            rd: rd.unwrap_or_default().to_owned(),
            flow: flow.unwrap_or_default().to_owned(),
            error: None,
            destination: destination.host().map(str::to_owned),
            signed_out: false,
            lost: None,
            username: None,
            passkey: None,
        }
    }

    /// With a button for passkeys, where browsers have them.
    pub(super) async fn with_passkey(self, app: &App, visitor: &Visitor) -> Result<Self, Error> {
        let passkey = passkeys::request_options(app, &visitor.hash(), Purpose::SignIn).await?;
        Ok(Self { passkey, ..self })
    }

    /// Nobody is signed in.
    pub(super) async fn refused(
        self,
        app: &App,
        visitor: &Visitor,
        error: &str,
    ) -> Result<Answer, Error> {
        let page = Self {
            error: Some(error.to_owned()),
            ..self.with_passkey(app, visitor).await?
        };
        let answer = visitor.page(app, Status::Unauthorized, &page, None)?;
        Ok(answer.challenge())
    }
}

impl Page for SignInPage {
    const TEMPLATE: Template = template!("login/sign_in.html");

    fn asks_for_passkey(&self) -> bool {
        self.passkey.is_some()
    }

    fn samples(text: &str) -> Vec<Self> {
        let empty = || Self {
            rd: String::new(),
            flow: String::new(),
            error: None,
            destination: None,
            signed_out: false,
            lost: None,
            username: None,
            passkey: None,
        };
        let text = || text.to_owned();
        vec![
            empty(),
            Self {
                rd: text(),
                flow: text(),
                error: Some(text()),
                destination: Some(text()),
                signed_out: false,
                lost: Some(Lost::Address.text()),
                username: Some(text()),
                passkey: Some(text()),
            },
            Self {
                signed_out: true,
                ..empty()
            },
        ]
    }
}

#[derive(Serialize)]
pub struct SignOutPage {}

impl Page for SignOutPage {
    const TEMPLATE: Template = template!("login/sign_out.html");

    fn samples(_: &str) -> Vec<Self> {
        vec![Self {}]
    }
}

#[derive(Serialize)]
pub struct ReauthenticatePage {
    pub(super) rd: String,
    pub(super) error: Option<String>,
    pub(super) username: String,
    /// Whether a code is asked for, and no password.
    pub(super) second_factor: bool,
    pub(super) has_totp: bool,
    /// What the user's passkeys are asked for, if there are any.
    pub(super) passkey: Option<String>,
}

impl ReauthenticatePage {
    pub(super) async fn new(
        app: &App,
        visitor: &Visitor,
        user: &User,
        rd: Option<&str>,
    ) -> Result<Self, Error> {
        let purpose = Purpose::Reauthenticate(user.id);
        Ok(Self {
            rd: rd.unwrap_or_default().to_owned(),
            error: None,
            username: user.username.clone(),
            second_factor: user.has_second_factor(),
            has_totp: user.has_totp,
            passkey: passkeys::request_options(app, &visitor.hash(), purpose).await?,
        })
    }
}

impl Page for ReauthenticatePage {
    const TEMPLATE: Template = template!("login/reauthenticate.html");

    fn asks_for_passkey(&self) -> bool {
        self.passkey.is_some()
    }

    fn samples(text: &str) -> Vec<Self> {
        let page = |second_factor| Self {
            rd: text.to_owned(),
            error: Some(text.to_owned()),
            username: text.to_owned(),
            second_factor,
            has_totp: second_factor,
            passkey: second_factor.then(|| text.to_owned()),
        };
        vec![page(false), page(true)]
    }
}
