use serde::Serialize;

use crate::people::users::User;
use crate::web::pages::{Page, Template, template};

/// Asks for the code that comes before a first factor is set up.
#[derive(Serialize)]
pub struct EnrolmentPage {
    address: Option<String>,
    sent: bool,
    rd: String,
    error: Option<String>,
}

impl EnrolmentPage {
    pub(in crate::account) fn new(user: &User, rd: Option<&str>, sent: bool) -> Self {
        Self {
            address: user.email.clone(),
            sent,
            rd: rd.unwrap_or_default().to_owned(),
            error: None,
        }
    }

    pub(super) fn refused(self, error: &str) -> Self {
        let error = Some(error.to_owned());
        Self { error, ..self }
    }
}

impl Page for EnrolmentPage {
    const TEMPLATE: Template = template!("account/enrolment.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |sent, error| Self {
            address: Some(text.to_owned()),
            sent,
            rd: text.to_owned(),
            error,
        };
        vec![
            page(false, None),
            Self {
                address: None,
                ..page(false, None)
            },
            page(true, None),
            page(true, Some(text.to_owned())),
        ]
    }
}
