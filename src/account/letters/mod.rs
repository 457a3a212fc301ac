//! The mails of accounts, written when they are sent: links in them are made then.

mod enrolment;
mod joining;

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::notices::SessionOfLink;
use crate::foundation::app::App;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::mail::{self, Compose, Mail, Message, NewMail};
use crate::foundation::token::Token;
use crate::people::links::{self, Purpose};
use crate::people::notices;
use crate::people::users::{self, User};
use crate::web::letters::{Letter, write};
use crate::web::pages::{Template, template};

pub(super) use enrolment::ask_for_code;
pub(super) use joining::{ask_to_sign_up, invite};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a link is good for.
pub(crate) const RESET_LIFETIME: Duration = Duration::from_secs(30 * 60);
pub(crate) const VERIFY_LIFETIME: Duration = DAY;
pub(crate) const UNDO_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
pub(crate) const END_SESSION_LIFETIME: Duration = UNDO_LIFETIME;

/// As many mails as a person asks for in an hour; above that nothing is sent.
const MOST_ASKED_FOR: i64 = 5;

/// As many mails as a person reads in an hour; the account page has them all.
const MOST_NOTICES: i64 = 20;

/// Every letter, for templates of one's own.
pub fn templates() -> Vec<Template> {
    vec![
        ResetLetter::TEMPLATE,
        VerifyLetter::TEMPLATE,
        NoticeLetter::TEMPLATE,
        AddressChangedLetter::TEMPLATE,
        TestLetter::TEMPLATE,
        enrolment::CodeLetter::TEMPLATE,
    ]
    .into_iter()
    .chain(joining::templates())
    .collect()
}

/// Writes them.
pub struct Letters;

#[rocket::async_trait]
impl Compose for Letters {
    async fn compose(&self, app: &App, mail: &Mail) -> Result<Option<Message>, Error> {
        match mail.kind.as_str() {
            "reset" => return reset(app, mail).await,
            "invitation" => return joining::invitation(app, mail).await,
            "sign_up" => return joining::sign_up(app, mail).await,
            "enrolment" => return enrolment::code(app, mail).await,
            _ => {}
        }
        let Some(user_id) = mail.user_id else {
            return Ok(None);
        };
        let Some(user) = users::by_id(app.db.reader(), user_id).await? else {
            return Ok(None);
        };
        match mail.kind.as_str() {
            "notice" => notice(app, mail, &user).await,
            "verify" => verify(app, mail, &user).await,
            "address_changed" => address_changed(app, mail, &user).await,
            _ => Ok(None),
        }
    }
}

/// Queues the mail to whoever asks for a new password; who that is, is looked up when it is sent.
pub(crate) async fn ask_for_reset(app: &App, tx: &mut Tx, typed: &str) -> Result<(), Error> {
    let letter = NewMail {
        kind: "reset",
        user_id: None,
        recipient: String::new(),
        data: json!({}),
        lifetime: RESET_LIFETIME,
    };
    mail::queue_sealed(app, tx, letter, typed).await
}

/// Queues the mail that proves an address.
pub(crate) async fn ask_for_proof(
    app: &App,
    tx: &mut Tx,
    user: &User,
    address: &str,
) -> Result<(), Error> {
    let letter = NewMail {
        kind: "verify",
        user_id: Some(user.id),
        recipient: address.to_owned(),
        data: json!({}),
        lifetime: VERIFY_LIFETIME,
    };
    mail::queue(app, tx, letter).await
}

/// Queues the mail to the address that an account had.
pub(crate) async fn tell_old_address(
    app: &App,
    tx: &mut Tx,
    before: &User,
    new: &str,
) -> Result<(), Error> {
    let Some(old) = &before.email else {
        return Ok(());
    };
    let letter = NewMail {
        kind: "address_changed",
        user_id: Some(before.id),
        recipient: old.clone(),
        data: json!({ "new": new, "verified": before.email_verified }),
        lifetime: UNDO_LIFETIME,
    };
    mail::queue(app, tx, letter).await
}

async fn reset(app: &App, mail: &Mail) -> Result<Option<Message>, Error> {
    let typed = mail.typed(app).await?;
    let Some(user) = users::by_name_or_address(app, &typed).await? else {
        return Ok(None);
    };
    let Some(to) = user.email.clone().filter(|_| user.disabled_at.is_none()) else {
        return Ok(None);
    };
    let since = app.clock.now().minus(HOUR);
    let mut tx = app.db.begin_for(&user.username).await?;
    if !mail::assign(&mut tx, mail, user.id, MOST_ASKED_FOR, since).await? {
        return Ok(None);
    }
    let token = links::mint(app, &mut tx, Purpose::Reset, user.id, "", RESET_LIFETIME).await?;
    tx.commit().await?;
    let letter = ResetLetter {
        name: user.shown_name().to_owned(),
        link: app.settings.link(&format!("/reset/{}", token.reveal())),
    };
    Ok(Some(write(app, &to, &letter)?))
}

async fn verify(app: &App, mail: &Mail, user: &User) -> Result<Option<Message>, Error> {
    let token = mint(app, user, Purpose::Verify, &mail.recipient, VERIFY_LIFETIME).await?;
    let letter = VerifyLetter {
        name: user.shown_name().to_owned(),
        username: user.username.clone(),
        link: app.settings.link(&format!("/verify/{}", token.reveal())),
    };
    Ok(Some(write(app, &mail.recipient, &letter)?))
}

async fn address_changed(app: &App, mail: &Mail, user: &User) -> Result<Option<Message>, Error> {
    let was = json!({ "email": mail.recipient, "verified": mail.data["verified"] });
    let token = mint(app, user, Purpose::Undo, &was.to_string(), UNDO_LIFETIME).await?;
    let letter = AddressChangedLetter {
        name: user.shown_name().to_owned(),
        username: user.username.clone(),
        new: text(&mail.data["new"]),
        link: app.settings.link(&format!("/undo/{}", token.reveal())),
    };
    Ok(Some(write(app, &mail.recipient, &letter)?))
}

async fn notice(app: &App, mail: &Mail, user: &User) -> Result<Option<Message>, Error> {
    let given = Some(mail.recipient.as_str()).filter(|given| !given.is_empty());
    let Some(to) = given.or(user.email.as_deref()) else {
        return Ok(None);
    };
    let since = app.clock.now().minus(HOUR);
    if mail::sent_since(app, user.id, "notice", since).await? >= MOST_NOTICES {
        return Ok(None);
    }
    let detail = text(&mail.data["detail"]);
    let end_session = match Uuid::try_parse(&text(&mail.data["session"])) {
        Ok(session) => Some(end_session_link(app, user, session, &detail).await?),
        Err(_) => None,
    };
    let letter = NoticeLetter {
        name: user.shown_name().to_owned(),
        username: user.username.clone(),
        text: notices::text_of(&text(&mail.data["kind"])).to_owned(),
        detail,
        at: mail.created_at.exact(),
        end_session,
    };
    Ok(Some(write(app, to, &letter)?))
}

async fn end_session_link(
    app: &App,
    user: &User,
    session: Uuid,
    device: &str,
) -> Result<String, Error> {
    let device = device.to_owned();
    let data = serde_json::to_string(&SessionOfLink { session, device })?;
    let token = mint(app, user, Purpose::EndSession, &data, END_SESSION_LIFETIME).await?;
    Ok(app
        .settings
        .link(&format!("/end-session/{}", token.reveal())))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

async fn mint(
    app: &App,
    user: &User,
    purpose: Purpose,
    data: &str,
    lifetime: Duration,
) -> Result<Token, Error> {
    let mut tx = app.db.begin_for(&user.username).await?;
    let token = links::mint(app, &mut tx, purpose, user.id, data, lifetime).await?;
    tx.commit().await?;
    Ok(token)
}

/// The message of `vestibule mail test`.
///
/// # Errors
/// The template is at fault.
pub fn test_message(app: &App, to: &str) -> Result<Message, Error> {
    write(app, to, &TestLetter {})
}

#[derive(Serialize)]
struct ResetLetter {
    name: String,
    link: String,
}

impl Letter for ResetLetter {
    const TEMPLATE: Template = template!("mail/reset.txt");
    const SUBJECT: &'static str = "A new password";
}

#[derive(Serialize)]
struct VerifyLetter {
    name: String,
    username: String,
    link: String,
}

impl Letter for VerifyLetter {
    const TEMPLATE: Template = template!("mail/verify.txt");
    const SUBJECT: &'static str = "Confirm your address";
}

#[derive(Serialize)]
struct NoticeLetter {
    name: String,
    username: String,
    text: String,
    detail: String,
    at: String,
    end_session: Option<String>,
}

impl Letter for NoticeLetter {
    const TEMPLATE: Template = template!("mail/notice.txt");
    const SUBJECT: &'static str = "Your account";
}

#[derive(Serialize)]
struct AddressChangedLetter {
    name: String,
    username: String,
    new: String,
    link: String,
}

impl Letter for AddressChangedLetter {
    const TEMPLATE: Template = template!("mail/address_changed.txt");
    const SUBJECT: &'static str = "Your address was changed";
}

#[derive(Serialize)]
struct TestLetter {}

impl Letter for TestLetter {
    const TEMPLATE: Template = template!("mail/test.txt");
    const SUBJECT: &'static str = "A test";
}
