use serde::Serialize;

use super::way_in::Asked;
use crate::foundation::app::App;
use crate::foundation::settings::SignUp;
use crate::people::invitations::Granted;
use crate::people::passkeys::Unavailable;
use crate::web::pages::{Page, Template, template};

/// What the page asks for, or says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// Asks for the address to send a link to.
    Address,
    /// The mail is on its way.
    Asked,
    /// Asks for all that an account needs.
    Account,
    /// Asks for the passkey that the account is made with.
    Passkey,
    /// An admin has to enable the account.
    Waiting,
    /// The link is no good.
    Lost,
}

/// Makes an account.
#[derive(Serialize)]
pub struct JoinPage {
    pub(super) step: Step,
    /// Where the form is sent.
    pub(super) action: String,
    pub(super) invited: bool,
    /// For whom the link is.
    pub(super) email: Option<String>,
    pub(super) username: String,
    pub(super) display_name: String,
    pub(super) error: Option<String>,
    /// Whose addresses are taken; none that all are.
    pub(super) domains: Vec<String>,
    pub(super) approval: bool,
    pub(super) min_length: usize,
    /// Browsers make passkeys here.
    pub(super) passkeys: bool,
    pub(super) asked: Option<Asked>,
}

impl JoinPage {
    pub(super) fn new(app: &App, step: Step) -> Self {
        let sign_up = &app.settings.accounts.sign_up;
        Self {
            step,
            action: "/sign-up".to_owned(),
            invited: false,
            email: None,
            username: String::new(),
            display_name: String::new(),
            error: None,
            domains: match sign_up {
                SignUp::Domains(domains) => domains.clone(),
                _ => Vec::new(),
            },
            approval: *sign_up == SignUp::Approval,
            min_length: app.settings.passwords.min_length,
            passkeys: Unavailable::of(&app.settings).is_none(),
            asked: None,
        }
    }

    pub(super) fn asking(self, asked: Asked) -> Self {
        Self {
            step: Step::Passkey,
            asked: Some(asked),
            ..self
        }
    }

    /// The page that a link opens.
    pub(super) fn by(app: &App, link: &str, granted: Granted) -> Self {
        let page = Self::new(app, Step::Account);
        Self {
            action: format!("/invitation/{link}"),
            invited: !granted.invitation.sign_up,
            approval: page.approval && granted.invitation.sign_up,
            email: granted.invitation.email,
            ..page
        }
    }
}

impl Page for JoinPage {
    const TEMPLATE: Template = template!("account/join.html");

    fn asks_for_passkey(&self) -> bool {
        self.asked.is_some()
    }

    fn samples(text: &str) -> Vec<Self> {
        let page = |step, invited, email: Option<&str>| Self {
            step,
            action: text.to_owned(),
            invited,
            email: email.map(str::to_owned),
            username: text.to_owned(),
            display_name: text.to_owned(),
            error: email.map(str::to_owned),
            domains: email.map(str::to_owned).into_iter().collect(),
            approval: !invited,
            min_length: 15,
            passkeys: invited,
            asked: None,
        };
        let asked = Asked {
            account: uuid::Uuid::nil(),
            options: text.to_owned(),
        };
        vec![
            page(Step::Address, false, None),
            page(Step::Address, false, Some(text)),
            page(Step::Asked, false, None),
            page(Step::Account, false, None),
            page(Step::Account, true, Some(text)),
            page(Step::Account, true, None).asking(asked),
            page(Step::Waiting, false, None),
            page(Step::Lost, false, None),
        ]
    }
}
