//! What users are told of their own accounts: written in the transaction of what it tells, shown at the next sign-in.

mod store;

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::audit;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::mail::{self, NewMail};

/// Each kind once, with what is stored and what people read.
macro_rules! kinds {
    ($($kind:ident $word:literal $text:literal)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($kind,)*
        }

        impl Kind {
            const fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }
        }

        /// What people read; the word itself, where a later program has written it.
        pub(crate) fn text_of(word: &str) -> &str {
            match word {
                $($word => $text,)*
                other => other,
            }
        }
    };
}

kinds! {
    TotpAdded "totp_added" "An authenticator app was set up."
    TotpRemoved "totp_removed" "The authenticator app was removed."
    PasskeyAdded "passkey_added" "A passkey was added."
    PasskeyRemoved "passkey_removed" "A passkey was removed."
    PasskeySuspect "passkey_suspect" "A passkey was refused, because it may be a copy."
    RecoveryCodesRenewed "recovery_codes_renewed" "New recovery codes were made; the old ones are void."
    RecoveryCodeUsed "recovery_code_used" "A recovery code was used to sign in."
    FactorsReset "factors_reset" "An admin removed your second factors. Set them up again."
    WrongCode "wrong_code" "Somebody entered your right password, and then a wrong code. If that was not you, change your password."
    DeviceTrusted "device_trusted" "A device was trusted: it is not asked for the second step."
    NewDevice "new_device" "Somebody signed in on a device or from a network that was not seen before."
    PasswordReset "password_reset" "A new password was set by a link."
    AddressChanged "address_changed" "The address of your account was changed."
    AddressRestored "address_restored" "A change of your address was taken back; all sessions were ended."
    TokenAdded "token_added" "An app token was made."
    TokenRevoked "token_revoked" "An app token was revoked."
    Approved "approved" "An admin approved your account: you can sign in."
}

/// One notice, as pages show it.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    at: Timestamp,
    text: String,
    detail: Option<String>,
}

/// Tells a user, in the transaction of what is told; by mail, too, where there is mail.
pub(crate) async fn tell(
    app: &App,
    tx: &mut Tx,
    user_id: Uuid,
    kind: Kind,
    detail: Option<&str>,
) -> Result<(), Error> {
    let now = app.clock.now();
    let id = audit::new_id_at(now);
    store::insert(tx, id, user_id, kind.word(), detail, now).await?;
    let letter = NewMail {
        kind: "notice",
        user_id: Some(user_id),
        recipient: String::new(),
        data: json!({ "kind": kind.word(), "detail": detail.unwrap_or_default() }),
        lifetime: MAIL_LIFETIME,
    };
    mail::queue(app, tx, letter).await
}

/// A mail that comes later than this helps nobody.
const MAIL_LIFETIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What a user has not been shown yet, the newest first; as many as a person reads.
pub(crate) async fn unseen(app: &App, user_id: Uuid) -> Result<Vec<Notice>, Error> {
    let stored = store::unseen(app.db.reader(), user_id, MOST_SHOWN).await?;
    let notices = stored.into_iter().map(|stored| Notice {
        at: stored.created_at,
        text: text_of(&stored.kind).to_owned(),
        detail: stored.detail,
    });
    Ok(notices.collect())
}

const MOST_SHOWN: i64 = 20;

/// The user has read them.
///
/// # Errors
/// The database failed; they are shown again then.
pub async fn mark_seen(app: &App, user_id: Uuid) -> Result<(), Error> {
    let mut tx = app.db.begin_for(user_id.as_bytes()).await?;
    store::mark_seen(&mut tx, user_id, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

impl Notice {
    /// For the test that renders every page.
    pub(crate) fn sample(text: &str) -> Self {
        Self {
            at: Timestamp::from_micros(0),
            text: text.to_owned(),
            detail: Some(text.to_owned()),
        }
    }
}
