//! The mails that wait, failed, went out or were given up.

use rocket::http::Status;
use rocket::{get, routes};
use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::mail::{self, Counts, Listed};
use crate::sessions::Admin;
use crate::web::pages::{Page, PageKind, Template, template};
use crate::web::{Answer, Failure, Slice, Visit};

/// As many as tell what is wrong.
const SHOWN: i64 = 100;

#[must_use]
pub fn slice() -> Slice {
    Slice::new(routes![show], vec![PageKind::of::<MailPage>()])
}

#[get("/admin/mail")]
async fn show(app: &App, _visit: Visit, admin: Admin) -> Result<Answer, Failure> {
    let page = MailPage {
        host: app.settings.mail.host.clone(),
        counts: mail::counts(app).await?,
        mails: mail::newest(app, SHOWN).await?,
    };
    Ok(Answer::page(app, Status::Ok, &page, Some(&admin.0))?)
}

#[derive(Serialize)]
pub struct MailPage {
    /// The server. `None`: no mail is sent.
    host: Option<String>,
    counts: Counts,
    mails: Vec<Listed>,
}

impl Page for MailPage {
    const TEMPLATE: Template = template!("admin/mail.html");

    fn samples(text: &str) -> Vec<Self> {
        let at = Timestamp::from_micros(0);
        let mail = |sent: bool, gave_up: bool| Listed {
            id: uuid::Uuid::nil(),
            kind: text.to_owned(),
            recipient: text.to_owned(),
            created_at: at,
            next_try_at: at,
            tries: 2,
            last_error: (!sent).then(|| text.to_owned()),
            sent_at: sent.then_some(at),
            gave_up_at: gave_up.then_some(at),
        };
        let counts = Counts {
            waiting: 3,
            failing: 1,
            given_up: 1,
        };
        vec![
            Self {
                host: None,
                counts: Counts {
                    waiting: 0,
                    failing: 0,
                    given_up: 0,
                },
                mails: Vec::new(),
            },
            Self {
                host: Some(text.to_owned()),
                counts,
                mails: vec![mail(true, false), mail(false, false), mail(false, true)],
            },
        ]
    }
}
