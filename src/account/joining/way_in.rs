//! What a new user signs in with from then on: a password, or a passkey that is made before the account is.

use serde::Serialize;
use uuid::Uuid;

use super::Joined;
use crate::foundation::app::App;
use crate::foundation::audit::{Event, Record};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::TokenHash;
use crate::people::passkeys::{self, Candidate, Owner, Purpose, Unavailable};
use crate::people::passwords::{Hasher, Password};
use crate::people::users::{NewUser, Refused, User};
use crate::sessions::{Device, Methods, Proven, device};

/// As the form has it.
pub(crate) enum WayIn {
    Password(Password),
    Passkey {
        /// The id of the account, for which it was made.
        account: Uuid,
        browser: TokenHash,
        answer: String,
    },
}

/// Looked at, and kept with the account.
pub(super) enum Checked {
    Password(Password),
    Passkey(Uuid, Box<Candidate>),
}

/// A page that asks for a passkey, and the id of the account that it is for.
#[derive(Serialize)]
pub(super) struct Asked {
    pub account: Uuid,
    pub options: String,
}

/// What a browser makes the passkey from. `None`: browsers make none here.
pub(super) async fn ask(
    app: &App,
    new: &NewUser,
    browser: &TokenHash,
) -> Result<Option<Asked>, Error> {
    if Unavailable::of(&app.settings).is_some() {
        return Ok(None);
    }
    let account = Uuid::now_v7();
    let shown = new.display_name.as_deref().filter(|name| !name.is_empty());
    let owner = Owner {
        id: account,
        username: &new.username,
        shown_name: shown.unwrap_or(&new.username),
    };
    let purpose = Purpose::Join(account);
    let options = passkeys::creation_options(app, browser, purpose, owner).await?;
    Ok(Some(Asked { account, options }))
}

impl WayIn {
    pub(super) async fn check(
        self,
        app: &App,
        username: &str,
    ) -> Result<Result<Checked, Joined>, Error> {
        Ok(match self {
            Self::Password(password) => match app.check_password(&password, username) {
                Ok(()) => Ok(Checked::Password(password)),
                Err(weakness) => Err(Joined::Refused(Refused::Weak(weakness))),
            },
            Self::Passkey {
                account,
                browser,
                answer,
            } => {
                let purpose = Purpose::Join(account);
                match passkeys::candidate(app, &browser, purpose, &answer).await? {
                    Ok(candidate) => Ok(Checked::Passkey(account, Box::new(candidate))),
                    Err(refused) => Err(Joined::NoPasskey(refused.text_for_new())),
                }
            }
        })
    }
}

impl Checked {
    /// The id that the account gets.
    pub fn account(&self) -> Uuid {
        match self {
            Self::Password(_) => Uuid::now_v7(),
            Self::Passkey(account, _) => *account,
        }
    }

    pub async fn hash(&self, app: &App) -> Result<Option<String>, Error> {
        match self {
            Self::Password(password) => Ok(Some(app.state::<Hasher>().hash(password).await?)),
            Self::Passkey(..) => Ok(None),
        }
    }

    pub fn proven(&self) -> Proven {
        let methods = match self {
            Self::Password(_) => Methods::PASSWORD,
            Self::Passkey(..) => Methods::PASSKEY,
        };
        Proven {
            methods,
            ..Proven::BY_PASSWORD
        }
    }

    /// Keeps a passkey as the new user's. What is written down of it, or why there is no account.
    pub async fn keep(
        self,
        app: &App,
        tx: &mut Tx,
        user: &User,
        device: &Device,
    ) -> Result<Result<Option<Record>, Joined>, Error> {
        let Self::Passkey(_, candidate) = self else {
            return Ok(Ok(None));
        };
        let name = device::describe(&device.user_agent);
        Ok(match candidate.keep(app, tx, user, &name).await? {
            Ok(passkey) => Ok(Some(
                Record::of(Event::PasskeyAdd, user).detail(passkey.name),
            )),
            Err(refused) => Err(Joined::NoPasskey(refused.text())),
        })
    }
}
