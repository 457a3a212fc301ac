//! Names that people choose by themselves.

use super::{canonical_name, store};
use crate::foundation::app::App;
use crate::foundation::error::Error;

/// What people take for somebody with rights, and applications for an account of their own.
const NOBODYS: [&str; 24] = [
    "abuse",
    "admin",
    "administrator",
    "anonymous",
    "guest",
    "help",
    "hostmaster",
    "info",
    "mail",
    "moderator",
    "nobody",
    "noreply",
    "operator",
    "owner",
    "postmaster",
    "public",
    "root",
    "security",
    "staff",
    "support",
    "sysadmin",
    "system",
    "vestibule",
    "webmaster",
];

/// Whether somebody without an admin at hand may have this name: rules, applications and people may mean somebody else by
/// it. An address is a name for whoever has proven it.
pub(crate) async fn may_be_chosen(
    app: &App,
    username: &str,
    proven: Option<&str>,
) -> Result<bool, Error> {
    let is_own_address = proven.is_some_and(|address| canonical_name(address) == username);
    if NOBODYS.contains(&username) || (username.contains('@') && !is_own_address) {
        return Ok(false);
    }
    Ok(!store::means_somebody(app.db.reader(), username).await?)
}
