//! A new passkey.

use super::ceremony::{self, Attestation};
use super::challenge::{Challenge, Scope};
use super::{MOST, Passkey, Purpose, Refused, checked_name, read_challenge, spend, store};
use crate::foundation::app::App;
use crate::foundation::audit;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::TokenHash;
use crate::people::users::User;

/// Why a new passkey is not kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotKept {
    Refused(Refused),
    /// There are [`MOST`] already.
    TooMany,
    /// It is somebody's already.
    Known,
}

impl NotKept {
    /// For the person whose new passkey it is.
    pub fn text(&self) -> &'static str {
        match self {
            Self::Refused(refused) => refused.text_for_new(),
            Self::TooMany => "You have as many passkeys as there can be. Delete one first.",
            Self::Known => "That passkey is registered already.",
        }
    }
}

/// A new passkey, as a browser's answer has it.
pub(crate) struct Candidate {
    made: ceremony::Made,
    challenge: Challenge,
}

/// Checks what a browser answered to [`creation_options`]; nothing is written yet.
pub(crate) async fn candidate(
    app: &App,
    browser: &TokenHash,
    purpose: Purpose,
    answer: &str,
) -> Result<Result<Candidate, Refused>, Error> {
    let Some(attestation) = Attestation::read(answer) else {
        return Ok(Err(Refused::Malformed));
    };
    let scope = Scope { purpose, browser };
    let Some(challenge) = read_challenge(app, scope, &attestation.challenge).await? else {
        return Ok(Err(Refused::Stale));
    };
    let made = attestation.verify(&app.settings, &challenge);
    Ok(made.map(|made| Candidate { made, challenge }))
}

impl Candidate {
    /// Keeps it as the user's, under this name.
    pub async fn keep(
        self,
        app: &App,
        tx: &mut Tx,
        user: &User,
        name: &str,
    ) -> Result<Result<Passkey, NotKept>, Error> {
        if !spend(tx, &self.challenge).await? {
            return Ok(Err(NotKept::Refused(Refused::Stale)));
        }
        if store::of_user(&mut **tx, user.id).await?.len() >= MOST {
            return Ok(Err(NotKept::TooMany));
        }
        let now = app.clock.now();
        let made = self.made;
        let passkey = Passkey {
            id: audit::new_id_at(now),
            user_id: user.id,
            credential_id: made.credential_id,
            public_key: made.public_key,
            algorithm: made.algorithm.into(),
            counter: made.counter.into(),
            aaguid: made.aaguid.to_vec(),
            transports: made.transports,
            rp_id: ceremony::rp_id(&app.settings).to_owned(),
            name: checked_name(name).unwrap_or_else(|_| UNNAMED.to_owned()),
            backup_eligible: made.backup_eligible,
            backed_up: made.backed_up,
            created_at: now,
            last_used_at: None,
        };
        if !store::insert(tx, &passkey).await? {
            return Ok(Err(NotKept::Known));
        }
        Ok(Ok(passkey))
    }
}

/// What one is called whose browser says nothing of itself.
const UNNAMED: &str = "Passkey";
