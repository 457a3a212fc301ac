//! The mail with the code that comes before a first factor.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{HOUR, MOST_ASKED_FOR};
use crate::foundation::app::App;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::mail::{self, Mail, Message, NewMail};
use crate::people::links::{self, Purpose};
use crate::people::recovery_codes::RecoveryCode;
use crate::people::users;
use crate::sessions::CurrentSession;
use crate::web::letters::{Letter, write};
use crate::web::pages::{Template, template};

/// How long a code is good for.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Queues the mail with a code that is good in this session alone.
pub(in crate::account) async fn ask_for_code(
    app: &App,
    tx: &mut Tx,
    current: &CurrentSession,
) -> Result<(), Error> {
    let letter = NewMail {
        kind: "enrolment",
        // Said when it is sent, so that those which were sent are counted.
        user_id: None,
        recipient: String::new(),
        data: json!({ "user": current.user.id, "session": current.session.id }),
        lifetime: LIFETIME,
    };
    mail::queue(app, tx, letter).await
}

pub(super) async fn code(app: &App, mail: &Mail) -> Result<Option<Message>, Error> {
    let user_id: Uuid = serde_json::from_value(mail.data["user"].clone())?;
    let Some(user) = users::by_id(app.db.reader(), user_id).await? else {
        return Ok(None);
    };
    let Some(to) = user.email.clone() else {
        return Ok(None);
    };
    let since = app.clock.now().minus(HOUR);
    let mut tx = app.db.begin_for(&user.username).await?;
    if !mail::assign(&mut tx, mail, user.id, MOST_ASKED_FOR, since).await? {
        return Ok(None);
    }
    let code = RecoveryCode::generate();
    let session = super::text(&mail.data["session"]);
    let (hash, purpose) = (code.hash(), Purpose::Enrol);
    links::put(app, &mut tx, &hash, purpose, user.id, &session, LIFETIME).await?;
    tx.commit().await?;
    let letter = CodeLetter {
        name: user.shown_name().to_owned(),
        username: user.username.clone(),
        code: code.written(),
    };
    Ok(Some(write(app, &to, &letter)?))
}

#[derive(Serialize)]
pub(super) struct CodeLetter {
    name: String,
    username: String,
    code: String,
}

impl Letter for CodeLetter {
    const TEMPLATE: Template = template!("mail/enrolment.txt");
    const SUBJECT: &'static str = "Your code";
}
