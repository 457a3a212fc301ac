//! What users are told of their own accounts: written in the transaction of what it tells, shown at the next sign-in.

mod store;

use serde::Serialize;
use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::audit;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;

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
        fn text_of(word: &str) -> &str {
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
    TokenAdded "token_added" "An app token was made."
    TokenRevoked "token_revoked" "An app token was revoked."
}

/// One notice, as pages show it.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    at: Timestamp,
    text: String,
    detail: Option<String>,
}

/// Tells a user, in the transaction of what is told.
pub(crate) async fn tell(
    tx: &mut Tx,
    now: Timestamp,
    user_id: Uuid,
    kind: Kind,
    detail: Option<&str>,
) -> Result<(), Error> {
    let id = audit::new_id_at(now);
    Ok(store::insert(tx, id, user_id, kind.word(), detail, now).await?)
}

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
