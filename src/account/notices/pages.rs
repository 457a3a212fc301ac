use serde::Serialize;

use super::SessionOfLink;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::people::notices::{self, Choice};
use crate::people::users::User;
use crate::web::pages::{Page, Template, template};

/// What a user is mailed.
#[derive(Serialize)]
pub struct NoticesPage {
    by_mail: bool,
    email: Option<String>,
    choices: Vec<Choice>,
    saved: bool,
}

impl NoticesPage {
    pub(super) async fn new(app: &App, user: &User, saved: bool) -> Result<Self, Error> {
        Ok(Self {
            by_mail: app.settings.mail.is_on(),
            email: user.email.clone(),
            choices: notices::choices(app, user.id).await?,
            saved,
        })
    }
}

impl Page for NoticesPage {
    const TEMPLATE: Template = template!("account/notices.html");

    fn samples(text: &str) -> Vec<Self> {
        let choice = |is_mailed| Choice {
            word: "token_revoked",
            text: "An app token was revoked.",
            is_mailed,
        };
        let page = |by_mail, email: Option<&str>, saved| Self {
            by_mail,
            email: email.map(str::to_owned),
            choices: vec![choice(true), choice(false)],
            saved,
        };
        vec![
            page(true, Some(text), false),
            page(true, None, true),
            page(false, None, false),
        ]
    }
}

/// What the link in the mail about a new device opens.
#[derive(Serialize)]
pub struct EndSessionPage {
    state: &'static str,
    token: String,
    device: String,
    username: String,
}

impl EndSessionPage {
    pub(super) fn ask(token: &str, session: &SessionOfLink, username: &str) -> Self {
        Self {
            state: "ask",
            token: token.to_owned(),
            device: session.device.clone(),
            username: username.to_owned(),
        }
    }

    pub(super) fn ended() -> Self {
        Self::without_question("ended")
    }

    pub(super) fn no_good() -> Self {
        Self::without_question("no_good")
    }

    fn without_question(state: &'static str) -> Self {
        Self {
            state,
            token: String::new(),
            device: String::new(),
            username: String::new(),
        }
    }
}

impl Page for EndSessionPage {
    const TEMPLATE: Template = template!("account/end_session.html");

    fn samples(text: &str) -> Vec<Self> {
        let session = SessionOfLink {
            session: uuid::Uuid::nil(),
            device: text.to_owned(),
        };
        vec![
            Self::ask(text, &session, text),
            Self::ended(),
            Self::no_good(),
        ]
    }
}
