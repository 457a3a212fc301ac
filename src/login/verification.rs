//! The one path on which a password is checked: throttled first, as long for unknown users as for
//! known ones, and a failure is written before it is answered.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::throttle::{Reservation, Reserved};
use crate::people::passwords::{Hasher, Password, Verdict};
use crate::people::users::{self, Secret, User};
use crate::sessions::Device;

/// What a check of a password came to.
#[derive(Debug)]
pub(crate) enum Verification {
    Right(Verified),
    Wrong,
    Throttled(Duration),
}

/// A password that was right when it was checked; [`Verified::settle`] says whether it still is.
#[derive(Debug)]
pub(crate) struct Verified {
    username: String,
    changed_at: Timestamp,
    reservation: Reservation,
    /// The same password hashed with what the settings ask for now.
    rehashed: Option<String>,
}

/// Checks `password` for `username`, for the sake of `event`.
pub(crate) async fn verify_password(
    app: &App,
    event: Event,
    username: &str,
    password: &Password,
    device: &Device,
) -> Result<Verification, Error> {
    if password.is_too_long() {
        // Nobody's: it costs neither a hash nor a try.
        return Ok(Verification::Wrong);
    }
    // Before the throttle chooses a bucket: every spelling of a name spends the same tries.
    let (username, secret) = named(app, username).await?;
    let now = app.clock.now();
    let known_here = users::is_known_at(app, &username, device.address).await?;
    let reservation = match app
        .throttle
        .reserve(&app.db, now, Some(&username), known_here, device.address)
        .await?
    {
        Reserved::Granted(reservation) => reservation,
        Reserved::Throttled { retry_after } => return Ok(Verification::Throttled(retry_after)),
    };
    let stored = secret
        .as_ref()
        .and_then(|secret| Some((secret.password_hash.as_deref()?, secret.password_form)));
    let verdict = match app.state::<Hasher>().verify(password, stored).await {
        Ok(verdict) => verdict,
        Err(error) => {
            app.attempt(reservation.release(&app.db)).await;
            return Err(error);
        }
    };
    let changed_at = match secret {
        Some(secret) if verdict != Verdict::Wrong && secret.disabled_at.is_none() => {
            secret.password_changed_at
        }
        _ => {
            write_failure(app, event, &username, &reservation, device).await?;
            return Ok(Verification::Wrong);
        }
    };
    let rehashed = match verdict {
        Verdict::RightButOld => Some(app.state::<Hasher>().hash(password).await?),
        _ => None,
    };
    Ok(Verification::Right(Verified {
        username,
        changed_at,
        reservation,
        rehashed,
    }))
}

/// The user name that is meant by what was typed, which may be an address, and the secret of whoever has it.
async fn named(app: &App, typed: &str) -> Result<(String, Option<Secret>), Error> {
    let name = users::canonical_name(typed);
    let secret = users::secret_by_name(app.db.reader(), &name).await?;
    if secret.is_some() || !name.contains('@') || !app.settings.accounts.sign_in_by_email {
        return Ok((name, secret));
    }
    let Some(user) = users::by_verified_address(app.db.reader(), &name).await? else {
        return Ok((name, None));
    };
    let secret = users::secret_by_name(app.db.reader(), &user.username).await?;
    Ok((user.username, secret))
}

impl Verified {
    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    /// When the password that was right was set.
    pub(crate) fn changed_at(&self) -> Timestamp {
        self.changed_at
    }

    /// The user, within the transaction that acts on it; `None` if the password was changed
    /// or the user barred since it was checked.
    pub(crate) async fn settle(self, tx: &mut Tx) -> Result<Option<User>, Error> {
        let Some(user) = users::by_unchanged_password(tx, &self.username, self.changed_at).await?
        else {
            return Ok(None);
        };
        self.reservation.succeeded(tx).await?;
        if let Some(hash) = &self.rehashed {
            users::rehash(tx, user.id, hash, self.changed_at).await?;
        }
        Ok(Some(user))
    }
}

async fn write_failure(
    app: &App,
    event: Event,
    username: &str,
    reservation: &Reservation,
    device: &Device,
) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin_for(username).await?;
    let user = users::by_name(&mut *tx, username).await?;
    let record = |event| match &user {
        Some(user) => Record::of(event, user),
        None => Record {
            username: Some(unknown(username)),
            ..Record::anonymous(event)
        },
    };
    let mut records = vec![record(event).refused()];
    if reservation.failed(&mut tx, now).await? {
        records.push(record(Event::Throttle));
    }
    audit::commit(tx, now, &Actor::visitor(device.address), &records).await
}

/// People type passwords where names belong: what nobody is called is not kept as it was typed.
fn unknown(username: &str) -> String {
    let digest = Sha256::digest(username);
    format!(
        "unknown ({:02x}{:02x}{:02x}{:02x})",
        digest[0], digest[1], digest[2], digest[3]
    )
}
