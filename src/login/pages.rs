//! What the pages of signing in and out show.

use rocket::http::Status;
use serde::Serialize;

use super::destination::{Destination, Lost};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::people::users::User;
use crate::web::Answer;
use crate::web::pages::{Page, Template, template};

#[derive(Serialize)]
pub struct SignInPage {
    pub(super) rd: String,
    pub(super) flow: String,
    pub(super) error: Option<String>,
    pub(super) destination: Option<String>,
    pub(super) signed_out: bool,
    pub(super) lost: Option<&'static str>,
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
        }
    }

    pub(super) fn refused(self, app: &App, status: Status, error: &str) -> Result<Answer, Error> {
        Answer::page(
            app,
            status,
            &Self {
                error: Some(error.to_owned()),
                ..self
            },
            None,
        )
    }
}

impl Page for SignInPage {
    const TEMPLATE: Template = template!("login/sign_in.html");

    fn samples(text: &str) -> Vec<Self> {
        let empty = || Self {
            rd: String::new(),
            flow: String::new(),
            error: None,
            destination: None,
            signed_out: false,
            lost: None,
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
}

impl ReauthenticatePage {
    pub(super) fn new(user: &User, rd: Option<&str>) -> Self {
        Self {
            rd: rd.unwrap_or_default().to_owned(),
            error: None,
            username: user.username.clone(),
            second_factor: user.has_second_factor(),
            has_totp: user.has_totp,
        }
    }

    pub(super) fn answer(&self, app: &App, status: Status, user: &User) -> Result<Answer, Error> {
        Answer::page(app, status, self, Some(user))
    }
}

impl Page for ReauthenticatePage {
    const TEMPLATE: Template = template!("login/reauthenticate.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |second_factor| Self {
            rd: text.to_owned(),
            error: Some(text.to_owned()),
            username: text.to_owned(),
            second_factor,
            has_totp: second_factor,
        };
        vec![page(false), page(true)]
    }
}
