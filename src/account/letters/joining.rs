//! The mails to people who have no account yet: invitations, and what follows a wish to sign up.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{HOUR, MOST_ASKED_FOR};
use crate::foundation::app::App;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::mail::{self, Mail, Message, NewMail};
use crate::foundation::token::Token;
use crate::people::invitations::{self, Invitation, SIGN_UP_LIFETIME};
use crate::people::users;
use crate::web::letters::{Letter, write};
use crate::web::pages::{Template, template};

pub(super) fn templates() -> [Template; 3] {
    [
        InvitationLetter::TEMPLATE,
        SignUpLetter::TEMPLATE,
        HasAccountLetter::TEMPLATE,
    ]
}

/// Queues the mail of an invitation to an address; nothing if it is to nobody in particular.
pub(in crate::account) async fn invite(
    app: &App,
    tx: &mut Tx,
    invitation: &Invitation,
    lifetime: Duration,
) -> Result<(), Error> {
    let Some(address) = &invitation.email else {
        return Ok(());
    };
    let letter = NewMail {
        kind: "invitation",
        user_id: None,
        recipient: address.clone(),
        data: json!({ "invitation": invitation.id }),
        lifetime,
    };
    mail::queue(app, tx, letter).await
}

/// Queues the mail to an address that somebody wants an account for; whether it has one, is looked up when it is sent.
pub(in crate::account) async fn ask_to_sign_up(
    app: &App,
    tx: &mut Tx,
    address: &str,
) -> Result<(), Error> {
    let letter = NewMail {
        kind: "sign_up",
        user_id: None,
        recipient: String::new(),
        data: json!({}),
        lifetime: SIGN_UP_LIFETIME,
    };
    mail::queue_sealed(app, tx, letter, address).await
}

pub(super) async fn invitation(app: &App, mail: &Mail) -> Result<Option<Message>, Error> {
    let id: Uuid = serde_json::from_value(mail.data["invitation"].clone())?;
    let Some((invitation, token)) = invitations::mint(app, id).await? else {
        return Ok(None);
    };
    let letter = InvitationLetter {
        link: link(app, &token),
        until: invitation.expires_at.exact(),
    };
    Ok(Some(write(app, &mail.recipient, &letter)?))
}

pub(super) async fn sign_up(app: &App, mail: &Mail) -> Result<Option<Message>, Error> {
    let address = mail.typed(app).await?;
    let key = users::canonical_name(&address);
    let Some(user) = users::by_verified_address(app.db.reader(), &key).await? else {
        let made = invitations::mint_for_sign_up(app, &address, MOST_ASKED_FOR).await?;
        let Some(token) = made else {
            return Ok(None);
        };
        let link = link(app, &token);
        return Ok(Some(write(app, &address, &SignUpLetter { link })?));
    };
    let since = app.clock.now().minus(HOUR);
    let mut tx = app.db.begin_for(&user.username).await?;
    if !mail::assign(&mut tx, mail, user.id, MOST_ASKED_FOR, since).await? {
        return Ok(None);
    }
    tx.commit().await?;
    let letter = HasAccountLetter {
        name: user.shown_name().to_owned(),
    };
    let stored = user.email.as_deref().unwrap_or_default();
    Ok(Some(write(app, stored, &letter)?))
}

fn link(app: &App, token: &Token) -> String {
    app.settings
        .link(&format!("/invitation/{}", token.reveal()))
}

#[derive(Serialize)]
struct InvitationLetter {
    link: String,
    until: String,
}

impl Letter for InvitationLetter {
    const TEMPLATE: Template = template!("mail/invitation.txt");
    const SUBJECT: &'static str = "You are invited";
}

#[derive(Serialize)]
struct SignUpLetter {
    link: String,
}

impl Letter for SignUpLetter {
    const TEMPLATE: Template = template!("mail/sign_up.txt");
    const SUBJECT: &'static str = "Make your account";
}

#[derive(Serialize)]
struct HasAccountLetter {
    name: String,
}

impl Letter for HasAccountLetter {
    const TEMPLATE: Template = template!("mail/has_account.txt");
    // Nobody who sees the subject alone learns whether there is an account.
    const SUBJECT: &'static str = "Make your account";
}
