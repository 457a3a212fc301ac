//! What a browser answered with a passkey: claimed, verified, and settled in the transaction that acts on it.

use uuid::Uuid;

use super::ceremony::{Assertion, Use};
use super::challenge::{Challenge, Scope};
use super::{Passkey, Purpose, Refused, find, read_challenge, spend, store};
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::settings::Settings;
use crate::foundation::token::TokenHash;

/// An answer that a challenge of ours was given to a browser for. Nothing else is known of it yet.
pub(crate) struct Claim {
    assertion: Assertion,
    challenge: Challenge,
    purpose: Purpose,
    /// The one that it names, if it is registered.
    passkey: Option<Passkey>,
}

/// Reads what a browser answered; nothing is written, whatever it is.
pub(crate) async fn claim(
    app: &App,
    browser: &TokenHash,
    purpose: Purpose,
    answer: &str,
) -> Result<Result<Claim, Refused>, Error> {
    let Some(assertion) = Assertion::read(answer) else {
        return Ok(Err(Refused::Malformed));
    };
    let scope = Scope { purpose, browser };
    let Some(challenge) = read_challenge(app, scope, &assertion.challenge).await? else {
        return Ok(Err(Refused::Stale));
    };
    let passkey = store::by_credential_id(app.db.reader(), &assertion.credential_id).await?;
    Ok(Ok(Claim {
        assertion,
        challenge,
        purpose,
        passkey,
    }))
}

impl Claim {
    /// Whose the passkey is that it names; `None` if nobody has that.
    pub fn user_id(&self) -> Option<Uuid> {
        self.passkey.as_ref().map(|passkey| passkey.user_id)
    }

    pub fn verify(self, settings: &Settings) -> Result<Proof, Refused> {
        let passkey = self
            .passkey
            .ok_or_else(|| Refused::wrong("no such passkey"))?;
        if self
            .purpose
            .user()
            .is_some_and(|user| user != passkey.user_id)
        {
            return Err(Refused::wrong("another user's passkey"));
        }
        match &self.assertion.user_handle {
            Some(handle) if handle != passkey.user_id.as_bytes() => {
                return Err(Refused::wrong("the passkey names another user"));
            }
            // A device that was asked for one of these passkeys need not say whose it is.
            None if self.purpose.user().is_none() => {
                return Err(Refused::wrong("the passkey names no user"));
            }
            _ => {}
        }
        if !passkey.is_for(settings) {
            return Err(Refused::wrong("made for another host"));
        }
        let used = self.assertion.verify(settings, &self.challenge, &passkey)?;
        Ok(Proof {
            passkey,
            challenge: self.challenge,
            used,
        })
    }
}

/// An answer that a passkey signed; [`Proof::settle`] says whether it counts.
pub(crate) struct Proof {
    passkey: Passkey,
    challenge: Challenge,
    used: Use,
}

impl Proof {
    /// Spends the challenge and writes the use, in the transaction that acts on it. An answer counts once; it is spent when
    /// it is refused, too.
    pub async fn settle(self, tx: &mut Tx, now: Timestamp) -> Result<Result<(), Refused>, Error> {
        if !spend(tx, &self.challenge).await? {
            return Ok(Err(Refused::wrong("the answer was used before")));
        }
        let stored = find(tx, self.passkey.user_id, self.passkey.id).await?;
        let Some(stored) = stored else {
            return Ok(Err(Refused::wrong("the passkey was deleted")));
        };
        let Use {
            counter,
            backup_eligible,
            backed_up,
        } = self.used;
        if backup_eligible != stored.backup_eligible {
            // Fixed for life (WebAuthn L3, 7.2).
            return Ok(Err(Refused::wrong(
                "the passkey changed whether it can be copied",
            )));
        }
        // Those on several devices count nothing and say 0.
        let counts = counter != 0 || stored.counter != 0;
        if counts && i64::from(counter) <= stored.counter {
            return Ok(Err(Refused::Copied));
        }
        store::mark_used(tx, stored.id, counter, backed_up, now).await?;
        Ok(Ok(()))
    }
}
