//! A user's password as it is stored, and what a new one must be.

use super::{User, canonical_name, store};
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::people::links::{self, Purpose};
use crate::people::passwords::{self, Password, Weakness};

/// Stores the hash of a password within a transaction of the caller's. The user need not change it, and a link that was
/// sent to choose one is no good any more.
pub(crate) async fn store_password(
    tx: &mut Tx,
    now: Timestamp,
    user: &User,
    hash: &str,
) -> Result<(), Error> {
    store::set_password(tx, user.id, hash, now).await?;
    links::end(tx, user.id, Purpose::Reset).await
}

impl App {
    /// Judges a new password for `username`.
    pub(crate) fn check_password(
        &self,
        password: &Password,
        username: &str,
    ) -> Result<(), Weakness> {
        let host = self.settings.url().host_str().unwrap_or_default();
        passwords::check(
            password.reveal(),
            self.settings.passwords.min_length,
            &canonical_name(username),
            host,
        )
    }
}
